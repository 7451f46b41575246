"""Every public name says what it is: the reference is made of that."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

DOORS = [
    "arkworker",
    "arkworker.arkindex.datasets",
    "arkworker.arkindex.images",
    "arkworker.arkindex.tasks",
    "arkworker.emulator",
    "arkworker.storage.archives",
    "arkworker.storage.cache",
    "arkworker.testing",
]


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class of ours defines itself."""
    for name, member in vars(value).items():
        of_pydantic = name.startswith("model_")
        if not name.startswith("_") and not of_pydantic and isinstance(member, property | classmethod | FunctionType):
            yield name, member


@pytest.mark.parametrize("door", DOORS)
def test_every_public_name_is_documented(door: str) -> None:
    """Functions, classes, and their public methods and properties; an alias of types has nowhere to say it."""
    module = import_module(door)
    public = {name: getattr(module, name) for name in module.__all__}
    named = {name: value for name, value in public.items() if inspect.isclass(value) or inspect.isroutine(value)}
    inner = {
        f"{name}.{member}": value
        for name, kind in named.items()
        if inspect.isclass(kind)
        for member, value in members(kind)
    }

    undocumented = [name for name, value in {**named, **inner}.items() if not (inspect.getdoc(value) or "").strip()]

    assert undocumented == []
