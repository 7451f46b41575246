"""The file of `--elements-list`, which an instance may give its workers, too: the ids of elements, as JSON."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.text import printable

LARGEST = 256 << 20  # bytes
_CANONICAL = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SHAPE = "should be a JSON list of objects, each with an id"


def read_elements_list(path: str) -> list[str]:
    """The ids, in order, in the canonical form of UUIDs.

    Raises:
        TextFileError: There is no such file, or it holds something else.
    """
    text = read_text_file(path, max_bytes=LARGEST).text
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise TextFileError(_SHAPE, error.lineno, error.colno) from None
    except (ValueError, RecursionError):
        raise TextFileError(_SHAPE) from None
    if not isinstance(data, list):
        raise TextFileError(_SHAPE)
    return [_id_of(item, position, text) for position, item in enumerate(data, 1)]


def _id_of(item: Any, position: int, text: str) -> str:
    element_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(element_id, str):
        raise TextFileError(f"item {position} of the list is not an object with an id")
    if _CANONICAL.fullmatch(element_id):  # to parse each takes most of the time of a long list
        return element_id
    try:
        return str(UUID(element_id))
    except ValueError:
        message = f"item {position} of the list: {printable(element_id, 60)!r} is not the id of an element"
        raise TextFileError(message, *_place_of(element_id, text), hint="ids are UUIDs") from None


def _place_of(value: str, text: str) -> tuple[int, int]:
    """Line and column of the first place of a text in a JSON file; 0 for both where it is written with escapes."""
    position = text.find(f'"{value}"')
    if position < 0:
        return 0, 0
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
