"""What a YAML document consists of, every part with its place; and what its scalars say.

PyYAML is imported where a scalar of undeclared type is read: settings without a file do without.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
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

_CORE = "tag:yaml.org,2002:"
TOO_LARGE = "this number does not fit into 64 bits"
_LONGEST_NUMBER = 100  # characters; more than any number that fits, and cheap to read
#: What plain text says null or true or false, in lower case.
_NULLS = frozenset({"", "~", "null"})
_SWITCHES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
#: Decimal numbers, as JSON and people write them.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]+)?")


def resolve_core(text: str) -> Plain:
    """What plain text is where its type asks for it: no octal, no sexagesimal numbers, no underscores."""
    lowered = text.lower()
    if lowered in _NULLS:
        return None
    if lowered in _SWITCHES:
        return _SWITCHES[lowered]
    if len(text) > _LONGEST_NUMBER or not (_INTEGER.fullmatch(text) or _FRACTION.fullmatch(text)):
        return text
    is_integer = _INTEGER.fullmatch(text) and fits_64_bits(int(text))
    return int(text) if is_integer else float(text) if math.isfinite(float(text)) else text


def fits_64_bits(number: float) -> bool:
    return -(2**63) <= number < 2**63


def resolve_scalar(scalar: Scalar) -> Plain:
    """The value of a scalar by YAML 1.1: `no` is False, `010` is 8, `1_000` is 1000, `~` is None.

    Dates and times (`2024-01-02`, `12:30:45`) stay text, and so does all that is quoted.

    Raises:
        YamlError: A number that is not finite or does not fit 64 bits, or a text that its explicit tag does not fit.
    """
    kind = scalar.tag or (core_type(scalar.text) if scalar.plain else "str")
    if kind == "null" and scalar.text.lower() in _NULLS:
        return None
    if scalar.tag is None and ":" in scalar.text:  # YAML 1.1 reads 12:30:45 as 45045, in base 60
        return scalar.text
    value: Plain = scalar.text
    if kind in ("int", "float") and len(scalar.text) > _LONGEST_NUMBER:
        raise _error(scalar, TOO_LARGE)
    if kind in ("bool", "int", "float"):
        loader, node = _pyyaml()
        # Some texts only have the form of a number, such as `0x_`.
        with suppress(ValueError, IndexError, KeyError):
            value = getattr(loader, f"construct_yaml_{kind}")(node(_CORE + kind, scalar.text))
    if scalar.tag not in (None, "str") and isinstance(value, str):
        raise _error(scalar, f"this is not a valid !!{scalar.tag}", "remove the tag or correct the value")
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(scalar, "numbers must be finite")
    if isinstance(value, int) and not fits_64_bits(value):
        raise _error(scalar, TOO_LARGE)
    return value


def core_type(text: str) -> str:
    """What plain text is by YAML 1.1: `str`, `int`, `float`, `bool`, `null`, `timestamp`, `merge` or `value`."""
    loader, node = _pyyaml()
    tag: str = loader.resolve(node, text, (True, False))
    return tag.removeprefix(_CORE)


@cache
def _pyyaml() -> tuple[Any, Any]:
    """PyYAML's reading of single values, and the kind of node that it takes."""
    import yaml

    return yaml.SafeLoader(""), yaml.ScalarNode


def _error(scalar: Scalar, message: str, hint: str = "put text in quotes") -> YamlError:
    return YamlError(message, scalar.line, scalar.column, hint)


def to_python(node: Node) -> Any:
    """A node as plain data, its scalars by `resolve_scalar`; keys are text as written.

    Raises:
        YamlError: As `resolve_scalar`.
    """
    return plain(node, resolve_scalar)


def plain(node: Node, read: Callable[[Scalar], Any]) -> Any:
    """A node as plain data, its scalars by a function; keys are text as written."""
    if isinstance(node, Scalar):
        return read(node)
    if isinstance(node, Sequence):
        return [plain(item, read) for item in node.items]
    return {entry.key.text: plain(entry.value, read) for entry in node.entries}


def is_null(node: Node) -> bool:
    """Whether a node stands for null: an empty value, `~`, `null`."""
    return isinstance(node, Scalar) and (node.tag == "null" or (node.plain and node.text.lower() in _NULLS))


def gather(errors: Many[YamlError]) -> YamlError:
    """One error, the first, that carries all of them."""
    first = min(errors, key=lambda error: (error.line, error.column))
    first.errors = tuple(sorted(errors, key=lambda error: (error.line, error.column)))
    return first
