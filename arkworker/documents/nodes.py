"""What a YAML document consists of, every part with its place."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from arkworker.documents.text_file import TextFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence as Many


class YamlError(TextFileError):
    """The text is not YAML. Holds no value of it; a key's name, escaped and shortened, may occur.

    Attributes:
        errors: Everything found wrong, in order of place, this error included.
    """

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message, line, column, hint)
        self.errors: tuple[YamlError, ...] = (self,)


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


Node: TypeAlias = Scalar | Sequence | Mapping
Plain: TypeAlias = bool | int | float | str | None

TOO_LARGE = "this number does not fit into 64 bits"
LONGEST_NUMBER = 100  # characters; more than any number that fits, and cheap to read
#: What plain text says null or true or false, in lower case.
NULLS = frozenset({"", "~", "null"})
_SWITCHES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
#: Decimal numbers, as JSON and people write them.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]+)?")


def resolve_core(text: str) -> Plain:
    """What plain text is where its type asks for it: no octal, no sexagesimal numbers, no underscores."""
    lowered = text.lower()
    if lowered in NULLS:
        return None
    if lowered in _SWITCHES:
        return _SWITCHES[lowered]
    if len(text) > LONGEST_NUMBER or not (_INTEGER.fullmatch(text) or _FRACTION.fullmatch(text)):
        return text
    is_integer = _INTEGER.fullmatch(text) and fits_64_bits(int(text))
    return int(text) if is_integer else float(text) if math.isfinite(float(text)) else text


def fits_64_bits(number: float) -> bool:
    return -(2**63) <= number < 2**63


def plain(node: Node, read: Callable[[Scalar], Any]) -> Any:
    """A node as plain data, its scalars by a function; keys are text as written."""
    if isinstance(node, Scalar):
        return read(node)
    if isinstance(node, Sequence):
        return [plain(item, read) for item in node.items]
    return {entry.key.text: plain(entry.value, read) for entry in node.entries}


def is_null(node: Node) -> bool:
    """Whether a node stands for null: an empty value, `~`, `null`."""
    return isinstance(node, Scalar) and (node.tag == "null" or (node.plain and node.text.lower() in NULLS))


def gather(errors: Many[YamlError]) -> YamlError:
    """One error, the first, that carries all of them."""
    first = min(errors, key=lambda error: (error.line, error.column))
    first.errors = tuple(sorted(errors, key=lambda error: (error.line, error.column)))
    return first
