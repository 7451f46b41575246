"""What a declaration file says, as plain values: read from YAML, and written as YAML.

It is always the same text for the same content, with no string that YAML 1.1 takes for another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from arkworker.declaration.checks import arkindex_value
from arkworker.declaration.rules import MOST_ALIASES, validate
from arkworker.documents.nodes import Scalar, Sequence
from arkworker.documents.yaml import read_yaml
from arkworker.errors import ConfigurationError

if TYPE_CHECKING:
    from arkworker.documents.nodes import Node
    from arkworker.documents.text_file import TextFile


@dataclass(frozen=True, slots=True)
class FieldContent:
    """One field of the form that users fill in.

    Attributes:
        key: Its name, unique among its siblings.
        display_name: Its label.
        type: One of `vocabulary.FIELD_TYPES`.
        help_text: A longer explanation; may be empty.
        default: A value of the type, a list of them with `many`, or None.
        many: Whether the value is a list.
        editable: Whether users may change it.
        required: Whether users must give a value.
        choices: Those of an `enum`.
        children: The fields of a `group`.
    """

    key: str
    display_name: str
    type: str
    help_text: str = ""
    default: Any = None
    many: bool = False
    editable: bool = True
    required: bool = False
    choices: tuple[str, ...] = ()
    children: tuple[FieldContent, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """The mapping of the file, without what goes without saying."""
        data: dict[str, Any] = {"key": self.key, "display_name": self.display_name}
        if self.help_text:
            data["help_text"] = self.help_text
        data["type"] = self.type
        data |= {name: True for name in ("required", "many") if getattr(self, name)}
        if not self.editable:
            data["editable"] = False
        if self.default is not None or not self.editable:
            data["default"] = self.default
        if self.choices:
            data["choices"] = list(self.choices)
        if self.children:
            data["children"] = [child.as_data() for child in self.children]
        return data


@dataclass(frozen=True, slots=True)
class WorkerContent:
    """One declaration file.

    Attributes:
        slug: What identifies the worker: 1 to 100 letters, digits, `-` and `_`.
        display_name: What users see, at most 100 characters.
        type: A free category.
        description: Markdown, without white space around it.
        gpu_usage: `disabled`, `supported` or `required`.
        model_usage: The same.
        docker_command: The command line of the container; None for that of the image.
        shm_size: The size of `/dev/shm`, such as `8g`; None for that of Docker.
        configuration: The fields, in order.
    """

    slug: str
    display_name: str
    type: str
    description: str
    gpu_usage: str = "disabled"
    model_usage: str = "disabled"
    docker_command: str | None = None
    shm_size: str | None = None
    configuration: tuple[FieldContent, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """The mapping of the file, without what goes without saying."""
        docker = {"command": self.docker_command, "shm_size": self.shm_size}
        names = "slug", "display_name", "type", "description"
        optional = {
            "gpu_usage": self.gpu_usage,
            "model_usage": self.model_usage,
            "docker": {name: value for name, value in docker.items() if value is not None},
            "configuration": [field.as_data() for field in self.configuration],
        }
        given = {name: value for name, value in optional.items() if value not in ("disabled", {}, [])}
        return {name: getattr(self, name) for name in names} | given


def read_declaration(file: TextFile) -> WorkerContent:
    """What a declaration file says.

    Raises:
        ConfigurationError: With every problem that Arkindex would find in it.
    """
    problems = validate(file)
    if problems:
        raise ConfigurationError(problems)
    root, _ = read_yaml(file.text, most_aliases=MOST_ALIASES, json_pairs=False)
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


#: Plain text that PyYAML takes for text, and other readers do not: YAML 1.2 numbers, and the short booleans of 1.1.
_AMBIGUOUS = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN]")
#: Line breaks to YAML 1.1, which only double quotes keep.
_BREAKS = "\r\x85\u2028\u2029"


class _Dumper(yaml.SafeDumper):
    """Block style; no anchors, since a reader would have to follow them."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """How to write a text; where that is not possible, or not said, PyYAML quotes what needs quotes."""
    if any(character in text for character in _BREAKS):
        return '"'
    if "\n" in text:
        return "|"
    return "'" if _AMBIGUOUS.fullmatch(text) else None


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(content: WorkerContent) -> str:
    """The declaration file of a worker."""
    return dump(content.as_data())


def dump(data: dict[str, Any]) -> str:
    """Plain data as YAML."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10**6
    )
    return text
