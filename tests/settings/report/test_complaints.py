"""What pydantic refuses is told with the name that may be meant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field
from resolving import settle

from arkworker import UserConfiguration


class Part(UserConfiguration):
    name: str = ""


class Box(UserConfiguration):
    parts: list[Part] = Field(default_factory=list)


class Configuration(UserConfiguration):
    box: Box = Box()
    parts: list[Part] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("parts", [{"nam": "x"}], "config.parts.0.nam"),
        ("box", {"parts": [{"name": "x"}, {"nam": "x"}]}, "config.box.parts.1.nam"),
    ],
    ids=["item", "item in a group"],
)
def test_name_inside_a_list_of_the_platform_is_suggested(key: str, value: Any, path: str) -> None:
    """The items of a list are models, too: the nearest of their names is told."""
    outcome = settle(Configuration, items=[{"key": key, "value": value, "secret": False}])

    assert outcome.told == {path: "unknown option; did you mean name?"}
