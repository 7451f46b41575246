"""Scalars as Arkindex reads them: by YAML 1.1 with all its surprises, which a check must know to warn of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import SafeConstructor

from arkworker.documents.scalars import core_type

if TYPE_CHECKING:
    from arkworker.documents.nodes import Scalar

_LONGEST = 5000  # characters; longer numbers are refused by Python, or take time by the square of their length
_CORE = "tag:yaml.org,2002:"
_CONSTRUCTOR = SafeConstructor()


class UnreadableError(Exception):
    """A scalar that Arkindex cannot read at all, such as the date 2001-02-30."""


def arkindex_value(scalar: Scalar) -> Any:
    """Text, number, boolean, None, or a date for `2024-01-02`; `12:30:45` is 45045.

    Raises:
        UnreadableError: The text has the form of a number or date and is none.
    """
    kind = scalar.tag or (core_type(scalar.text) if scalar.plain else "str")
    if kind == "str":
        return scalar.text
    if kind == "null":
        return None
    if kind in ("value", "merge") or len(scalar.text) > _LONGEST:
        raise UnreadableError
    construct = SafeConstructor.yaml_constructors[_CORE + kind]
    try:
        return construct(_CONSTRUCTOR, yaml.ScalarNode(_CORE + kind, scalar.text))
    except (ValueError, KeyError, IndexError, OverflowError, AttributeError):
        pass
    raise UnreadableError
