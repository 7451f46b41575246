"""What pydantic refuses is told with the name that may be meant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import ByteSize, Discriminator, Field, Tag
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


class Cat(UserConfiguration):
    kind: Literal["cat"]
    lives: int = 9


class Dog(UserConfiguration):
    kind: Literal["dog"]
    volume: float = 1.0


class Owner(UserConfiguration):
    pet: Cat | Dog | None = Field(None, discriminator="kind")
    listed: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = Field(default_factory=list)
    called: (
        Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(lambda pet: pet["kind"])]
        | None
    ) = None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pet: {lives: 3}", {"config.pet": "a value is needed for 'kind'"}),
        ("pet: {kind: cow}", {"config.pet": "'kind' should be one of 'cat', 'dog'"}),
        ("pet: {kind: dog, volume: loud}", {"config.pet": "volume: Input should be a valid number"}),
        ("listed: [{kind: cow}]", {"config.listed.0": "'kind' should be one of 'cat', 'dog'"}),
        ("called: {kind: dog, volume: loud}", {"config.called": "volume: Input should be a valid number"}),
    ],
)
def test_tag_of_a_union_chooses_what_is_told(file: str, expected: dict[str, str]) -> None:
    """The other members are not meant, and the tags are named where none fits."""
    assert settle(Owner, file=file).told == expected


def test_mistakes_in_the_member_that_a_tag_chose_have_their_own_places() -> None:
    """Each is a problem, with the line and the column of what is wrong."""
    outcome = settle(
        Owner, file="pet:\n  kind: dog\n  volume: loud\n  lives: 3\nlisted:\n  - kind: cat\n    lives: x\n"
    )

    assert [(problem.path, problem.location, problem.message) for problem in outcome.problems] == [
        ("config.pet", "worker.yml:3:11", "volume: Input should be a valid number"),
        ("config.pet", "worker.yml:4:3", "lives: unknown option"),
        ("config.listed.0", "worker.yml:7:12", "lives: Input should be a valid integer"),
    ]


@pytest.mark.parametrize("size", ["5 s3cr3t", "s3cr3t"])
def test_message_of_pydantic_that_quotes_a_part_of_the_value_is_not_told(size: str) -> None:
    """The unit of a size may be anything."""

    class Sized(UserConfiguration):
        size: ByteSize = ByteSize(1)

    outcome = settle(Sized, environ={"ARKINDEX_CONFIG_SIZE": size})

    assert outcome.told == {"config.size": "Input should be a size, such as 5 MB"}
