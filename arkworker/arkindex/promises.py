"""What operations promise in their answers, looked at where it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from arkworker.elements.records import first_mistake
from arkworker.errors import ApiContentError

if TYPE_CHECKING:
    from arkworker.errors import ApiResponseError
    from arkworker.frozen import Record

R = TypeVar("R", bound="Record")


def record_of(kind: type[R], operation: str, answer: Any) -> R:
    """An answer as a record; fields that it does not declare are kept.

    Raises:
        ApiContentError: It is not one; names the first field that is wrong, and shows nothing of it.
    """
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        reason = first_mistake(error)
    raise ApiContentError(operation, reason)


def text_of(operation: str, answer: Any, key: str) -> str:
    """A text that an answer must have.

    Raises:
        ApiContentError: It has none.
    """
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        raise ApiContentError(operation, f"{key}: should be a text")
    return value


def address_of(operation: str, answer: Any, key: str) -> str:
    """The web address that an answer must have; it is signed, so that no message shows it.

    Raises:
        ApiContentError: It has none.
    """
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise ApiContentError(operation, f"{key}: should be the address to send the file to")
    return value


def existing_id_of(error: ApiResponseError) -> str | None:
    """The id of the object that exists already, as newer servers (409) and older ones (400 with `id`) name it."""
    if error.status not in (400, 409):
        return None
    return error.existing_id or next((message.detail for message in error.messages if message.field == "id"), None)
