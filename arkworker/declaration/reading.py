"""From a declaration file to what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent, WorkerContent
from arkworker.declaration.rules import LIMITS, validate
from arkworker.declaration.values import arkindex_value
from arkworker.documents.nodes import Scalar, Sequence
from arkworker.documents.yaml import read_yaml
from arkworker.errors import ConfigurationError

if TYPE_CHECKING:
    from arkworker.documents.nodes import Node
    from arkworker.documents.text_file import TextFile


def read_declaration(file: TextFile) -> WorkerContent:
    """What a declaration file says.

    Raises:
        ConfigurationError: With every problem that Arkindex would find in it.
    """
    problems = validate(file)
    if problems:
        raise ConfigurationError(problems)
    root, _ = read_yaml(file.text, LIMITS, json_pairs=False)
    return worker_content(as_plain(root))


def as_plain(node: Node | None) -> Any:
    """Plain data as Arkindex reads it.

    Raises:
        UnreadableError: A scalar that cannot be read at all.
    """
    if node is None:
        return None
    if isinstance(node, Scalar):
        return arkindex_value(node)
    if isinstance(node, Sequence):
        return [as_plain(item) for item in node.items]
    return {entry.key.text: as_plain(entry.value) for entry in node.entries}


def worker_content(data: dict[str, Any]) -> WorkerContent:
    """A declaration from data that passed the rules."""
    docker = data.get("docker") or {}
    return WorkerContent(
        slug=data["slug"].strip(),
        display_name=data["display_name"],
        type=data["type"],
        description=data["description"].strip(),
        gpu_usage=data.get("gpu_usage") or "disabled",
        model_usage=data.get("model_usage") or "disabled",
        docker_command=docker.get("command"),
        shm_size=docker.get("shm_size"),
        configuration=_fields(data.get("configuration")),
    )


def _fields(data: list[dict[str, Any]] | None) -> tuple[FieldContent, ...]:
    return tuple(_field(field) for field in data or ())


def _field(data: dict[str, Any]) -> FieldContent:
    of = data["type"]
    return FieldContent(
        key=data["key"],
        display_name=data["display_name"],
        type=of,
        help_text=data.get("help_text") or "",
        default=_default(data.get("default"), of),
        many=data.get("many") is True,
        editable=data.get("editable", True) is True,
        required=data.get("required") is True,
        choices=tuple(data["choices"]) if of == "enum" else (),
        children=_fields(data.get("children")) if of == "group" else (),
    )


def _default(value: Any, of: str) -> Any:
    """A default as the type has it: Arkindex takes an integer for a float, and a boolean for both."""
    if isinstance(value, list):
        return [_default(item, of) for item in value]
    numbers = {"int": int, "float": float}
    return numbers[of](value) if of in numbers and value is not None else value
