"""The options that a model declares: one leaf each, with its one name in every place a value can come from."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, BeforeValidator, Discriminator, PlainValidator, RootModel, WrapValidator

from arkworker.options.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

ENVIRONMENT_PREFIX = "ARKINDEX_CONFIG"
#: Keys that mean something else in a configuration file.
RESERVED_KEYS = frozenset({"secrets", "extras_dir", "configuration"})
#: The option that Arkindex reserves: a true one turns on DEBUG, whether the worker declares it or not.
DEBUG = "debug"
#: Marks the type of a field whose value a validator of the author sees first.
LENIENT = object()
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)


class Part(NamedTuple):
    """What a field of a configuration model is: an option, or a group of them.

    Attributes:
        keys: Its path as users write it, `("advanced", "batch_size")`: aliases where there are any.
        names: All dotted names that it may be given by, `name` first: there are more with `AliasChoices`.
        fields: The same path in field names, for the environment and for Python.
        annotation: The type of its value.
        field: What pydantic knows of it.
        default: Its default in code, `PydanticUndefined` where there is none; that of its group's default, if any.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    fields: tuple[str, ...]
    annotation: Any
    field: FieldInfo
    default: Any

    @property
    def name(self) -> str:
        return ".".join(self.keys)

    @property
    def accepts_null(self) -> bool:
        return accepts_null(self.annotation)


class Option(Part):
    """A leaf of a configuration model."""

    __slots__ = ()

    @property
    def variable(self) -> str:
        return "_".join((ENVIRONMENT_PREFIX, *self.fields)).upper()

    @property
    def flag(self) -> str:
        return f"--config.{self.name}"

    @property
    def is_secret(self) -> bool:
        return holds_secret(self.annotation)


class Group(Part):
    """A model in a configuration model."""

    __slots__ = ()


def enumerate_options(model: type[BaseModel]) -> tuple[Option, ...]:
    """All the leaves of a model, in the order of their declaration; nested models are groups."""
    return tuple(part for part in walk(model) if isinstance(part, Option))


def walk(model: type[BaseModel], above: Group | None = None) -> Iterator[Option | Group]:
    """Groups and leaves, each group before what lies in it; `above` is the group that the model is of."""
    for name, field in model.model_fields.items():
        inner, known = group_of(field.annotation), _known(model, name, above)
        if inner is None:
            yield Option(*known)
        else:
            group = Group(*known)
            yield group
            yield from walk(inner, group)


def fields_of(model: type[BaseModel]) -> tuple[Option, ...]:
    """The fields of a model as leaves, also those that are models."""
    return tuple(Option(*_known(model, name, None)) for name in model.model_fields)


def _known(model: type[BaseModel], name: str, above: Group | None) -> Part:
    """What is known of one field, option or group."""
    field = model.model_fields[name]
    own, annotation = keys_of(name, field), annotation_of(model, name, field)
    if above is None:
        return Part(own[:1], own, (name,), annotation, field, default_of(field))
    default = getattr(above.default, name) if isinstance(above.default, model) else default_of(field)
    names = tuple(f"{outer}.{key}" for outer in above.names for key in own)
    return Part((*above.keys, own[0]), names, (*above.fields, name), annotation, field, default)


def annotation_of(model: type[BaseModel], name: str, field: FieldInfo) -> Any:
    """The type of a field with its constraints; marked where a validator of the author comes before it."""
    decorators = model.__pydantic_decorators__.field_validators.values()
    comes_first = any(
        item.info.mode != "after" and (name in item.info.fields or "*" in item.info.fields) for item in decorators
    )
    tags = [Discriminator(field.discriminator)] if isinstance(field.discriminator, str) else [field.discriminator]
    marks = [*field.metadata, *filter(None, tags), *([LENIENT] if comes_first else [])]
    return Annotated[field.annotation, *marks] if marks else field.annotation


def is_lenient(annotation: Any) -> bool:
    """Whether a validator of the author sees a value before its type does, and may make something of it."""
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return any(mark is LENIENT or isinstance(mark, (BeforeValidator, WrapValidator, PlainValidator)) for mark in marks)


