"""Containers that are still lists, dicts and sets, and cannot be changed; and the model of what Arkindex answers."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict

from arkworker.text import SignedAddress, presentable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    raise TypeError(f"a {type(self).__name__} cannot be changed: make a copy with {type(self).__base__.__name__}(…)")  # type: ignore[union-attr]


class FrozenList(list[Any]):
    """A list that cannot be changed; equal to a list of the same items, and hashable when they are."""

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return FrozenList, (list(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class FrozenDict(dict[Any, Any]):
    """A dict that cannot be changed; equal to a dict of the same items, and hashable when its values are."""

    update = setdefault = pop = popitem = clear = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    if not TYPE_CHECKING:  # a type checker should complain

        def __getattr__(self, name: str) -> NoReturn:
            if name in self:
                raise AttributeError(f"a mapping has items, not attributes: write [{name!r}]")
            told = f"a mapping has items, not attributes, and none of these is named {name!r}"
            raise AttributeError(f"{told}; only options that a worker declares are attributes: Worker[Options]")

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return FrozenDict, (dict(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class FrozenSet(set[Any]):
    """A set that cannot be changed; equal to a set of the same items, and hashable."""

    add = discard = remove = pop = clear = update = _refuse
    difference_update = intersection_update = symmetric_difference_update = _refuse
    __ior__ = __iand__ = __isub__ = __ixor__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return FrozenSet, (list(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


_PLAIN = frozenset({int, float, bool, type(None)})
# Of a storage; what stands in the query opens the file for everybody, for a while.
_SIGNATURE = re.compile(r"[?&](?:x-(?:amz|goog)-\w+|signature|sig|awsaccesskeyid)=", re.IGNORECASE)


def freeze(value: Any) -> Any:
    """The same value, frozen to the bottom: lists, dicts, sets, and what is in tuples, models and dataclasses."""
    if isinstance(value, (FrozenList, FrozenDict, FrozenSet)) or type(value) in _PLAIN:
        return value
    if type(value) is str:
        return SignedAddress(value) if "?" in value and _SIGNATURE.search(value) else value
    if isinstance(value, dict):
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if isinstance(value, (list, set, frozenset)):
        kind = FrozenList if isinstance(value, list) else FrozenSet if isinstance(value, set) else frozenset
        return kind(map(freeze, value))
    if isinstance(value, tuple):
        items = [freeze(item) for item in value]
        return type(value)._make(items) if hasattr(value, "_make") else tuple(items)
    _freeze_fields(value)
    return value


def mark_signed(value: Any) -> Any:
    """Parsed JSON, changed in place: presigned addresses in it are not shown by its `repr`, whoever prints it."""
    if isinstance(value, str):
        return freeze(value)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = mark_signed(item)
    elif isinstance(value, list):
        value[:] = map(mark_signed, value)
    return value


def _freeze_fields(value: Any) -> None:
    """What a frozen model or dataclass holds: it keeps others from replacing it, not from changing it."""
    if isinstance(value, BaseModel):
        for name, item in value.__dict__.items():
            value.__dict__[name] = freeze(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if hasattr(value, field.name):
                object.__setattr__(value, field.name, freeze(getattr(value, field.name)))


class Record(BaseModel):
    """A part of an answer. Fields that are not declared here are kept, frozen, as attributes."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), hide_input_in_errors=True)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 -- pydantic's signature
        object.__setattr__(self, "__pydantic_extra__", freeze(self.__pydantic_extra__))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # nothing in it can change

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """The declared fields that are to be shown, and addresses without their query, which may hold a signature."""
        for name, field in type(self).model_fields.items():
            if field.repr:
                value = getattr(self, name)
                yield name, presentable(value) if isinstance(value, str) else value
