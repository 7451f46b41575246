"""What pydantic says, in words that hold nothing of the value."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core.core_schema import ErrorType

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is said for errors of pydantic whose messages quote the input, or can be clearer, and their types.
_MESSAGES = {
    "Input should be a valid UUID": ("uuid_parsing",),
    "Input should be a valid URL": ("url_parsing",),
    "Input should be a valid date, such as 2026-01-31": ("date_parsing", "date_from_datetime_parsing"),
    "Input should be a valid datetime, such as 2026-01-31T12:30:00": ("datetime_parsing", "datetime_from_date_parsing"),
    "Input should be a valid time, such as 12:30:00": ("time_parsing",),
    "Input should be a valid duration, such as PT1M30S or 00:01:30": ("time_delta_parsing",),
    "Input should be valid JSON": ("json_invalid",),
    "Input should be true or false": ("bool_type", "bool_parsing"),
    "Input should be a valid integer": ("int_parsing", "int_from_float"),
    "Input should be a valid number": ("float_parsing",),
    "Input should be a valid decimal number": ("decimal_parsing", "decimal_type"),
    "Input should be a list": ("list_type", "tuple_type", "set_type", "frozen_set_type"),
    "Input should be a date, such as 2026-01-31": ("date_type", "date_from_datetime_inexact"),
    "Input should be a date and time, such as 2026-01-31T12:30:00": ("datetime_type",),
    "Input should be a time, such as 12:30:00": ("time_type",),
    "a value is needed": ("missing",),
    "unknown option": ("extra_forbidden", "unknown_option"),
    "Input should be a size, such as 5 MB": ("byte_size", "byte_size_unit"),
    "Input should be null": ("none_required",),
    "Input should be a mapping": ("model_type", "model_attributes_type", "dataclass_type", "dict_type"),
}
_WITHOUT_INPUT = {kind: message for message, kinds in _MESSAGES.items() for kind in kinds}

_AUTHOR = frozenset({"value_error", "assertion_error"})


def is_of_author(line: Mapping[str, Any]) -> bool:
    """Whether a validator of the worker's author speaks, or a library's, which may say anything."""
    return line["type"] in _AUTHOR or line["type"] not in _known_types()


@cache
def _known_types() -> frozenset[str]:
    return frozenset({*_WITHOUT_INPUT, "unreadable", "secret_reference"}).union(get_args(ErrorType))


def message_of(line: Mapping[str, Any]) -> str:
    """The message of one error of a `ValidationError`, on one line."""
    if line["type"] == "union_tag_not_found":
        return f"a value is needed for {line['ctx']['discriminator']}"
    if line["type"] == "union_tag_invalid":
        return f"{line['ctx']['discriminator']} should be one of {line['ctx']['expected_tags']}"
    if line["type"] in _WITHOUT_INPUT:
        return _WITHOUT_INPUT[line["type"]]
    text = str(line["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return printable(text, 300)
