"""A worker's configuration as a Markdown page: each option, its type, default and meaning."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.options.options import Group, Option, Part, alternatives, constraints_of, is_secret_type, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.settings.catalogue import WorkerOptions


def as_markdown(worker: WorkerOptions, description: str = "") -> str:
    """One page: the worker, then a section for each option and group."""
    name = worker.target.rpartition(":")[2]
    lines = [f"# {name}", ""]
    if description:
        lines += [description, ""]
    if worker.configuration is None:
        return "\n".join([*lines, "This worker declares no configuration: it takes any option.", ""])
    lines += ["## Configuration", ""]
    for part in walk(worker.configuration):
        lines += _group(part) if isinstance(part, Group) else _option(part)
    return "\n".join(lines)


def _level(part: Part) -> str:
    """The sign of its heading: one level below that of what it lies in."""
    return "#" * min(2 + len(part.fields), 6)


def _group(group: Group) -> Iterator[str]:
    yield f"{_level(group)} {group.field.title or group.name}"
    yield ""
    if group.field.description:
        yield group.field.description
        yield ""


def _option(option: Option) -> Iterator[str]:
    yield f"{_level(option)} `{option.name}`"
    yield ""
    text = " ".join(filter(None, (_sentence(option.field.title), option.field.description)))
    if text:
        yield text
        yield ""
    yield f"- type: {type_name(option.annotation)}" + (", or null" if option.accepts_null else "")
    for constraint in constraints_of(option.field.metadata):
        yield f"- {constraint}"
    if option.default is PydanticUndefined:
        yield "- required"
    elif option.default is not None:
        shown = "**********" if option.is_secret else json.dumps(to_jsonable_python(option.default), ensure_ascii=False)
        yield f"- default: `{shown}`"
    yield f"- environment: `{option.variable}`"
    yield ""


def _sentence(title: str | None) -> str:
    return f"{title.rstrip('.')}." if title else ""


def type_name(annotation: Any) -> str:
    """A type in the words of a user."""
    return " or ".join(_one_type(member) for member in alternatives(annotation))


_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    dict: "mapping",
    list: "list",
    Any: "anything",
}


def _one_type(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_secret_type(kind):
        return "secret, given by its name, `file:PATH` or `env:NAME`"
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments if value is not None)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(f"`{item.value}`" for item in kind)
    if origin in (list, set, frozenset, tuple) and arguments:
        return f"list of {type_name(arguments[0])}"
    if origin is dict and len(arguments) == 2:
        return f"mapping of {type_name(arguments[0])} to {type_name(arguments[1])}"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))
