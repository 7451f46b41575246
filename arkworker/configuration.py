"""What an ML engineer declares: the options of a worker, as a model that is checked when its class is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pydantic
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from arkworker.errors import DeclarationError
from arkworker.frozen import freeze
from arkworker.options import enumerate_options, group_of, is_secret_type, key_of, parts_of
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from arkworker.options import Option

#: Keys that mean something else in a configuration file.
RESERVED_KEYS = frozenset({"secrets", "extras_dir", "configuration"})


class UserConfiguration(BaseModel):
    """Base of a worker's typed configuration, and of the groups nested in it.

    Frozen to the bottom: lists and dicts become frozen ones. Unknown names are refused with the nearest known one.
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
        use_attribute_docstrings=True,
    )

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        mistakes = list(_mistakes(cls)) if cls.model_fields or cls.__private_attributes__ else []
        if mistakes:
            raise DeclarationError(f"{cls.__qualname__}: " + "; ".join(mistakes))

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_options(cls, data: Any, info: ValidationInfo) -> Any:
        # From Python only: what comes from a file or a payload is reported with its place by the settings.
        if isinstance(data, dict) and info.mode == "python":
            keys = [key_of(name, field) for name, field in cls.model_fields.items()]
            unknown = [str(key) for key in data if key not in keys and key not in cls.model_fields]
            if unknown:
                sentences = [_unknown(key, keys) for key in unknown]
                raise PydanticCustomError("unknown_option", "{names}", {"names": "; ".join(sentences)})
        return data

    @model_validator(mode="after")
    def _freeze(self) -> Self:
        for name, value in self.__dict__.items():
            self.__dict__[name] = freeze(value)
        return self


def _unknown(key: str, known: list[str]) -> str:
    nearest = did_you_mean(key, known)
    return f"unknown option {printable(key, 60)}" + (f"; {nearest}" if nearest else "")


def _mistakes(model: type[UserConfiguration]) -> Iterator[str]:
    """What the author of a configuration must correct."""
    if not model.model_config.get("frozen"):
        yield "a configuration must stay frozen"
    if model.__private_attributes__:
        yield f"private attributes can be changed: {', '.join(model.__private_attributes__)}"
    for name, field in model.model_fields.items():
        yield from (f"{name}: {mistake}" for mistake in _field_mistakes(name, field))
    if _holds_itself(model):
        yield "a group cannot hold itself"
        return
    yield from _collisions(enumerate_options(model))
    yield from _default_mistakes(model)


def _field_mistakes(name: str, field: FieldInfo) -> Iterator[str]:
    if isinstance(field.validation_alias, (AliasChoices, AliasPath)) or field.validation_alias != field.alias:
        yield "an option has one name in all places: use alias"
    if key_of(name, field) in RESERVED_KEYS:
        yield f"{key_of(name, field)} means something else in a configuration file: choose another name, or an alias"
    if field.default_factory_takes_validated_data:
        yield "a default made of other options cannot be shown beforehand: make it a property"
    for part in parts_of(field.annotation):
        secret_types = (pydantic.SecretStr, pydantic.SecretBytes)
        if part in secret_types or (_is_pydantic_secret(part) and not is_secret_type(part)):
            yield "use arkworker.Secret, which is loaded from its reference and never shown"
        if isinstance(part, type) and issubclass(part, BaseModel) and not part.model_config.get("frozen"):
            yield f"{part.__name__} can be changed: derive it from UserConfiguration"


def _is_pydantic_secret(part: Any) -> bool:
    origin = getattr(part, "__origin__", part)
    return isinstance(origin, type) and issubclass(origin, pydantic.Secret)


def _holds_itself(model: type[BaseModel], outer: tuple[type[BaseModel], ...] = ()) -> bool:
    if model in outer:
        return True
    groups = (group_of(field.annotation) for field in model.model_fields.values())
    return any(_holds_itself(group, (*outer, model)) for group in groups if group)


def _collisions(options: tuple[Option, ...]) -> Iterator[str]:
    names: dict[str, Option] = {}
    variables: dict[str, Option] = {}
    for option in options:
        if option.name in names:
            yield f"two options are called {option.name}"
        names[option.name] = option
        other = variables.setdefault(option.variable, option)
        if other is not option:
            yield f"{other.name} and {option.name} would both be read from {option.variable}: rename one"


def _default_mistakes(model: type[UserConfiguration]) -> Iterator[str]:
    """Defaults that their own type refuses; validators of the author may need values that are not there yet."""
    try:
        model.__pydantic_validator__.validate_python({}, strict=True)
    except ValidationError as error:
        for line in error.errors(include_url=False, include_input=False, include_context=False):
            if line["type"] != "missing" and line["loc"]:
                where = ".".join(map(str, line["loc"]))
                yield f"{where}: the default is refused: {line['msg']}"
    except Exception:  # noqa: BLE001 - an author's validator; it will raise again, and be seen, when it has values
        return
