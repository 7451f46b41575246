"""What a partly given group needs besides: the rest of its default, which is an instance of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.options import accepts_null, default_of, group_of, key_of
from arkworker.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable


def complete(
    tree: dict[str, Any], model: type[BaseModel], keep: Callable[[Secret[Any]], str], instance: BaseModel | None = None
) -> None:
    """Add to the given values of a model what validation would not find by itself.

    Args:
        tree: The given values by key; changed.
        model: Their model.
        keep: Takes a secret of a default; answers what stands for it.
        instance: The default of the group whose model it is, where there is one.
    """
    for name, field in model.model_fields.items():
        key, group = key_of(name, field), group_of(field.annotation)
        own_default = default_of(field)
        default = own_default if instance is None else getattr(instance, name)
        if key not in tree and group and default is PydanticUndefined and not accepts_null(field.annotation):
            tree[key] = {}
        elif key not in tree and instance is not None and default != own_default:
            tree[key] = _jsonable(default, keep)
        if group and isinstance(tree.get(key), dict):
            complete(tree[key], group, keep, default if isinstance(default, group) else None)


def _jsonable(value: Any, keep: Callable[[Secret[Any]], str]) -> Any:
    if isinstance(value, Secret):
        return keep(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {key_of(name, field): _jsonable(getattr(value, name), keep) for name, field in fields}
    if isinstance(value, dict):
        keys = to_jsonable_python(dict.fromkeys(value))
        return {key: _jsonable(item, keep) for key, item in zip(keys, value.values(), strict=True)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_jsonable(item, keep) for item in value]
    return to_jsonable_python(value)
