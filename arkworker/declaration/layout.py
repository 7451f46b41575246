"""Python source in the style of `ruff format`, for any line length of 88 or more.

What does not fit a line of 88 is written with one item a line and a comma after the last, which formatters keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

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
