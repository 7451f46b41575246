"""The options of a model: one name each, in every place a value can come from."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, WrapValidator, field_validator
from pydantic_core import PydanticUndefined

from arkworker import Secret, UserConfiguration
from arkworker.options.options import (
    Group,
    Option,
    accepts_null,
    alternatives,
    enumerate_options,
    group_of,
    holds_secret,
    is_lenient,
    parts_of,
    walk,
)

Name = NewType("Name", str)


class Colour(enum.Enum):
    RED = "red"


class Inner(UserConfiguration):
    batch_size: int = 4
    rate: float


class Advanced(UserConfiguration):
    inner: Inner = Inner(rate=0.5)
    depth: int = Field(3, alias="how-deep")


class Configuration(UserConfiguration):
    threshold: float = 0.5
    advanced: Advanced = Advanced(inner=Inner(batch_size=8, rate=0.25))
    extra: Inner | None = None
    needed: str


def option(name: str) -> Option:
    return next(option for option in enumerate_options(Configuration) if option.name == name)


def test_options_are_the_leaves_in_order() -> None:
    """Groups are walked where they are declared; an alias is the name."""
    names = [option.name for option in enumerate_options(Configuration)]

    assert names == [
        "threshold",
        "advanced.inner.batch_size",
        "advanced.inner.rate",
        "advanced.how-deep",
        "extra.batch_size",
        "extra.rate",
        "needed",
    ]


def test_groups_come_before_what_lies_in_them() -> None:
    """A walk meets a group, then its parts."""
    names = [(type(part), part.name) for part in walk(Configuration)][1:4]

    assert names == [(Group, "advanced"), (Group, "advanced.inner"), (Option, "advanced.inner.batch_size")]


def test_one_name_in_all_places() -> None:
    """The flag has the name; the variable has the field names, whatever the alias."""
    found = option("advanced.how-deep")

    assert (found.flag, found.variable) == ("--config.advanced.how-deep", "ARKINDEX_CONFIG_ADVANCED_DEPTH")


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("threshold", 0.5),
        ("advanced.inner.batch_size", 8),
        ("advanced.inner.rate", 0.25),
        ("advanced.how-deep", 3),
        ("extra.batch_size", 4),
        ("extra.rate", PydanticUndefined),
        ("needed", PydanticUndefined),
    ],
)
def test_default_of_a_group_is_the_default_of_its_options(name: str, default: object) -> None:
    """An instance as default says what its options are; without one, each has its own."""
    assert option(name).default == default


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, False),
        (int | None, True),
        (Optional[int], True),  # noqa: UP045 - both spellings are met
        (Any, True),
        (object, True),
        (None, True),
        (Literal["a", None], True),  # noqa: PYI061 - both spellings are met
        (Annotated[int | None, Field(gt=0)], True),
        (Union[int, Annotated[str | None, Field()]], True),  # noqa: UP007 - both spellings are met
        (list[int | None], False),
    ],
)
def test_what_accepts_null(annotation: object, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """Null is accepted where the type says so at its top."""
    assert accepts_null(annotation) is expected


def test_alternatives_are_the_members_of_a_union() -> None:
    """Without null, through new types, aliases and what is annotated."""
    assert alternatives(Annotated[Name | Annotated[int, Field(gt=0)] | None, Field()]) == (str, int)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Inner, Inner),
        (Inner | None, Inner),
        (Annotated[Inner, Field()], Inner),
        (Inner | Advanced, None),
        (list[Inner], None),
        (RootModel[int], None),
        (int, None),
    ],
)
def test_group_is_one_model(annotation: object, expected: object) -> None:
    """One model, perhaps optional, is a group; a choice of models is a value."""
    assert group_of(annotation) is expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Secret[str], True),
        (Secret[str] | None, True),
        (list[Secret[str]], True),
        (dict[str, Secret[Inner]], True),
        (Annotated[Secret, Field()], True),
        (str, False),
        (Literal["Secret"], False),
    ],
)
def test_secret_is_found_anywhere_in_a_type(annotation: object, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """A secret in a list or a mapping makes the option secret."""
    assert holds_secret(annotation) is expected


def test_parts_of_a_model_that_holds_itself_end() -> None:
    """A tree of models is walked once."""

    class Node(BaseModel):
        model_config = ConfigDict(frozen=True)

        children: list[Node] = []

    assert Node in list(parts_of(list[Node]))


class Lenient(UserConfiguration):
    decorated: int = 1
    before: Annotated[int, BeforeValidator(int)] = 1
    wrapped: Annotated[int, WrapValidator(lambda value, handler: handler(value))] = 1
    after: int = 1
    plain: int = 1

    @field_validator("decorated", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return value

    @field_validator("after")
    @classmethod
    def _check(cls, value: int) -> int:
        return value


def test_validators_that_come_first_make_lenient() -> None:
    """What an author's validator sees before the type is for it to judge."""
    found = [option.name for option in enumerate_options(Lenient) if is_lenient(option.annotation)]

    assert found == ["decorated", "before", "wrapped"]
