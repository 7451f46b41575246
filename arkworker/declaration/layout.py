"""Python source in the style of `ruff format`, for any line length of 88 or more, and names in it for keys of any kind.

What does not fit a line of 88 is written with one item a line and a comma after the last, which formatters keep.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from arkworker.declaration.metadata import words_of
from arkworker.options.configuration import UserConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterable


WIDTH = 88
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Bracketed:
    """A call, list, dict or subscript: `Field(`, its items, `)`."""

    head: str
    items: tuple[Part, ...]
    tail: str


Part: TypeAlias = str | Bracketed


def render(part: Part, level: int = 0, before: str = "", after: str = "") -> str:
    """One logical line at a level of indentation, between what stands before and after on it."""
    text = f"{_INDENT * level}{before}{_flat(part)}{after}"
    if isinstance(part, str) or not part.items or width(text) <= WIDTH:
        return text
    items = [render(item, level + 1, after=",") for item in part.items]
    return "\n".join([f"{_INDENT * level}{before}{part.head}", *items, f"{_INDENT * level}{part.tail}{after}"])


def _flat(part: Part) -> str:
    if isinstance(part, str):
        return part
    return f"{part.head}{', '.join(map(_flat, part.items))}{part.tail}"


def width(part: Part) -> int:
    """How wide a part is at most, on one line."""
    # Formatters count some characters twice; to take all of them for wide is safe, since what is exploded stays so.
    return sum(1 if character.isascii() else 2 for character in _flat(part))


def prefixed(text: str, part: Part) -> Part:
    """The part with a text before it, such as the name of an argument."""
    return text + part if isinstance(part, str) else Bracketed(text + part.head, part.items, part.tail)


def literal(value: Any) -> Part:
    """Plain data as Python has it."""
    if isinstance(value, str):
        return string(value)
    if isinstance(value, (list, tuple)):
        return Bracketed("[", tuple(map(literal, value)), "]")
    if isinstance(value, dict):
        return Bracketed("{", tuple(prefixed(f"{string(key)}: ", literal(item)) for key, item in value.items()), "}")
    return repr(value).replace("e+", "e")


def imported(home: str, names: Iterable[str]) -> str:
    """The statement that imports some names, in the order of isort: constants first, then whatever their case."""
    ordered = sorted(names, key=lambda name: (not (name.isupper() and len(name) > 1), name.lower(), name))
    line = f"from {home} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {home} import (", *(f"{_INDENT}{name}," for name in ordered), ")"])


def string(text: str) -> str:
    """A string literal, with the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = "".join(_escaped(character, quote) for character in text)
    return f"{quote}{escaped}{quote}"


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


_LONGEST = 30  # characters
_TYPES = {"bool", "int", "float", "str", "list", "dict"}
#: pydantic warns of fields whose names begin like its own methods.
_PROTECTED = ("model_validate", "model_dump")


class Names:
    """Hands out names, each once, whatever its case: variables of the environment have none."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = {name.upper() for name in taken}

    def field(self, key: str, prefix: str = "") -> str:
        """The name of an option: its key, where Python can hold it. `prefix` is the name of its group."""
        return self._unique(_field_name(key), f"{prefix}_" if prefix else "")

    def class_of(self, text: str, suffix: str, longest: int = 28) -> str:
        """`PageLines` for `page-lines`, at most so long; with the suffix where that is taken."""
        plain = re.sub(r"[^0-9A-Za-z]+", "_", to_ascii(text))
        name = "".join(word[0].upper() + word[1:] for word in words_of(plain))[:longest]
        name = name if name[:1].isalpha() else f"{suffix}{name}"
        is_free = name.upper() not in self._taken and not keyword.iskeyword(name)
        return self._unique(name if is_free else f"{name}{suffix}")

    def _unique(self, name: str, prefix: str = "") -> str:
        candidate, number = name, 2
        while f"{prefix}{candidate}".upper() in self._taken:
            candidate, number = f"{name.rstrip('_')}_{number}", number + 1
        self._taken.add(f"{prefix}{candidate}".upper())
        return candidate


def to_ascii(text: str) -> str:
    """The text without accents, and without what has no ASCII letter."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _field_name(key: str) -> str:
    is_fit = key.isidentifier() and key.isascii() and len(key) <= _LONGEST
    name = key if is_fit else re.sub(r"\W+", "_", to_ascii(key)).strip("_")[:_LONGEST].strip("_")
    if name.startswith("_"):
        name = name.strip("_")
    if not name or name[0].isdigit() or name.startswith(_PROTECTED):
        name = f"option_{name}".rstrip("_")
    # Names of classes begin with a capital, and options would hide them.
    name = name.lower() if name.isupper() else name[0].lower() + name[1:]
    return f"{name}_" if _is_reserved(name) else name


def _is_reserved(name: str) -> bool:
    return keyword.iskeyword(name) or name in _TYPES or name == "cls" or hasattr(UserConfiguration, name)
