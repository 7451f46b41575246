"""The file of `--elements-list`, which an instance may give its workers, too: the ids of elements, as JSON."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.text import printable

LARGEST = 256 << 20  # bytes
_SHAPE = "should be a JSON list of objects, each with an id"


class ElementsListError(Exception):
    """It cannot be read.

    Attributes:
        message: Why.
        hint: What to do about it; may be empty.
        place: The file, with line and column where they are known.
    """

    def __init__(self, message: str, path: str, line: int = 0, column: int = 0, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = ":".join([printable(path), *(str(number) for number in (line, column) if number)])


def read_elements_list(path: str) -> list[str]:
    """The ids, in order, in the canonical form of UUIDs.

    Raises:
        ElementsListError: There is no such file, or it holds something else.
    """
    try:
        text = read_text_file(path, max_bytes=LARGEST).text
        data = json.loads(text)
    except TextFileError as error:
        raise ElementsListError(error.reason, path, error.line, error.column, hint=error.hint) from None
    except json.JSONDecodeError as error:
        raise ElementsListError(_SHAPE, path, error.lineno, error.colno) from None
    except (ValueError, RecursionError):
        raise ElementsListError(_SHAPE, path) from None
    if not isinstance(data, list):
        raise ElementsListError(_SHAPE, path)
    return [_id_of(item, position, path, text) for position, item in enumerate(data, 1)]


def _id_of(item: Any, position: int, path: str, text: str) -> str:
    element_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(element_id, str):
        raise ElementsListError(f"item {position} of the list is not an object with an id", path)
    try:
        return str(UUID(element_id))
    except ValueError:
        message = f"item {position} of the list: {printable(element_id, 60)!r} is not the id of an element"
        raise ElementsListError(message, path, *_place_of(element_id, text), hint="ids are UUIDs") from None


def _place_of(value: str, text: str) -> tuple[int, int]:
    """Line and column of the first place of a text in a JSON file; 0 for both where it is written with escapes."""
    position = text.find(f'"{value}"')
    if position < 0:
        return 0, 0
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
