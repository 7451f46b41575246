"""What pydantic says, in words that hold nothing of the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Messages of pydantic that quote the input, said without it.
_WITHOUT_INPUT = {
    "uuid_parsing": "Input should be a valid UUID",
    "url_parsing": "Input should be a valid URL",
    "date_parsing": "Input should be a valid date, such as 2026-01-31",
    "date_from_datetime_parsing": "Input should be a valid date, such as 2026-01-31",
    "datetime_parsing": "Input should be a valid datetime, such as 2026-01-31T12:30:00",
    "datetime_from_date_parsing": "Input should be a valid datetime, such as 2026-01-31T12:30:00",
    "time_parsing": "Input should be a valid time, such as 12:30:00",
    "time_delta_parsing": "Input should be a valid duration, such as 90 or PT1M30S",
    "union_tag_invalid": "Input has an unknown tag",
    "json_invalid": "Input should be valid JSON",
    "missing": "a value is needed",
    "extra_forbidden": "unknown option",
    "unknown_option": "unknown option",
    "none_required": "Input should be null",
}

_AUTHOR = ("value_error", "assertion_error")


def message_of(line: Mapping[str, Any], *, is_secret: bool = False) -> str:
    """The message of one error of a `ValidationError`, on one line.

    A validator of the worker's author may say what it likes, except about a secret.
    """
    kind = line["type"]
    if kind in _WITHOUT_INPUT:
        return _WITHOUT_INPUT[kind]
    if kind in _AUTHOR or "error" in line.get("ctx", {}):
        text = str(line["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return "refused by a validator of the worker" if is_secret else printable(text, 300)
    return printable(str(line["msg"]), 300)
