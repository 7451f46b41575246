"""Which kinds of values a type takes, and how a person is told of it.

Strictness lies here: what reaches pydantic is of a kind that the option declares, so that pydantic, which would take
`true` for 1 and `"yes"` for true, has nothing to guess. Validators of the author that come before it may still guess.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from uuid import UUID

import pydantic

from arkworker.options.options import is_secret_type
from arkworker.settings.values.inner_types import is_list, is_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATE = "a date, such as 2026-01-31"
_MOMENT = "a date and time, such as 2026-01-31T12:30:00"
_TIME = "a time, such as 12:30:00"
#: Types that are written as text and are no number: pydantic alone reads `20260131` as seconds since 1970.
MOMENTS: dict[Any, str] = {
    dt.date: _DATE,
    dt.datetime: _MOMENT,
    dt.time: _TIME,
    pydantic.PastDate: _DATE,
    pydantic.FutureDate: _DATE,
    pydantic.PastDatetime: _MOMENT,
    pydantic.FutureDatetime: _MOMENT,
    pydantic.AwareDatetime: _MOMENT,
    pydantic.NaiveDatetime: _MOMENT,
}
_WRITTEN: dict[Any, str] = {
    **MOMENTS,
    str: "a valid string",
    dt.timedelta: "a duration, such as PT1M30S or 00:01:30",
    Decimal: "a valid decimal number",
    UUID: "a valid UUID",
    Path: "a path",
    PurePath: "a path",
    bytes: "a valid string",
    complex: "a complex number",
    Fraction: "a fraction",
    re.Pattern: "a regular expression",
    **dict.fromkeys((ipaddress.IPv4Address, ipaddress.IPv6Address), "an IP address"),
    **dict.fromkeys((ipaddress.IPv4Interface, ipaddress.IPv6Interface), "an IP interface"),
    **dict.fromkeys((ipaddress.IPv4Network, ipaddress.IPv6Network), "an IP network"),
}
_NUMBERS: dict[Any, str] = {bool: "true or false", int: "a valid integer", float: "a valid number"}


def takes_anything(member: Any) -> bool:
    """Whether a type says nothing of the kind: `Any`, and types that validate by themselves."""
    kind = get_origin(member) or member
    known = kind in _WRITTEN or kind in _NUMBERS or is_list(member) or is_mapping(member) or is_choice(member)
    return not known and not is_secret_type(member)


def takes(member: Any, value: Any) -> bool:
    """Whether plain data is of the kind of a type."""
    kind = get_origin(member) or member
    if isinstance(value, str) and kind in _WRITTEN:
        return True
    if isinstance(value, bool) or kind is bool:
        return (kind is bool and isinstance(value, bool)) or value_is_choice(value, member)
    if isinstance(value, int) and kind in (int, float, Decimal):
        return True
    if isinstance(value, float) and kind in (float, Decimal):
        return True
    return value_is_choice(value, member)


def is_choice(member: Any) -> bool:
    if isinstance(member, type):
        return issubclass(member, enum.Enum) and not issubclass(member, enum.Flag)
    return get_origin(member) is Literal


def values_of(member: Any) -> list[Any]:
    """The values of a `Literal` or an `Enum`, as JSON has them."""
    items = get_args(member) if get_origin(member) is Literal else member if is_choice(member) else ()
    return [item.value if isinstance(item, enum.Enum) else item for item in items]


def value_is_choice(value: Any, member: Any) -> bool:
    """Choices are compared by value, but True is not 1."""
    return any(choice == value and isinstance(choice, bool) == isinstance(value, bool) for choice in values_of(member))


def expectation(members: Iterable[Any]) -> str:
    """What a person is told to write."""
    words = dict.fromkeys(word for member in members for word in _words(member))
    return f"Input should be {' or '.join(words)}"


def _words(member: Any) -> list[str]:
    kind = get_origin(member) or member
    if is_choice(member):
        return [repr(value) for value in values_of(member) if value is not None]
    if is_list(member):
        return ["a list"]
    if is_mapping(member):
        return ["a mapping"]
    return [str(_NUMBERS.get(kind) or _WRITTEN.get(kind) or getattr(kind, "__name__", kind))]