def default_of(field: FieldInfo) -> Any:
    """The default in code; `PydanticUndefined` where there is none."""
    if field.default_factory_takes_validated_data:  # refused in a configuration, as it cannot be shown
        return None
    return field.get_default(call_default_factory=True)


def key_of(name: str, field: FieldInfo) -> str:
    """What users write for a field: its alias, else its name."""
    return keys_of(name, field)[0]


def keys_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """All that users may write for a field; the first is its name in reports, and in the schema that pydantic makes."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(choice for choice in alias.choices if isinstance(choice, str)) or (name,)
    return (alias if isinstance(alias, str) else field.alias or name,)


def bare(annotation: Any) -> Any:
    """The annotation without `Annotated`, type aliases and new types around it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":  # `type X = …`, which Python 3.11 does not know
            annotation = annotation.__value__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, without the null; the annotation itself where it is not a union."""
    annotation = bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(
            inner for member in get_args(annotation) if member is not type(None) for inner in alternatives(member)
        )
    return (annotation,)


def accepts_null(annotation: Any) -> bool:
    annotation = bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return any(accepts_null(member) for member in get_args(annotation))
    return annotation in (None, type(None), Any, object) or (
        get_origin(annotation) is typing.Literal and None in get_args(annotation)
    )


def group_of(annotation: Any) -> type[BaseModel] | None:
    """The model of a group: an annotation that is one model, perhaps optional."""
    members = alternatives(annotation)
    if len(members) == 1 and isinstance(members[0], type) and issubclass(members[0], BaseModel):
        return None if issubclass(members[0], RootModel) else members[0]
    return None


def is_secret_type(annotation: Any) -> bool:
    annotation = bare(annotation)
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Secret)


def holds_secret(annotation: Any) -> bool:
    """Whether a `Secret` lies anywhere in the annotation."""
    return any(is_secret_type(part) for part in parts_of(annotation))


def parts_of(annotation: Any, seen: frozenset[type] = frozenset()) -> Iterator[Any]:
    """The annotation and all that it is made of: members, items, fields of models."""
    annotation = bare(annotation)
    yield annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:  # a model may hold itself in a list
            for field in annotation.model_fields.values():
                yield from parts_of(field.annotation, seen | {annotation})
    elif get_origin(annotation) is not typing.Literal:
        for argument in get_args(annotation):
            yield from parts_of(argument, seen)


def is_untyped(member: Any) -> bool:
    """Whether the type says nothing of a value, or of what is in it."""
    containers = (*_LISTS, dict, collections.abc.Mapping)
    return member in (Any, object) or ((get_origin(member) or member) in containers and not get_args(member))


def is_list(member: Any) -> bool:
    """Whether values of the type are several, one after the other."""
    kind = get_origin(member) or member
    return isinstance(kind, type) and issubclass(kind, _LISTS) and not issubclass(kind, str | bytes)


def is_mapping(member: Any) -> bool:
    """Whether values of the type have keys: mappings, models and dataclasses."""
    kind = get_origin(member) or member
    return isinstance(kind, type) and (issubclass(kind, collections.abc.Mapping | BaseModel) or is_dataclass(kind))


def choices_of(members: Iterable[Any]) -> list[Any]:
    """The values of literals and enumerations, in order, as JSON has them."""
    choices: list[Any] = []
    for member in members:
        if get_origin(member) is typing.Literal:
            choices += get_args(member)
        elif isinstance(member, type) and issubclass(member, enum.Enum):
            choices += member
    return [choice.value if isinstance(choice, enum.Enum) else choice for choice in choices if choice is not None]


#: What limits a type, in words.
_WORDS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "multiple_of": "multiple of {}",
    "min_length": "length at least {}",
    "max_length": "length at most {}",
    "max_digits": "at most {} digits",
    "decimal_places": "at most {} decimal places",
}


def constraints_of(metadata: Iterable[Any]) -> Iterator[str]:
    """`at least 0`, `matches [a-z]+` and so on, from what stands beside a type in `Annotated` or `Field`."""
    for constraint in metadata:
        for attribute, words in _WORDS.items():
            value = getattr(constraint, attribute, None)
            if value is not None:
                yield words.format(value)
        pattern = getattr(constraint, "pattern", None)
        if pattern is not None:
            yield f"matches `{getattr(pattern, 'pattern', pattern)}`"
