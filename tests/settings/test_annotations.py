"""What authors know of pydantic and pydantic-settings holds: names, marks, unions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import AliasChoices, BeforeValidator, Field, Json, create_model
from pydantic_settings import CliPositionalArg, CliSubCommand, CliSuppress, CliUnknownArgs, NoDecode
from resolving import settle

from arkworker import UserConfiguration
from arkworker.errors import DeclarationError
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.schema import as_json_schema


class Cat(UserConfiguration):
    kind: Literal["cat"] = "cat"
    age: int = 1


class Dog(UserConfiguration):
    kind: Literal["dog"] = "dog"
    age: int = 1


def split(value: Any) -> Any:
    return value.split("|") if isinstance(value, str) else value


class Composed(UserConfiguration):
    """Options with the annotations of pydantic and pydantic-settings."""

    size: int = Field(validation_alias=AliasChoices("size", "number"))
    hidden: CliSuppress[int] = 1
    raw: Annotated[list[str], NoDecode, BeforeValidator(split)] = Field(default_factory=list)
    pet: Annotated[Cat | Dog | None, Field(discriminator="kind")] = None


@pytest.mark.parametrize("name", ["size", "number"])
def test_each_name_of_an_option_is_known_everywhere(name: str) -> None:
    """The first is its name in reports."""
    for given in ({"file": f"{name}: 5\n"}, {"items": [{"key": name, "value": 5, "secret": False}]}):
        outcome = settle(Composed, **given)
        assert outcome.config.size == 5
        assert "config.size" in outcome.origins
    assert settle(Composed, f"--config.{name}", "6").config.size == 6
    assert settle(Composed, environ={"ARKINDEX_CONFIG_SIZE": "7"}).config.size == 7


def test_one_option_by_two_names_is_given_twice() -> None:
    """Whichever comes first."""
    assert settle(Composed, file="size: 1\nnumber: 2\n").told == {"config.size": "given twice, first at worker.yml:1:1"}


def test_annotations_of_pydantic_settings_are_obeyed() -> None:
    """Text that is not decoded is for the author; a tag chooses the member of a union."""
    outcome = settle(Composed, "--config.hidden=2", "--config.raw=a,b|c", file="size: 1\npet: {kind: dog, age: 3}\n")

    assert outcome.problems == ()
    assert (outcome.config.hidden, outcome.config.raw, outcome.config.pet) == (2, ["a,b", "c"], Dog(age=3))


@pytest.mark.parametrize("mark", [CliPositionalArg[int], CliSubCommand[Cat], CliUnknownArgs])  # type: ignore[misc]
def test_part_of_a_command_is_not_an_option(mark: Any) -> None:
    """What pydantic-settings has for commands alone is refused, with the reason."""
    with pytest.raises(DeclarationError, match="no subcommands or positional arguments: declare an option"):
        create_model("Model", __base__=UserConfiguration, option=(mark, ...))


@pytest.mark.parametrize("kind", [Json[list[int]], Json[list[int]] | None])
def test_text_of_json_is_for_pydantic(kind: Any) -> None:
    """An option may be JSON in a text, in a variable and in a file."""
    model = create_model("Model", __base__=UserConfiguration, option=(kind, "[]"))

    assert settle(model, environ={"ARKINDEX_CONFIG_OPTION": "[1, 2]"}).config.option == [1, 2]
    assert settle(model, file="option: '[1, 2]'\n").config.option == [1, 2]


def test_schema_knows_all_names() -> None:
    """A required option may be given by any of them."""
    schema = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Composed)))

    assert [schema.is_valid(given) for given in ({"size": 1}, {"number": 1}, {}, {"size": "x"})] == [
        True,
        True,
        False,
        False,
    ]
