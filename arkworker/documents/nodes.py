"""What a YAML document consists of, every part with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence as Many


class YamlError(Exception):
    """A document that cannot be read. Holds no value of it; a key's name, escaped and shortened, may occur.

    Attributes:
        message: What is wrong, on one line.
        line: Where, from 1.
        column: Where, from 1, in characters.
        hint: The remedy; may be empty.
        errors: Everything found wrong, in order of place, this error included.
    """

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint
        self.errors: tuple[YamlError, ...] = (self,)
        super().__init__(message, line, column, hint)

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as text.

    Attributes:
        text: The content, without quotes and escapes; may be a secret, and is kept out of the representation.
        plain: Neither quoted nor tagged: the text may stand for a number, a boolean or null.
        line: Where it is written, from 1.
        column: Where it is written, from 1.
        tag: `str`, `int`, `float`, `bool` or `null` where the document says so.
        end: The last line that it stands on.
    """

    text: str = field(repr=False)
    plain: bool
    line: int
    column: int
    tag: str | None = None
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    line: int
    column: int
    end: int = field(default=0, compare=False)


class Entry(NamedTuple):
    key: Scalar
    value: Node


@dataclass(frozen=True)
class Mapping:
    """Keys and values in order: no key twice, merge keys (`<<`) resolved, what they bring in keeps its own place."""

    entries: tuple[Entry, ...]
    line: int
    column: int
    end: int = field(default=0, compare=False)

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        return {entry.key.text: entry for entry in self.entries}


#: What plain text says null, in lower case.
NULLS = frozenset({"", "~", "null"})

Node: TypeAlias = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Whether a node stands for null: an empty value, `~`, `null`."""
    return isinstance(node, Scalar) and (node.tag == "null" or (node.plain and node.text.lower() in NULLS))


def gather(errors: Many[YamlError]) -> YamlError:
    """One error, the first, that carries all of them."""
    first = min(errors, key=lambda error: (error.line, error.column))
    first.errors = tuple(sorted(errors, key=lambda error: (error.line, error.column)))
    return first
