"""Plain data from nodes of undeclared type: the scalars of YAML 1.1, without its worst surprises."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from arkworker.documents.nodes import LONGEST_NUMBER, NULLS, TOO_LARGE, YamlError, fits_64_bits, plain

if TYPE_CHECKING:
    from arkworker.documents.nodes import Node, Plain, Scalar

_CORE = "tag:yaml.org,2002:"
_RESOLVER = Resolver()
_CONSTRUCTOR = SafeConstructor()
_CONSTRUCT: dict[str, Any] = {
    kind: getattr(_CONSTRUCTOR, f"construct_yaml_{kind}") for kind in ("bool", "int", "float")
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
    if kind in ("int", "float") and len(scalar.text) > LONGEST_NUMBER:
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


def core_type(text: str) -> str:
    """What plain text is by YAML 1.1: `str`, `int`, `float`, `bool`, `null`, `timestamp`, `merge` or `value`."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag.removeprefix(_CORE)


def to_python(node: Node) -> Any:
    """A node as plain data, its scalars by `resolve_scalar`; keys are text as written.

    Raises:
        YamlError: As `resolve_scalar`.
    """
    return plain(node, resolve_scalar)


def _error(scalar: Scalar, message: str, hint: str = "put text in quotes") -> YamlError:
    return YamlError(message, scalar.line, scalar.column, hint)
