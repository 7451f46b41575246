"""Python types as types of Arkindex's form."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, TypeAdapter
from pydantic.fields import FieldInfo

from arkworker.declaration.metadata import Control, FormRule
from arkworker.declaration.vocabulary import FEWEST_CHOICES, MANY_TYPES
from arkworker.options.options import choices_of, constraints_of, is_secret_type

_LISTS = (list, tuple, set, frozenset, Sequence, AbstractSet)
_MAPPINGS = (dict, Mapping)
_BY_SCHEMA = {
    frozenset({"string"}): "string",
    frozenset({"integer"}): "int",
    frozenset({"number"}): "float",
    frozenset({"integer", "number"}): "float",
    frozenset({"boolean"}): "bool",
}

_FORMATS = {
    "uuid": "a UUID",
    "uri": "a URL",
    "email": "an e-mail address",
    "date": "a date, such as 2024-01-31",
    "date-time": "a time, such as 2024-01-31T12:00:00Z",
    "time": "a time of day, such as 12:00:00",
    "duration": "a duration, such as PT30S",
}


class InexpressibleError(Exception):
    """Arkindex has no type for it.

    Attributes:
        reason: Why.
        hint: What to write instead.
    """

    def __init__(self, reason: str, hint: str) -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(reason, hint)


@dataclass(frozen=True, slots=True)
class Expression:
    """A Python type on the form.

    Attributes:
        type: One of `vocabulary.FIELD_TYPES`, but for `group`.
        many: Whether it is a list of them.
        choices: Those of an `enum`.
        limits: What the form cannot check, in words.
    """

    type: str
    many: bool = False
    choices: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def unwrap(annotation: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The types that a value may have, null aside, and what stands beside them in `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        kinds, more = unwrap(inner)
        own = (part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else (item,)))
        return kinds, (*more, *own)
    if origin in (Union, types.UnionType):
        parts = [unwrap(member) for member in get_args(annotation) if member is not type(None)]
        return tuple(kind for kinds, _ in parts for kind in kinds), tuple(item for _, more in parts for item in more)
    if isinstance(annotation, typing.NewType) or type(annotation).__name__ == "TypeAliasType":
        return unwrap(annotation.__supertype__ if isinstance(annotation, typing.NewType) else annotation.__value__)
    return (annotation,), ()


def rules_of(annotation: Any) -> frozenset[FormRule]:
    """Who may set an option of this type."""
    return frozenset(item for item in unwrap(annotation)[1] if isinstance(item, FormRule))


def express(annotation: Any) -> Expression:
    """The type on the form of an option that is not a group.

    Raises:
        InexpressibleError: There is none.
    """
    kinds, metadata = unwrap(annotation)
    limits = tuple(constraints_of(metadata))
    controls = [item.type for item in metadata if isinstance(item, Control)]
    if controls:
        return Expression(controls[-1], limits=limits)
    if all(map(_is_choice, kinds)):
        return _choices(kinds, limits)
    kind, origin = kinds[0], get_origin(kinds[0]) or kinds[0]
    if len(kinds) == 1 and is_secret_type(kind):
        return Expression("secret", limits=limits)
    if len(kinds) == 1 and origin in _LISTS:
        return _list(kind, limits)
    if len(kinds) == 1 and origin in _MAPPINGS:
        return _mapping(kind, limits)
    return _plain(kinds, limits)


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum))


def _choices(kinds: tuple[Any, ...], limits: tuple[str, ...]) -> Expression:
    choices = list(dict.fromkeys(choices_of(kinds)))
    if not all(isinstance(choice, str) for choice in choices):
        raise InexpressibleError("choices on Arkindex are text", "make them text, such as Literal['1', '2']")
    if len(choices) < FEWEST_CHOICES:
        raise InexpressibleError("an enum on Arkindex has two choices or more", "make it a str that is NotEditable")
    return Expression("enum", choices=tuple(choices), limits=limits)


def _list(kind: Any, limits: tuple[str, ...]) -> Expression:
    arguments = get_args(kind)
    is_fixed = get_origin(kind) is tuple and arguments[-1:] != (Ellipsis,)
    items = {express(argument) for argument in arguments if argument is not Ellipsis} or {express(Any)}
    if len(items) > 1:
        raise InexpressibleError("items of a list on Arkindex have one type", "make each of them an option")
    item = items.pop()
    if is_fixed:
        limits = (*limits, f"exactly {len(arguments)} values")
    if issubclass(get_origin(kind) or kind, AbstractSet):
        limits = (*limits, "no value twice")
    limits = (*limits, *(f"each {limit}" for limit in item.limits))
    if item.type == "enum":
        return Expression("string", many=True, limits=(*limits, f"each one of {', '.join(item.choices)}"))
    if item.many or item.type not in MANY_TYPES:
        words = "lists" if item.many else f"values of type {item.type}"
        raise InexpressibleError(f"Arkindex has no lists of {words}", f"it has lists of {', '.join(MANY_TYPES)}")
    return Expression(item.type, many=True, limits=limits)


def _mapping(kind: Any, limits: tuple[str, ...]) -> Expression:
    """Arkindex holds text under text; the settings read it by the types in code."""
    key, value = get_args(kind) or (Any, Any)
    keys, values = _inside(express(key)), _inside(express(value))
    if keys.many or values.many or {keys.type, values.type} & {"dict", "secret", "group"}:
        raise InexpressibleError("a dict on Arkindex holds text", "make it a group, or a list")
    limits = (*limits, *(f"each key {limit}" for limit in keys.limits))
    if values.type in ("int", "float", "bool"):
        words = {"int": "an integer", "float": "a number", "bool": "true or false"}[values.type]
        limits = (*limits, f"each value {words}")
    return Expression("dict", limits=(*limits, *(f"each value {limit}" for limit in values.limits)))


def _inside(expression: Expression) -> Expression:
    """What is inside a dict: choices become words."""
    choices = expression.choices
    limit = (f"one of {', '.join(choices)}",) if choices else ()
    return replace(expression, limits=(*expression.limits, *limit))


def _plain(kinds: tuple[Any, ...], limits: tuple[str, ...]) -> Expression:
    """A type that is written as text, number or boolean, which its JSON schema tells."""
    schemas = [schema for kind in kinds for schema in _schemas(kind)]
    found = frozenset(schema.get("type", "anything") for schema in schemas)
    of = "string" if kinds == (Decimal,) else _BY_SCHEMA.get(found)
    if of is None:
        raise _inexpressible(kinds)
    formats = [_FORMATS[schema["format"]] for schema in schemas if schema.get("format") in _FORMATS]
    return Expression(of, limits=(*limits, *formats))


def _schemas(kind: Any) -> list[dict[str, Any]]:
    """The JSON schemas that a type may have; an empty one where it has none."""
    try:
        schema = TypeAdapter(kind).json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return [{}]
    return list(schema.get("anyOf", [schema]))


def _inexpressible(kinds: tuple[Any, ...]) -> InexpressibleError:
    keep = "give it a default and annotate it with NotDeclared to keep it off Arkindex"
    if len(kinds) > 1:
        return InexpressibleError("an option on Arkindex has one type", f"choose one, or {keep}")
    if isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
        return InexpressibleError("Arkindex has groups of options, but no values with parts", keep)
    return InexpressibleError(f"Arkindex has no type for {getattr(kinds[0], '__name__', kinds[0])}", keep)
