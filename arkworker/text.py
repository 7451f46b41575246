"""Text from outside, on its way into a message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_ADDRESS = re.compile(r"^(?P<scheme>[A-Za-z][\w+.-]*://)(?:[^/?#]*@)?(?P<rest>[^?#]*)(?P<query>[?#].*)?$", re.DOTALL)

_CREDENTIALS = re.compile(r"^(\w[\w+.-]*://)[^/?#]*@")

#: What no name holds: control characters, the separators of lines and of paragraphs, halves of surrogate pairs.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str, limit: int = 200) -> str:
    """The text on one line, with what a terminal would obey written as an escape; `limit` characters, and then `…`."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return shown if len(text) <= limit and len(shown) <= limit else f"{shown[:limit]}…"


def presentable(address: str) -> str:
    """The text as `printable` has it; of an address without user, password, query, fragment: secrets."""
    match = _ADDRESS.match(address)
    if match is None:
        return printable(address)
    return printable(match["scheme"] + match["rest"]) + ("?…" if match["query"] else "")


class SignedAddress(str):
    """An address whose query signs it, or that holds a password; neither is shown by its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        address, _, query = self.partition("?")
        return repr(_CREDENTIALS.sub(r"\1…@", address) + ("?…" if query else ""))

    @classmethod
    def of(cls, address: str) -> str:
        """The address, which is not shown whole where there is something to hide in it."""
        return cls(address) if "?" in address or "@" in address else address


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
    """`did you mean threshold?`, or nothing when no known name is near.

    Args:
        name: What was typed.
        known: What may be meant.
        prefix: What to show before the nearest name.
        cutoff: How near is near, from 0 to 1 for the same.
    """
    from difflib import get_close_matches  # only where something is wrong

    by_lower = {candidate.lower(): candidate for candidate in known}
    # Names typed by people; a very long one is not a misspelling and would only cost time.
    matches = get_close_matches(name.lower()[:100], by_lower, n=1, cutoff=cutoff)
    return f"did you mean {prefix}{printable(by_lower[matches[0]])}?" if matches else ""


def with_nearest(message: str, name: str, known: Iterable[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
    """`unknown option; did you mean threshold?`: the message, and what may be meant, where a known name is near."""
    nearest = did_you_mean(name, known, prefix=prefix, cutoff=cutoff)
    return f"{message}; {nearest}" if nearest else message


class Suggestions:
    """As `with_nearest`, for the first few messages of one place: a thousand unknown names need no more."""

    def __init__(self) -> None:
        self._left = 20

    def __call__(self, message: str, name: str, known: Iterable[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
        self._left -= 1
        return message if self._left < 0 else with_nearest(message, name, known, prefix=prefix, cutoff=cutoff)


def flag_in(typed: str) -> str:
    """The flag of an argument that begins with a dash: `--name` of `--name=value`, `-v` of `-value`.

    What follows it is a value, perhaps a secret, and is not to be shown.
    """
    return printable(typed.partition("=")[0] if typed.startswith("--") else typed[:2], 60)


def is_id(text: str) -> bool:
    """Whether it can be an id of Arkindex: these are UUIDs."""
    from uuid import UUID  # not for those who only want help

    try:
        UUID(text)
    except ValueError:
        return False
    return True
