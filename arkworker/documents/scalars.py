"""Plain data from nodes of undeclared type: the scalars of YAML 1.1, without its worst surprises."""

from __future__ import annotations

import math
import re
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
_SWITCHES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_RESOLVER = Resolver()
_CONSTRUCTOR = SafeConstructor()


def resolve_scalar(scalar: Scalar) -> Plain:
    """The value of a scalar by YAML 1.1: `no` is False, `010` is 8, `1_000` is 1000, `~` is None.

    Dates and times (`2024-01-02`, `12:30:45`) stay text, and so does all that is quoted.

    Raises:
        YamlError: A number that is not finite or does not fit 64 bits, or a text that its explicit tag does not fit.
    """
    if scalar.tag is not None:
        return _tagged(scalar, scalar.tag)
    if not scalar.plain:
        return scalar.text
    return _construct(scalar, core_type(scalar.text))


def resolve_core(text: str) -> Plain:
    """What plain text is where its type asks for it: no octal, no sexagesimal numbers, no underscores."""
    lowered = text.lower()
    if lowered in NULLS:
        return None
    if lowered in _SWITCHES:
        return _SWITCHES[lowered]
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


def _tagged(scalar: Scalar, tag: str) -> Plain:
    if tag == "str":
        return scalar.text
    value: Plain = None
    if tag in ("int", "float"):
        # What the document says itself is not a surprise: `!!int 1:30` is 90, `!!float 1e3` is 1000.
        value = _number(scalar, tag)
    elif core_type(scalar.text.lower()) == tag:
        return _construct(scalar, tag)
    if value is None:
        raise YamlError(
            f"this is not a valid !!{tag}", scalar.line, scalar.column, "remove the tag or correct the value"
        )
    return value


def _construct(scalar: Scalar, kind: str) -> Plain:
    if kind == "null":
        return None
    if kind == "bool":
        return _SWITCHES[scalar.text.lower()]
    is_clock = ":" in scalar.text  # YAML 1.1 reads 12:30:45 as 45045, in base 60
    number = _number(scalar, kind) if kind in ("int", "float") and not is_clock else None
    return scalar.text if number is None else number


def _number(scalar: Scalar, kind: str) -> int | float | None:
    """The number; None where the text only has the form of one, such as `0x_`."""
    if len(scalar.text) > _LONGEST_NUMBER:
        raise _unfit(scalar)
    node = yaml.ScalarNode(_CORE + kind, scalar.text)
    construct = _CONSTRUCTOR.construct_yaml_int if kind == "int" else _CONSTRUCTOR.construct_yaml_float
    try:
        number: int | float = construct(node)
    except (ValueError, IndexError):
        return None
    if not math.isfinite(number):
        raise YamlError("numbers must be finite", scalar.line, scalar.column, "put text in quotes")
    if isinstance(number, int) and not fits_64_bits(number):
        raise _unfit(scalar)
    return number


def _unfit(scalar: Scalar) -> YamlError:
    return YamlError(TOO_LARGE, scalar.line, scalar.column, "put text in quotes")
