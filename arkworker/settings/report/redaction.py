"""What a validator of the worker's author says, without the values that it was given."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from arkworker.options.secret import Secret, UnloadedSecret
from arkworker.settings.reading import leaves_of
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REFUSED = "refused by a validator of the worker"

_LONGEST = 300  # characters of a message
_SHORTEST_VALUE = 6  # characters; a shorter text may be a word of the message
_SHORTEST_PART = 5  # characters of a secret in a row; fewer tell nothing
_ROOM = Path(__file__).parents[2]
_STANDARD = sysconfig.get_path("stdlib")
_PYDANTIC = {"pydantic", "pydantic_settings"}
_NO_LETTER = re.compile(r"[\W_]+")


class Redaction:
    """Knows the values that no message may hold.

    Args:
        values: What options were given, secrets apart.
        secrets: The loaded secrets.
        public: Texts that stand in the code of the worker, and may be said: names and choices.
    """

    def __init__(self, values: Any, secrets: Iterable[Secret[Any]], public: Iterable[str]) -> None:
        hidden = {text for text in _texts(values) if len(text) >= _SHORTEST_VALUE}.difference(public)
        forms = {form for text in hidden for form in _forms(text)}
        # Longest first: one value may be a part of another.
        self._values = sorted(forms, key=len, reverse=True)
        self._secrets = [_letters(text) for secret in secrets for text in _texts(_content_of(secret))]

    def __call__(self, message: str) -> str:
        """The message, with `…` for each value; nothing of it when it holds a part of a secret."""
        for value in self._values:
            message = message.replace(value, "…")
        shown = printable(message, _LONGEST)
        letters = _letters(shown)
        return REFUSED if any(_share(letters, secret) for secret in self._secrets) else shown


def _forms(text: str) -> tuple[str, ...]:
    """How a text may appear in a message: as it is, in quotes, as bytes, escaped."""
    return text, repr(text)[1:-1], repr(text.encode(errors="replace"))[2:-1], printable(text, len(text))


def _letters(text: str) -> str:
    """The text as far as it survives quoting, escaping and changes of case."""
    return _NO_LETTER.sub("", text).casefold()


def _share(message: str, secret: str) -> bool:
    length = min(_SHORTEST_PART, len(secret))
    starts = range(len(message) - length + 1)
    return length > 0 and any(message[start : start + length] in secret for start in starts)


def _content_of(secret: Secret[Any]) -> Any:
    if isinstance(secret, UnloadedSecret):
        return None
    return to_jsonable_python(secret.get_secret_value(), fallback=str)


def _texts(value: Any) -> Iterator[str]:
    for _, leaf in leaves_of(value):
        if isinstance(leaf, str | int | float) and not isinstance(leaf, bool):
            yield str(leaf)


def place_in_code(error: BaseException) -> str:
    """The line of the author's code that an exception comes from: rather none of a library, nor of Python itself."""
    places = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    others = [one for one in places if not _PYDANTIC.intersection(one[0].parts) and _ROOM not in one[0].parents]
    own = [one for one in others if not one[0].is_relative_to(_STANDARD) and "site-packages" not in one[0].parts]
    file, line = [(None, 0), *(own or others)][-1]
    return f" ({printable(file.name, 60)}, line {line})" if file else ""
