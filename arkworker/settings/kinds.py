"""What the type of an option says of the shape of its values: lists, mappings, and the types of what is in them."""

from __future__ import annotations

import collections.abc
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from arkworker.options.options import keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
_CONTAINERS = (*_LISTS, dict, collections.abc.Mapping)


def items_with_types(value: Any, members: tuple[Any, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """The steps, values and types of what lies in a list or a mapping; `Any` where no type is known."""
    types: dict[Any, list[Any]] = {}
    for member in members:
        for step, kind in _types_of_items(get_origin(member) or member, get_args(member), value):
            types.setdefault(step, []).append(kind)
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for step, item in items:
        known = types.get(step, [Any])
        yield step, item, known[0] if len(known) == 1 else Union[tuple(known)]  # noqa: UP007 - made at run time


def _types_of_items(kind: Any, arguments: tuple[Any, ...], value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, list) and is_list(kind) and arguments:
        is_fixed = kind is tuple and arguments[-1] is not Ellipsis
        for index in range(len(value)):
            yield index, arguments[min(index, len(arguments) - 1) if is_fixed else 0]
    elif not isinstance(value, dict) or not isinstance(kind, type):
        return
    elif issubclass(kind, collections.abc.Mapping) and len(arguments) == 2:
        yield from ((key, arguments[1]) for key in value)
    elif issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            yield from ((key, info.annotation) for key in {name, *keys_of(name, info)})


def is_untyped(member: Any) -> bool:
    """Whether the type says nothing of a value, or of what is in it."""
    return member in (Any, object) or ((get_origin(member) or member) in _CONTAINERS and not get_args(member))


def is_list(member: Any) -> bool:
    """Whether values of the type are several, one after the other."""
    kind = get_origin(member) or member
    return isinstance(kind, type) and issubclass(kind, _LISTS) and not issubclass(kind, str | bytes)


def is_mapping(member: Any) -> bool:
    """Whether values of the type have keys: mappings, models, dataclasses and their like."""
    kind = get_origin(member) or member
    is_dict = isinstance(kind, type) and issubclass(kind, collections.abc.Mapping)
    return is_dict or (isinstance(kind, type) and (issubclass(kind, BaseModel) or hasattr(kind, "__annotations__")))
