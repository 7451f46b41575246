"""Plain data from nodes whose type nobody declared: the scalars of YAML 1.1, without its worst surprises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from arkworker.settings.yaml_nodes import Scalar, Sequence, YamlError

if TYPE_CHECKING:
    from arkworker.settings.yaml_nodes import Node

Plain: TypeAlias = bool | int | float | str | None

_CORE = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 100  # characters; more than any number that fits, and cheap to read
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


def core_type(text: str) -> str:
    """What plain text is by YAML 1.1: `str`, `int`, `float`, `bool`, `null`, `timestamp`, `merge` or `value`."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag.removeprefix(_CORE)


def to_python(node: Node) -> Any:
    """A node as plain data, its scalars by `resolve_scalar`; keys are text as written.

    Raises:
        YamlError: As `resolve_scalar`.
    """
    if isinstance(node, Scalar):
        return resolve_scalar(node)
    if isinstance(node, Sequence):
        return [to_python(item) for item in node.items]
    return {entry.key.text: to_python(entry.value) for entry in node.entries}


def _tagged(scalar: Scalar, tag: str) -> Plain:
    # `!!float 5` is a number like `!!float 5.0`.
    kind = core_type(scalar.text)
    if tag not in ("str", kind) and not (tag == "float" and kind == "int"):
        raise YamlError(f"this is no !!{tag}", scalar.line, scalar.column, "remove the tag or correct the value")
    value = _construct(scalar, tag)
    return float(value) if tag == "float" and isinstance(value, int) else value


def _construct(scalar: Scalar, kind: str) -> Plain:
    if kind == "null":
        return None
    if kind == "bool":
        return scalar.text.lower() in ("yes", "true", "on")
    if kind in ("int", "float") and not _is_clock(scalar.text):
        return _number(scalar, kind)
    return scalar.text


def _is_clock(text: str) -> bool:
    return ":" in text  # YAML 1.1 reads 12:30:45 as 45045, in base 60


def _number(scalar: Scalar, kind: str) -> int | float | str:
    node = yaml.ScalarNode(_CORE + kind, scalar.text[:_LONGEST_NUMBER])
    if len(scalar.text) > _LONGEST_NUMBER:
        raise _unfit(scalar)
    if kind == "float":
        number: float = _CONSTRUCTOR.construct_yaml_float(node)
        if not math.isfinite(number):
            raise YamlError("numbers must be finite", scalar.line, scalar.column, "put text in quotes")
        return number
    try:
        integer: int = _CONSTRUCTOR.construct_yaml_int(node)
    except ValueError:  # `0x_`: the form of a number without a digit
        return scalar.text
    if not -(2**63) <= integer < 2**63:
        raise _unfit(scalar)
    return integer


def _unfit(scalar: Scalar) -> YamlError:
    return YamlError("this number does not fit 64 bits", scalar.line, scalar.column, "put text in quotes")
