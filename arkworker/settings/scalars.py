"""One text, or one plain value, as the type of its option."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from arkworker.settings.unreadable import UnreadableError

if TYPE_CHECKING:
    from arkworker.settings.dialects import Dialect

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.0*)?")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100  # characters; a longer one fits no type, and takes time to read
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

# What pydantic would take a number in text for: seconds since 1970.
_MOMENTS = {
    dt.date: "a date, such as 2026-01-31",
    dt.datetime: "a date and time, such as 2026-01-31T12:30:00",
    dt.time: "a time, such as 12:30:00",
}


class _Nothing(enum.Enum):
    NOTHING = enum.auto()


#: No value: the text is none of what was asked for.
NOTHING: Final = _Nothing.NOTHING


def text_as(text: str, members: tuple[Any, ...], dialect: Dialect) -> Any:
    """The text as the first of the types that takes it; itself, where strict validation is to refuse it.

    Raises:
        UnreadableError: It would be taken for something else.
    """
    for member in members:
        value = _as_one(text, member, dialect)
        if value is not NOTHING:
            return value
    return checked_moment(text, members)


def _as_one(text: str, member: Any, dialect: Dialect) -> Any:
    kind = get_origin(member) or member
    if kind is bool:
        lowered = text.lower()
        return True if lowered in dialect.true else False if lowered in dialect.false else NOTHING
    if kind is int:
        return _integer(text)
    if kind is float:
        return _number(text)
    choices = choices_of(member)
    if choices:
        return next((choice for written, choice in choices.items() if written == text), NOTHING)
    return text if kind is str else NOTHING


def choices_of(member: Any) -> dict[str, Any]:
    """What may be written for each value of a `Literal` or an `Enum`; empty for all other types."""
    if get_origin(member) is Literal:
        values = list(get_args(member))
    elif isinstance(member, type) and issubclass(member, enum.Enum):
        values = [item.value for item in member]
    else:
        return {}
    written: dict[str, Any] = {}
    for value in (value.value if isinstance(value, enum.Enum) else value for value in values):
        if isinstance(value, bool):
            written |= dict.fromkeys(("true", "yes", "on") if value else ("false", "no", "off"), value)
        elif value is not None:
            written[str(value)] = value
    return written


def _integer(text: str) -> Any:
    if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        return NOTHING
    number = int(text.partition(".")[0])
    return number if _SMALLEST <= number <= _LARGEST else NOTHING


def _number(text: str) -> Any:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return NOTHING
    number = float(text)
    return number if math.isfinite(number) else NOTHING


def checked_moment(text: str, members: tuple[Any, ...]) -> str:
    """Text for a date, a time or a decimal number; pydantic alone reads `20260131` as seconds, `1_0` as 10.

    Raises:
        UnreadableError: It would be taken for something else.
    """
    is_number = _NUMBER.fullmatch(text[:_LONGEST_NUMBER]) is not None
    for member in members:
        if member in _MOMENTS and is_number and str not in members:
            raise UnreadableError(f"Input should be {_MOMENTS[member]}")
        if member is Decimal and not is_number and str not in members:
            raise UnreadableError("Input should be a valid decimal number")
    return text


def checked_data(value: Any, members: tuple[Any, ...]) -> Any:
    """A plain value, with what JSON does not tell apart: 8.0 is 8 for an integer.

    Raises:
        UnreadableError: A number that is not finite or beyond 64 bits where no type refuses it, text that is not
            Unicode, a boolean in place of the number that it equals.
    """
    if isinstance(value, str):
        return checked_moment(checked_text(value), members)
    if isinstance(value, float) and int in members and float not in members and value.is_integer():
        value = int(value)
    _check_choice(value, members)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableError("numbers must be finite")
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST and not _takes_float(members):
        raise UnreadableError("this number does not fit 64 bits")
    return value


def _takes_float(members: tuple[Any, ...]) -> bool:
    return float in members and not any(member in (Any, object) for member in members)


def _check_choice(value: Any, members: tuple[Any, ...]) -> None:
    """Choices are compared by value, where True equals 1."""
    choices = [choice for member in members for choice in choices_of(member).values()]
    equal = [choice for choice in choices if choice == value]
    if equal and not any(isinstance(choice, bool) == isinstance(value, bool) for choice in equal):
        raise UnreadableError(f"Input should be {' or '.join(dict.fromkeys(map(repr, choices)))}")


def checked_text(text: Any) -> Any:
    """The text; anything else as it is.

    Raises:
        UnreadableError: It is not Unicode, as bytes of another encoding in a variable are not.
    """
    if isinstance(text, str):
        with contextlib.suppress(UnicodeEncodeError):
            text.encode()
            return text
        raise UnreadableError("not valid Unicode text", "write it as UTF-8")
    return text
