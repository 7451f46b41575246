"""Plain data from nodes of undeclared type: the scalars of YAML 1.1, without its worst surprises."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from arkworker.documents.nodes import NULLS, Scalar, Sequence, YamlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.documents.nodes import Node

Plain: TypeAlias = bool | int | float | str | None

TOO_LARGE = "this number does not fit into 64 bits"
_CORE = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 100  # characters; more than any number that fits, and cheap to read
#: Decimal numbers, as JSON and people write them.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]+)?")
_RESOLVER = Resolver()
_CONSTRUCTOR = SafeConstructor()
_CONSTRUCT: dict[str, Any] = {
    "bool": _CONSTRUCTOR.construct_yaml_bool,
    "int": _CONSTRUCTOR.construct_yaml_int,
    "float": _CONSTRUCTOR.construct_yaml_float,
}


def resolve_scalar(scalar: Scalar) -> Plain:
    """The value of a scalar by YAML 1.1: `no` is False, `010` is 8, `1_000` is 1000, `~` is None.

    Dates and times (`2024-01-02`, `12:30:45`) stay text, and so does all that is quoted.

    Raises:
        YamlError: A number that is not finite or does not fit 64 bits, or a text that its explicit tag does not fit.
    """
    kind = scalar.tag or (core_type(scalar.text) if scalar.plain else "str")
    if kind == "null" and scalar.text.lower() in NULLS:
        return None
    if scalar.tag is None and ":" in scalar.text:  # YAML 1.1 reads 12:30:45 as 45045, in base 60
        return scalar.text
    value: Plain = scalar.text
    if kind in ("int", "float") and len(scalar.text) > _LONGEST_NUMBER:
        raise _error(scalar, TOO_LARGE)
    if kind in _CONSTRUCT:
        # Some texts only have the form of a number, such as `0x_`.
        with suppress(ValueError, IndexError, KeyError):
            value = _CONSTRUCT[kind](yaml.ScalarNode(_CORE + kind, scalar.text))
    if scalar.tag not in (None, "str") and isinstance(value, str):
        raise _error(scalar, f"this is not a valid !!{scalar.tag}", "remove the tag or correct the value")
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(scalar, "numbers must be finite")
    if isinstance(value, int) and not fits_64_bits(value):
        raise _error(scalar, TOO_LARGE)
    return value


def resolve_core(text: str) -> Plain:
    """What plain text is where its type asks for it: no octal, no sexagesimal numbers, no underscores."""
    lowered = text.lower()
    if lowered in NULLS:
        return None
    if lowered in SafeConstructor.bool_values:
        return SafeConstructor.bool_values[lowered]
    if len(text) <= _LONGEST_NUMBER and (_INTEGER.fullmatch(text) or _FRACTION.fullmatch(text)):
        number = float(text)
        is_integer = _INTEGER.fullmatch(text) and fits_64_bits(int(text))
        return int(text) if is_integer else number if math.isfinite(number) else text
    return text


def fits_64_bits(number: float) -> bool:
    return -(2**63) <= number < 2**63


def core_type(text: str) -> str:
    """What plain text is by YAML 1.1: `str`, `int`, `float`, `bool`, `null`, `timestamp`, `merge` or `value`."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag.removeprefix(_CORE)


def to_python(node: Node, read: Callable[[Scalar], Any] = resolve_scalar) -> Any:
    """A node as plain data, its scalars by `read`; keys are text as written.

    Raises:
        YamlError: As `resolve_scalar`.
    """
    if isinstance(node, Scalar):
        return read(node)
    if isinstance(node, Sequence):
        return [to_python(item, read) for item in node.items]
    return {entry.key.text: to_python(entry.value, read) for entry in node.entries}


def _error(scalar: Scalar, message: str, hint: str = "put text in quotes") -> YamlError:
    return YamlError(message, scalar.line, scalar.column, hint)
