# ruff: noqa: RUF012 - configurations copy their defaults
"""A configuration as its author and user code meet it: checked, immutable to the bottom, easy to pass around."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002 - pydantic reads it

from arkworker import Secret, UserConfiguration
from arkworker.frozen import FrozenDict, FrozenList, FrozenSet

CANARY = "c4n4ry-v4lu3"


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)

    names: list[str] = []


class Inner(UserConfiguration):
    sizes: list[int] = [1, 2]
    table: dict[str, list[int]] = {"a": [1]}


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, ge=0, le=1, description="Lines below it are dropped.")
    inner: Inner = Inner()
    items: list[Inner] = [Inner()]
    plain: Plain = Plain(names=["a"])
    nested: dict[str, Any] = {"a": [{"b": [1]}]}
    pair: tuple[list[int], int] = ([1], 2)
    choices: set[int] = {1}
    depth: int = Field(3, alias="how-deep")
    token: Secret[str] = Secret("t")
    folder: Path = Path("x")
    colour: str = "red"
    """What the lines are drawn with."""


def test_defaults_make_a_configuration() -> None:
    """Without a value, each option has its default."""
    assert Configuration().threshold == 0.5


def test_options_cannot_be_set() -> None:
    """A configuration is what it was when the run began."""
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Configuration().threshold = 1  # type: ignore[misc]


def test_containers_are_frozen_to_the_bottom() -> None:
    """Defaults, groups, lists of groups, models of others: nothing in it can be changed."""
    config = Configuration()

    found = [
        config.inner.sizes,
        config.inner.table["a"],
        config.items,
        config.items[0].sizes,
        config.plain.names,
        config.nested["a"],
        config.nested["a"][0]["b"],
        config.pair[0],
    ]
    assert {type(value) for value in found} == {FrozenList}
    assert type(config.nested["a"][0]) is FrozenDict
    assert isinstance(config.choices, FrozenSet)


def test_given_values_are_frozen_too() -> None:
    """What was passed in stays the caller's: changing it later changes nothing."""
    sizes = [1]
    config = Configuration(inner=Inner(sizes=sizes))

    sizes.append(2)

    assert config.inner.sizes == [1]


def test_defaults_are_not_shared() -> None:
    """The default of the class is left as it was declared."""
    Configuration()

    assert type(Configuration.model_fields["nested"].default) is dict


def test_equal_configurations_have_equal_hashes() -> None:
    """A configuration can be a key, lists and dicts in it notwithstanding."""
    assert Configuration() == Configuration()
    assert hash(Configuration()) == hash(Configuration())
    assert Configuration() != Configuration(threshold=0.7)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_equal_and_frozen(copied: Any) -> None:
    """A configuration goes to another process, and is the same there."""
    again = copied(Configuration(threshold=0.7))

    assert again == Configuration(threshold=0.7)
    assert type(again.inner.sizes) is FrozenList
    assert type(again.nested["a"][0]) is FrozenDict


def test_alias_and_name_both_work_in_python() -> None:
    """An author's test may use either."""
    assert Configuration.model_validate({"how-deep": 5}) == Configuration.model_validate({"depth": 5})


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """A typing error is told, all of them at once."""
    with pytest.raises(ValidationError, match=r"unknown option thresold; did you mean threshold\?; unknown option zzz"):
        Configuration.model_validate({"thresold": 1, "zzz": 1})


def test_unknown_names_in_a_group_are_refused() -> None:
    """The same holds one level deeper."""
    with pytest.raises(ValidationError, match="unknown option size; did you mean sizes"):
        Configuration.model_validate({"inner": {"size": []}})


def test_unknown_name_is_printable() -> None:
    """A name from outside moves no cursor."""
    with pytest.raises(ValidationError) as caught:
        Configuration.model_validate({"\x1b[31m": 1})

    assert "\x1b" not in str(caught.value)


def test_refused_values_are_not_in_the_error() -> None:
    """The text of an error holds no input."""
    with pytest.raises(ValidationError) as caught:
        Configuration.model_validate({"threshold": CANARY, "inner": {"sizes": CANARY}, "token": [CANARY]})

    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)


def test_docstrings_are_descriptions() -> None:
    """The text under an attribute says what it is; `Field(description=…)` says it without the source."""
    descriptions = {name: field.description for name, field in Configuration.model_fields.items()}

    assert descriptions["colour"] == "What the lines are drawn with."
    assert descriptions["threshold"] == "Lines below it are dropped."


def test_schemas_without_a_field_or_by_other_names() -> None:
    """What pydantic leaves out of a schema, or calls otherwise in one, stays so."""

    class Partial(UserConfiguration):
        depth: int = Field(3, validation_alias="how-deep")
        size: int = Field(1, validation_alias=AliasChoices("length", "long"))
        inner: SkipJsonSchema[Inner] = Inner()
        hidden: SkipJsonSchema[int] = 1

    named = [Partial.model_json_schema(by_alias=False), Partial.model_json_schema(mode="serialization")]

    assert Partial.model_json_schema()["properties"].keys() == {"how-deep", "length", "long"}
    assert [schema["properties"].keys() for schema in named] == [{"depth", "size"}] * 2


def test_numbers_are_finite() -> None:
    """No number of any option is infinite."""
    with pytest.raises(ValidationError, match="finite"):
        Configuration(threshold=float("nan"))


def test_configurations_can_be_derived() -> None:
    """A configuration may extend another one."""

    class Derived(Configuration):
        more: int = 1

    assert Derived(threshold=0.7).model_dump().keys() == {*Configuration.model_fields, "more"}


def test_configurations_may_have_properties() -> None:
    """What follows from options is computed from them."""

    class Derived(UserConfiguration):
        size: int = 2

        @property
        def area(self) -> int:
            return self.size**2

    assert Derived().area == 4
