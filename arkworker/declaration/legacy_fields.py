"""The options of users in the former format, `user_configuration`, as fields of the present one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent
from arkworker.declaration.metadata import label_of
from arkworker.declaration.vocabulary import FEWEST_CHOICES, LONGEST_FIELD_NAME, MANY_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[str], None]

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
        note("has no type that is known; was left out")
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
        note(f"its list has no subtype; {of} stands for it")
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
