"""The types of what lies inside a value: items of a list, values of a mapping, fields of a model."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import is_typeddict  # pydantic asks for its kind of typed dicts on Python 3.11

from arkworker.options.options import annotation_of, key_of

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.Collection)
_DICTS = (dict, collections.abc.Mapping)


def is_list(member: Any) -> bool:
    return (get_origin(member) or member) in _LISTS or _is_named_tuple(member)


def _is_named_tuple(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, tuple) and hasattr(member, "_fields")


def is_mapping(member: Any) -> bool:
    """Whether a mapping is asked for, be it a dict or something with fields."""
    return (get_origin(member) or member) in _DICTS or has_fields(member)


def has_fields(member: Any) -> bool:
    """Models, dataclasses and typed dicts."""
    kind = get_origin(member) or member
    return isinstance(kind, type) and (
        issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind) or is_typeddict(kind)
    )


def has_only_fields(members: tuple[Any, ...]) -> bool:
    """Whether a mapping can only be something with fields, and none of it takes other names."""
    mappings = [get_origin(member) or member for member in members if is_mapping(member)]
    return bool(mappings) and all(has_fields(kind) and not _takes_other_names(kind) for kind in mappings)


def _takes_other_names(kind: type) -> bool:
    return issubclass(kind, BaseModel) and kind.model_config.get("extra") == "allow"


def item_types(members: tuple[Any, ...], count: int) -> list[Any]:
    """The type of each item of a list of that length; of several lists that it may be, any item's."""
    rows = [_items_of(member, count) for member in members if is_list(member)]
    return [_any_of([row[index] for row in rows]) for index in range(count)]


def _items_of(member: Any, count: int) -> list[Any]:
    types = tuple(typing.get_type_hints(member).values()) if _is_named_tuple(member) else get_args(member) or (Any,)
    if (get_origin(member) is tuple or _is_named_tuple(member)) and types[-1:] != (...,):
        return [*types, *(Any,) * count][:count]
    return [types[0]] * count


def value_types(members: tuple[Any, ...]) -> tuple[dict[str, Any], Any]:
    """The types of a mapping's values by their keys, and that of the values of all other keys."""
    named: dict[str, list[Any]] = {}
    for member in filter(has_fields, members):
        for key, annotation in _fields_of(get_origin(member) or member).items():
            named.setdefault(key, []).append(annotation)
    others = [_value_of(member) for member in members if is_mapping(member) and not has_fields(member)]
    return {key: _any_of([*annotations, *others]) for key, annotations in named.items()}, _any_of(others)


def _fields_of(kind: type) -> dict[str, Any]:
    if issubclass(kind, BaseModel):
        # By name, too: what lies in a list is validated with either.
        fields = kind.model_fields.items()
        return {key: annotation_of(kind, name, field) for name, field in fields for key in (name, key_of(name, field))}
    return typing.get_type_hints(kind, include_extras=True)


def _value_of(member: Any) -> Any:
    types = get_args(member)
    return types[1] if len(types) > 1 else Any


def _any_of(annotations: list[Any]) -> Any:
    if len(annotations) == 1:
        return annotations[0]
    return Union[tuple(annotations)] if annotations else Any  # noqa: UP007 - made at run time
