"""What a partly given group needs besides: the rest of its default, which is an instance of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from arkworker.options.options import accepts_null, default_of, group_of, key_of

if TYPE_CHECKING:
    from pydantic import BaseModel


def complete(tree: dict[str, Any], model: type[BaseModel], instance: BaseModel | None = None) -> None:
    """Add to the given values of a model what validation would not find by itself.

    Args:
        tree: The given values by key; changed.
        model: Their model.
        instance: The default of the group whose model it is, where there is one.
    """
    for name, field in model.model_fields.items():
        key, group = key_of(name, field), group_of(field.annotation)
        own_default = default_of(field)
        default = own_default if instance is None else getattr(instance, name)
        if key not in tree and group and default is PydanticUndefined and not accepts_null(field.annotation):
            tree[key] = {}
        elif key not in tree and instance is not None and default != own_default:
            tree[key] = default
        if group and isinstance(tree.get(key), dict):
            complete(tree[key], group, default if isinstance(default, group) else None)
