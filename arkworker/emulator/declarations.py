"""From a worker's declaration and saved values to the flat list that a worker run is configured with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from arkworker.settings.report.messages import message_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class _Field(BaseModel):
    key: str
    type: str
    children: list[_Field] | None = None


class _Modern(BaseModel):
    slug: str = "worker"
    configuration: list[_Field] | None = None


class _Legacy(BaseModel):
    slug: str = "worker"
    configuration: dict[str, Any] | None = None
    user_configuration: dict[str, dict[str, Any]] | None = None
    secrets: list[str] | None = None


def check(declaration: Mapping[str, Any]) -> None:
    """Refuse a declaration that cannot be configured from; the rules of Arkindex are `arkworker validate`'s.

    Raises:
        ValueError: It has another shape; the message names the place.
    """
    try:
        (_Legacy if is_legacy(declaration) else _Modern).model_validate(declaration)
    except ValidationError as error:
        line = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in line["loc"])
        raise ValueError(f"the declaration's {place}: {message_of(line)}") from None


def is_legacy(declaration: Mapping[str, Any]) -> bool:
    """Whether a declaration is of the generation before Arkindex 1.12, `.arkindex.yml`."""
    return "user_configuration" in declaration or isinstance(declaration.get("configuration"), dict)


def worker(declaration: Mapping[str, Any]) -> dict[str, str]:
    """The slug, the name and the type of the worker, as the API and exports show it."""
    slug = declaration.get("slug", "worker")
    name = declaration.get("display_name") or declaration.get("name") or slug
    return {"name": name, "slug": slug, "type": declaration.get("type", "worker")}


def fields(declaration: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The options of a modern declaration: dotted keys, groups opened."""
    for field in declaration.get("configuration") or ():
        if field.get("type") == "group":
            yield from ((f"{field['key']}.{child['key']}", child) for child in field.get("children") or ())
        else:
            yield field["key"], field


def unknown_keys(declaration: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """The saved values that no option of a modern declaration has the key of."""
    known = {key for key, _ in fields(declaration)}
    return [key for key in values if key not in known]


def configuration(
    declaration: Mapping[str, Any], model: Mapping[str, Any], saved: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every option with its default, under what the model version says, under what users saved."""
    items = []
    for key, field in fields(declaration):
        value = saved.get(key, model.get(key, field.get("default")))
        items.append({"key": key, "value": value, "secret": field.get("type") == "secret"})
    return items
