"""One text, or one plain value, as the type of its option."""

from __future__ import annotations

import enum
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_origin

from arkworker.settings.values.kinds import MOMENTS, expectation, takes, takes_anything, values_of
from arkworker.settings.values.unreadable import UnreadableError

if TYPE_CHECKING:
    from arkworker.settings.values.dialects import Dialect

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.0*)?")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100  # characters; a longer one fits no type, and takes time to read
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class _Nothing(enum.Enum):
    NOTHING = enum.auto()


#: No value: the text is none of what was asked for.
NOTHING: Final = _Nothing.NOTHING


def text_as(text: str, members: tuple[Any, ...], dialect: Dialect) -> Any:
    """Plain text as the first of the types that takes it; as it is, where none does.

    Raises:
        UnreadableError: It has the form of a number that does not fit.
    """
    for member in members:
        value = _as_one(text, member, dialect)
        if value is not NOTHING:
            return value
    return text


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
        return choices.get(text, NOTHING)
    return text if kind is str else NOTHING


def choices_of(member: Any) -> dict[str, Any]:
    """What may be written for each value of a `Literal` or an `Enum`; empty for all other types."""
    written: dict[str, Any] = {}
    for value in values_of(member):
        if isinstance(value, bool):
            written |= dict.fromkeys(("true", "yes", "on") if value else ("false", "no", "off"), value)
        elif value is not None:
            written[str(value)] = value
    return written


def _integer(text: str) -> Any:
    if not _INTEGER.fullmatch(text[: _LONGEST_NUMBER + 1]):
        return NOTHING
    number = 2**64 if len(text) > _LONGEST_NUMBER else int(text.partition(".")[0])
    if not _SMALLEST <= number <= _LARGEST:
        raise UnreadableError("this number does not fit 64 bits")
    return number


def _number(text: str) -> Any:
    if not _NUMBER.fullmatch(text[: _LONGEST_NUMBER + 1]):
        return NOTHING
    number = math.inf if len(text) > _LONGEST_NUMBER else float(text)
    if not math.isfinite(number):
        raise UnreadableError("this number does not fit 64 bits")
    return number


def checked(value: Any, members: tuple[Any, ...], *, lenient: bool) -> Any:
    """A plain value, if one of the types takes its kind; 8.0 is 8 for an integer, which JSON does not tell apart.

    Args:
        value: Text, a number, a boolean or None.
        members: The types that it may be.
        lenient: Whether a validator of the author, which comes first, is to judge the kind.

    Raises:
        UnreadableError: It is of another kind, not finite, beyond 64 bits, not Unicode.
    """
    if isinstance(value, float) and int in members and float not in members and value.is_integer():
        value = int(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableError("numbers must be finite")
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST and not _takes_large(members):
        raise UnreadableError("this number does not fit 64 bits")
    if isinstance(value, str):
        checked_text(value)
    if lenient or any(map(takes_anything, members)):
        return value
    takers = [member for member in members if takes(member, value)]
    if not takers or (isinstance(value, str) and not any(_is_safe(value, member) for member in takers)):
        raise UnreadableError(expectation(members))
    return value


def _takes_large(members: tuple[Any, ...]) -> bool:
    return not any(map(takes_anything, members)) and (float in members or Decimal in members)


def _is_safe(text: str, member: Any) -> bool:
    """Whether pydantic takes a text for what it says: `20260131` is no date, `1_0` no decimal number."""
    if member in MOMENTS:
        return not _NUMBER.fullmatch(text[:_LONGEST_NUMBER])
    return member is not Decimal or bool(_NUMBER.fullmatch(text[: _LONGEST_NUMBER + 1]))


def checked_text(text: str) -> str:
    """The text.

    Raises:
        UnreadableError: It is not Unicode, as bytes of another encoding in a variable are not.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        valid = False
    else:
        valid = True
    if not valid:
        raise UnreadableError("not valid Unicode text", "write it as UTF-8")
    return text
