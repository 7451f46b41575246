"""The content of a secret as data, where its name says that it is some."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from arkworker.documents.json import JsonError, parse_json
from arkworker.documents.nodes import YamlError
from arkworker.documents.scalars import to_python
from arkworker.documents.yaml import parse_yaml

LARGEST_DOCUMENT = 1024 * 1024  # characters


class UnparsableError(Exception):
    """The content is not what the name promises; the message holds none of it."""


def parse_content(name: str, text: str) -> Any:
    """The data of a `.json`, `.yaml` or `.yml` name, in any case; the text itself for any other name.

    Raises:
        UnparsableError: It is not such a document, holds no value or a key twice, or is beyond the limits of documents.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        return text
    value = _parse_json(text) if suffix == ".json" else _parse_yaml(text)
    if value is None:
        raise UnparsableError("it is empty")
    return value


def _parse_yaml(text: str) -> Any:
    try:
        node = parse_yaml(text)
        return None if node is None else to_python(node)
    except YamlError as error:
        line = error.line
    # Raised here, not where it was caught: its own words may quote a character or a key.
    raise UnparsableError(f"its name says YAML, but it is not valid YAML, or is too large (line {line})")


def _parse_json(text: str) -> Any:
    if len(text) > LARGEST_DOCUMENT:
        raise UnparsableError(f"its name says JSON, but it has more than {LARGEST_DOCUMENT:,} characters")
    try:
        return parse_json(text.removeprefix("\ufeff"))
    except JsonError as error:
        reason = str(error)
    # Raised here, not where it was caught: the exception holds the document.
    raise UnparsableError(f"its name says JSON, but it {reason}")
