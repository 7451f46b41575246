"""What a declaration file says, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
        data: dict[str, Any] = {
            "slug": self.slug,
            "display_name": self.display_name,
            "type": self.type,
            "description": self.description,
        }
        for name in ("gpu_usage", "model_usage"):
            if getattr(self, name) != "disabled":
                data[name] = getattr(self, name)
        docker = {"command": self.docker_command, "shm_size": self.shm_size}
        if any(value is not None for value in docker.values()):
            data["docker"] = {name: value for name, value in docker.items() if value is not None}
        if self.configuration:
            data["configuration"] = [field.as_data() for field in self.configuration]
        return data
