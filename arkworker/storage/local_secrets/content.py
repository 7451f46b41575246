"""What a secret may hold, and what it may be called."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from arkworker.documents.json import JsonError, parse_json
from arkworker.documents.nodes import YamlError, to_python
from arkworker.documents.yaml import parse_yaml
from arkworker.errors import SecretError
from arkworker.text import CONTROLS, printable

LARGEST_CONTENT = 1024 * 1024  # bytes of one secret; characters of one that is a document
LONGEST_NAME = 255  # characters


class UnusableError(Exception):
    """Why a secret, or the file that is to hold it, cannot be used; the message holds none of the content."""


def parse_content(name: str, text: str) -> Any:
    """The data of a `.json`, `.yaml` or `.yml` name, in any case; the text itself for any other name.

    Raises:
        UnusableError: It is not such a document, holds no value or a key twice, or is beyond the limits of documents.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        return text
    value = _parse_json(text) if suffix == ".json" else _parse_yaml(text)
    if value is None:
        raise UnusableError("it is empty")
    return value


def _parse_yaml(text: str) -> Any:
    try:
        node = parse_yaml(text)
        return None if node is None else to_python(node)
    except YamlError as error:
        line = error.line
    # Raised here, not where it was caught: its own words may quote a character or a key.
    raise UnusableError(f"its name says YAML, but it is not valid YAML, or is too large (line {line})")


def _parse_json(text: str) -> Any:
    if len(text) > LARGEST_CONTENT:
        raise UnusableError(f"its name says JSON, but it has more than {LARGEST_CONTENT:,} characters")
    try:
        return parse_json(text.removeprefix("\ufeff"))
    except JsonError as error:
        reason = str(error)
    # Raised here, not where it was caught: the exception holds the document.
    raise UnusableError(f"its name says JSON, but it {reason}")


def check_secret_name(name: str) -> None:
    """Refuse an invalid name, before it becomes a path or a part of a URL.

    Raises:
        SecretError: It is empty, absolute, longer than 255 characters, holds a control character, or has an empty,
            `.` or `..` component.
    """
    # What looks like the content of a secret, put where its name belongs, is not repeated in the message.
    if len(name) > LONGEST_NAME:
        raise SecretError(
            "…", f"a name has at most {LONGEST_NAME} characters: give the name of the secret, not its content"
        )
    if CONTROLS.search(name):
        raise SecretError("…", "a name cannot have control characters: give the name of the secret, not its content")
    if not name:
        raise SecretError(name, "the name is empty")
    if name.startswith("/"):
        raise SecretError(
            printable(name, 60), "a name is relative to the secrets directory; a file is named by file:PATH"
        )
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise SecretError(printable(name, 60), "a name cannot have an empty component, '.' or '..'")
