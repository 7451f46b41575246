"""Workers of the former format, `.arkindex.yml`, and the options of their users, in the words of the present one."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent, WorkerContent
from arkworker.declaration.generation import Draft, is_plain
from arkworker.declaration.metadata import label_of
from arkworker.declaration.vocabulary import FEWEST_CHOICES, LONGEST_FIELD_NAME, MANY_TYPES, SHM_SIZE
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[str], None]


_KNOWN = (
    *("name", "slug", "type", "description", "gpu_usage", "model_usage", "docker"),
    *("configuration", "secrets", "user_configuration"),
)
_MAPPINGS = ("docker", "configuration", "user_configuration")
_ENDINGS = re.compile(r"\.(json|ya?ml|txt|toml|ini|key|pem)$")


@dataclass(slots=True)
class LegacyWorker:
    """One worker of the former format.

    Attributes:
        data: Its mapping.
        read: Gives the text of a file beside the declaration; None where it cannot.
        notes: What has no counterpart, or was changed; grows while the worker is converted.
    """

    data: dict[str, Any]
    read: Callable[[str], str | None]
    notes: list[str] = field(default_factory=list)

    def convert(self) -> Draft:
        name = _text(self.data.get("name"))
        constants: dict[str, Any] = {}
        users = self._users()
        fields = [*self._statics(users, constants), *users.values(), *self._secrets()]
        command, size = self._docker()
        for key, value in self.data.items():
            if key not in _KNOWN and value is not None:
                self._note(key, "has no counterpart and was left out")
            elif key in _MAPPINGS and value is not None and not isinstance(value, dict):
                self._note(key, "should be a mapping; was left out")
        content = WorkerContent(
            slug=_text(self.data.get("slug")),
            display_name=name,
            type=_text(self.data.get("type")),
            description=self._description() or name,
            gpu_usage=self._usage("gpu_usage"),
            model_usage=self._usage("model_usage"),
            docker_command=command,
            shm_size=size,
            configuration=tuple(fields),
        )
        return Draft(content, constants)

    def _note(self, where: str, message: str) -> None:
        self.notes.append(f"{printable(_text(self.data.get('slug')), 60)}: {printable(where, 80)}: {message}")

    def _description(self) -> str:
        path = self.data.get("description")
        if path is None:
            return ""
        text = self.read(path) if isinstance(path, str) else None
        if not (text or "").strip():
            self._note("description", "the file cannot be read, or is empty; the name of the worker is used instead")
        return (text or "").strip()

    def _usage(self, name: str) -> str:
        value = self.data.get(name)
        if isinstance(value, bool):
            usage = "required" if value else "disabled"
            self._note(name, f"was {str(value).lower()}; {usage} is used instead")
            return usage
        return _text(value) or "disabled"

    def _docker(self) -> tuple[str | None, str | None]:
        docker = self._mapping("docker")
        for key in docker:
            if key not in ("command", "shm_size") and docker[key] is not None:
                is_image = key in ("build", "context", "image")
                reason = "the image is given when the worker is imported" if is_image else "it has no counterpart"
                self._note(f"docker.{key}", f"was left out: {reason}")
        command = docker.get("command")
        return None if command is None else _text(command), self._size(docker.get("shm_size"))

    def _size(self, value: Any) -> str | None:
        if value is None:
            return None
        size = f"{value}b" if isinstance(value, int) else _text(value).strip().lower()
        if SHM_SIZE.fullmatch(size):
            return size
        self._note("docker.shm_size", "is not a size; was left out: write it like 512m or 8g")
        return None

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self.data.get(name)
        return value if isinstance(value, dict) else {}

    def _users(self) -> dict[str, FieldContent]:
        found = {}
        for key, value in self._mapping("user_configuration").items():
            converted = user_field(key, value, partial(self._note, f"user_configuration.{key}"))
            if converted is not None:
                found[key] = converted
        return found

    def _statics(self, users: dict[str, FieldContent], constants: dict[str, Any]) -> list[FieldContent]:
        """The fixed values as fields that cannot be edited; what has no type there stays in code."""
        fields = []
        for key, value in self._mapping("configuration").items():
            plain = self._plain(f"configuration.{key}", value)
            if not is_plain(plain):
                self._note(f"configuration.{key}", "is not finite; was left out")
            elif key in users:
                self._note(f"configuration.{key}", "users may set it, under user_configuration; that one counts")
            elif (converted := static_field(key, plain)) is not None:
                fields.append(converted)
            else:
                self._note(f"configuration.{key}", "has no type on Arkindex; it is kept in code, as NotDeclared")
                constants[key] = plain
        return fields

    def _plain(self, where: str, value: Any) -> Any:
        """Dates and what YAML else makes of text, as text."""
        if isinstance(value, dict):
            return {key: self._plain(where, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(where, item) for item in value]
        if isinstance(value, (dt.date, bytes)):
            self._note(where, "was not text, a number or a boolean; it is text now")
            return value.isoformat() if isinstance(value, dt.date) else value.decode(errors="replace")
        return value

    def _secrets(self) -> list[FieldContent]:
        names = self.data.get("secrets") or []
        taken = {*self._mapping("user_configuration"), *self._mapping("configuration")}
        fields = []
        for name in map(_text, names if isinstance(names, list) else [names]):
            key = _ENDINGS.sub("", PurePosixPath(name).name) or "secret"
            while key in taken:
                key += "_secret"
            taken.add(key)
            fields.append(
                FieldContent(key, label_of(key), "secret", help_text=f"Was the secret {name}.", required=True)
            )
            self._note(f"secrets.{name}", f"is the option {key} now: users choose a secret for it")
        return fields


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def static_field(key: str, value: Any) -> FieldContent | None:
    """A fixed value as a field that cannot be edited, a mapping of them as a group; None where it has no type."""
    kind = static_type(value)
    label = label_of(key)
    if kind is not None:
        return FieldContent(key, label, kind, default=value, many=isinstance(value, list), editable=False)
    if not isinstance(value, dict):
        return None
    children = [static_field(inner, item) for inner, item in value.items()]
    if any(child is None or child.type == "group" for child in children):
        return None
    return FieldContent(key, label, "group", children=tuple(child for child in children if child is not None))


def static_type(value: Any) -> str | None:
    """The type on the form of a fixed value; None where it has none, as null, mixed lists and mappings with parts."""
    if isinstance(value, list):
        kinds = {static_type(item) for item in value} or {"string"}
        if kinds == {"int", "float"}:
            return "float"
        kind = kinds.pop() if len(kinds) == 1 else None
        return "string" if kind == "text" else kind if kind in ("int", "float", "string") else None
    if isinstance(value, dict):
        return "dict" if all(isinstance(item, str) for item in value.values()) and "" not in value else None
    if isinstance(value, str):
        return "text" if "\n" in value else "string"
    names = ((bool, "bool"), (int, "int"), (float, "float"))
    return next((name for of, name in names if isinstance(value, of)), None)


_ATTRIBUTES = ("title", "type", "required", "default", "choices", "subtype", "multiline", "help_text")
_TYPES = ("int", "float", "string", "bool", "enum", "list", "dict", "model", "text", "secret")


def user_field(key: str, data: Any, note: Note) -> FieldContent | None:
    """One option; None, with a note, where it cannot be understood.

    Args:
        key: Its name.
        data: Its mapping.
        note: Takes what was changed or left out.
    """
    if not isinstance(data, dict) or data.get("type") not in _TYPES:
        note("has no known type; was left out")
        return None
    for name in data:
        if name not in _ATTRIBUTES and data[name] is not None:
            note(f"{name} has no counterpart; was left out")
    label, help_text = _label(key, data)
    of, many = _type(data, note)
    choices = _choices(data, note) if of == "enum" else ()
    if of == "enum" and len(choices) < FEWEST_CHOICES:
        note("an enum needs two choices; it is a string now")
        of, choices = "string", ()
    default = _default(data.get("default"), of, choices, note, many=many)
    return FieldContent(
        key, label, of, help_text, default, many=many, required=data.get("required") is True, choices=choices
    )


def _label(key: str, data: dict[str, Any]) -> tuple[str, str]:
    """A long title is a help text."""
    title, help_text = str(data.get("title") or ""), str(data.get("help_text") or "")
    if not title.strip():
        return label_of(key), help_text
    if len(title) <= LONGEST_FIELD_NAME and "\n" not in title:
        return title, help_text
    return key, "\n\n".join(filter(None, (title, help_text)))


def _type(data: dict[str, Any], note: Note) -> tuple[str, bool]:
    if data["type"] == "string" and data.get("multiline") is True:
        return "text", False
    if data["type"] != "list":
        return data["type"], False
    subtype = data.get("subtype")
    if subtype in MANY_TYPES:
        return subtype, True
    if subtype is None:
        default = data.get("default")
        items = default if isinstance(default, list) else []
        of = "string" if not items or isinstance(items[0], str) else "int"
        of = "float" if any(isinstance(item, float) for item in items) else of
        note(f"its list has no subtype; {of} is used instead")
        return of, True
    note(f"Arkindex has no lists of {subtype}; it is a list of strings now")
    return "string", True


def _choices(data: dict[str, Any], note: Note) -> tuple[str, ...]:
    choices = data.get("choices")
    if not isinstance(choices, list):
        return ()
    texts = tuple(dict.fromkeys(map(as_text, choices)))
    if len(texts) < len(choices) or not all(isinstance(choice, str) for choice in choices):
        note("its choices are text now, each once")
    return texts


def as_text(value: Any) -> str:
    """A scalar as a person writes it in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(value: Any, of: str, choices: tuple[str, ...], note: Note, *, many: bool) -> Any:
    if value is None:
        return None
    if many and isinstance(value, list):
        items = [_converted(item, of, choices) for item in value]
        converted = None if None in items else items
    else:
        converted = None if many else _converted(value, of, choices)
    if converted is None:
        note("its default is not of its type; was left out")
    elif converted != value:
        note("its default was changed to its type")
    return converted


def _converted(value: Any, of: str, choices: tuple[str, ...]) -> Any:
    """The value as the type has it, where nothing is lost; else None."""
    if of in ("string", "text"):
        return as_text(value) if isinstance(value, (str, int, float)) else None
    if of == "enum":
        text = as_text(value)
        return text if text in choices else None
    if of == "bool":
        return value if isinstance(value, bool) else None
    if of in ("int", "float"):
        return _number(value, of)
    if of == "dict" and isinstance(value, dict):
        pairs = {key: as_text(item) for key, item in value.items() if isinstance(item, (str, int, float))}
        return pairs if len(pairs) == len(value) and "" not in pairs else None
    return None


def _number(value: Any, of: str) -> float | None:
    try:
        number = float(value)
        if isinstance(value, bool) or not math.isfinite(number):
            return None
        if of == "float":
            return number
        return int(value) if not isinstance(value, float) or value.is_integer() else None
    except (ValueError, TypeError, OverflowError):
        return None
