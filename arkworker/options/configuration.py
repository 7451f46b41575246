"""What an ML engineer declares: the options of a worker, as a model that is checked when its class is created."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError, PydanticUndefined

from arkworker.errors import DeclarationError
from arkworker.frozen import freeze
from arkworker.options.mistakes import mistakes_in
from arkworker.options.options import accepts_null, default_of, group_of, key_of, keys_of
from arkworker.text import printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from pydantic import GetJsonSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

#: Whether the settings validate: they report unknown names themselves, each with its place.
BY_SETTINGS: ContextVar[bool] = ContextVar("arkworker.settings", default=False)


class UserConfiguration(BaseModel):
    """Base of a worker's typed configuration, and of the groups nested in it.

    Frozen at every level: lists and dicts become frozen ones. Unknown names are refused with the nearest known one.
    Descriptions come from `Field(description=…)` or from the docstring under the attribute.

    Raises:
        DeclarationError: When the class is created, for what could never work: a default that its own type refuses,
            two options with one variable name, a group that can be changed.
        pydantic.ValidationError: When a value is refused; its text holds no input.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        validate_by_alias=True,
        validate_by_name=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Looking for docstrings under attributes reads the source: only where a description is missing.
        # Python 3.14 keeps annotations elsewhere, and evaluates them there: then it is always done.
        own = cls.__dict__.get("__annotations__", {"": None})  # noqa: RUF063 - nothing is to be evaluated here
        described = (getattr(cls.__dict__.get(name), "description", None) for name in own)
        cls.model_config["use_attribute_docstrings"] = not all(described)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        mistakes = list(mistakes_in(cls))
        if mistakes:
            raise DeclarationError(f"{cls.__qualname__}: " + "; ".join(mistakes))

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        properties, required = schema["properties"], schema.get("required", [])
        parts = (key_of(name, field) for name, field in cls.model_fields.items() if is_part(field))
        for key in filter(properties.get, parts):
            group = handler.resolve_ref_schema(properties[key])
            if key not in required or not needs_options(group):
                properties[key] = optional_group(properties[key], group)
                required = [other for other in required if other != key]
        return with_all_names(schema | {"required": required}, cls)

    if not TYPE_CHECKING:  # a type checker should complain

        def __getitem__(self, name: object) -> NoReturn:
            where = f".{name}" if isinstance(name, str) and name.isidentifier() else " and its name"
            raise TypeError(f"options of {type(self).__name__} are attributes: write config{where}")

        def __getattr__(self, name: str) -> Any:
            if name in _OF_A_MAPPING:
                raise AttributeError(f"{type(self).__name__} is not a mapping: its options are attributes")
            return super().__getattr__(name)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if BY_SETTINGS.get():
            return completed(data, cls)
        keys = [key for name, field in cls.model_fields.items() for key in keys_of(name, field)]
        unknown = [str(key) for key in data if key not in keys and key not in cls.model_fields]
        if unknown:
            sentences = [with_nearest(f"unknown option {printable(key, 60)}", key, keys) for key in unknown]
            raise PydanticCustomError("unknown_option", "{names}", {"names": "; ".join(sentences)})
        return data

    @model_validator(mode="after")
    def _freeze(self) -> Self:
        for name, value in self.__dict__.items():
            self.__dict__[name] = freeze(value)
        return self


_OF_A_MAPPING = frozenset({"get", "items", "keys", "values"})


def completed(given: dict[str, Any], model: type[BaseModel], instance: BaseModel | None = None) -> dict[str, Any]:
    """What was given, with groups that were not given, and the rest of those whose default is an instance.

    Args:
        given: Values by key.
        model: Their model.
        instance: The default of the group whose model it is, where there is one.
    """
    values = dict(given)
    for name, field in model.model_fields.items():
        group, own = group_of(field.annotation), default_of(field)
        default = own if instance is None else getattr(instance, name)
        keys = keys_of(name, field)
        key = next((one for one in (*keys, name) if one in given), keys[0])
        belongs = is_part(field)
        if belongs and values.get(key) is None:
            values.pop(key, None)
        if key not in values and belongs and default is PydanticUndefined:
            values[key] = {}
        elif key not in values and instance is not None and default != own:
            values[key] = default
        if group and isinstance(values.get(key), dict):
            values[key] = completed(values[key], group, default if isinstance(default, group) else None)
    return values


def with_all_names(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model with all `AliasChoices`, of which pydantic's own knows the first alone.

    It may lack a field (`SkipJsonSchema`), or call fields otherwise (`by_alias=False`, `mode="serialization"`).
    """
    properties, rules = dict(schema["properties"]), list(schema.get("allOf", ()))
    required = list(schema.get("required", ()))
    for name, field in model.model_fields.items():
        first, *others = keys = keys_of(name, field)
        if first in properties:
            properties |= dict.fromkeys(others, properties[first])
        if others and first in required:
            required.remove(first)
            rules.append(given_by(keys))
    changed: dict[str, Any] = {"properties": properties, "allOf": rules, "required": required}
    kept = {key: part for key, part in schema.items() if key not in ("allOf", "required")}
    return kept | {key: part for key, part in changed.items() if part or key == "properties"}


def given_by(keys: Iterable[str]) -> dict[str, Any]:
    """The rule that a field is given, by any of its names."""
    return {"anyOf": [{"required": [key]} for key in keys]}


def needs_options(schema: dict[str, Any]) -> bool:
    """Whether a group must be given, as one of its options must be, by whatever name."""
    return "required" in schema or any(map(_is_of_names, schema.get("allOf", ())))


def _is_of_names(rule: dict[str, Any]) -> bool:
    return all(list(part) == ["required"] for part in rule.get("anyOf", [{}]))


def optional_group(schema: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    """The schema of a group that may be left out: a null is as good, and a default has what its options need."""
    kept = {key: value for key, value in schema.items() if key in ("default", "description", "title")}
    inner = {key: value for key, value in (group if needs_options(group) else schema).items() if key not in kept}
    inner.pop("required", None)
    rules = [rule for rule in inner.pop("allOf", ()) if not _is_of_names(rule)]
    inner |= {"allOf": rules} if rules else {}
    return kept | {"anyOf": [inner, {"type": "null"}]}


def is_part(field: FieldInfo) -> bool:
    """Whether a field is a group that is always there: a null says nothing of it."""
    return group_of(field.annotation) is not None and not accepts_null(field.annotation)
