"""What pydantic and the author's validators say becomes problems: each once, at its place, without values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from resolving import item, settle

from arkworker import Secret, UserConfiguration
from arkworker.options.secret import UnloadedSecret

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "c4n4ry-v4lu3"


class Item(UserConfiguration):
    size: int = Field(1, ge=1)
    name: str


class Inner(UserConfiguration):
    batch_size: int = Field(4, ge=1)


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, le=1)
    name: str = Field("n", max_length=20)
    items: list[Item] = Field(default_factory=list)
    choice: Annotated[int, Field(ge=5)] | Annotated[list[int], Field(max_length=1)] = 5
    advanced: Inner = Inner()
    pair: tuple[int, int] = (1, 2)
    table: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class Needed(UserConfiguration):
    threshold: float
    group: Inner
    token: Secret[str]


PROBLEMS: list[tuple[str, str, str, str]] = [
    ("threshold: 2\n", "config.threshold", "1:12", "Input should be less than or equal to 1"),
    (
        "advanced:\n  batch_size: 0\n",
        "config.advanced.batch_size",
        "2:15",
        "Input should be greater than or equal to 1",
    ),
    ("items:\n- name: a\n  size: 0\n", "config.items.0.size", "3:9", "Input should be greater than or equal to 1"),
    ("items:\n- size: 1\n", "config.items.0.name", "2:3", "a value is needed"),
    ("choice: 4\n", "config.choice", "1:9", "Input should be greater than or equal to 5 or a list"),
    ("pair: [1]\n", "config.pair.1", "1:7", "a value is needed"),
    ("table: {a: 1, b: 0}\n", "config.table.b", "1:18", "Input should be greater than or equal to 1"),
    (f"name: {'a' * 21}\n", "config.name", "1:7", "String should have at most 20 characters"),
]


@pytest.mark.parametrize(("text", "path", "place", "message"), PROBLEMS, ids=lambda value: str(value)[:30])
def test_broken_bound_is_told_at_its_value(text: str, path: str, place: str, message: str) -> None:
    """Inside groups, lists and mappings, too; of a union, all members in one problem."""
    problem = settle(Configuration, file=text).problem

    assert (problem.path, problem.location, problem.message) == (path, f"worker.yml:{place}", message)


def test_missing_values_name_where_to_set_them() -> None:
    """The file key at a desk, the variable and the flag; for a secret, its name goes into the first two."""
    outcome = settle(Needed)

    assert [(problem.path, problem.location, problem.message, problem.hint) for problem in outcome.problems] == [
        (
            "config.threshold",
            "not set anywhere",
            "a value is needed",
            "set threshold in the configuration file, ARKINDEX_CONFIG_THRESHOLD or --config.threshold",
        ),
        (
            "config.token",
            "not set anywhere",
            "a value is needed",
            "set token in the configuration file, or ARKINDEX_CONFIG_TOKEN, to the name of the secret",
        ),
    ]


class Local(UserConfiguration):
    kind: Literal["local"]
    threads: int = 1


class Remote(UserConfiguration):
    kind: Literal["remote"]
    key: Secret[str]


class Choosing(UserConfiguration):
    engine: Local | Remote = Field(discriminator="kind")


def test_a_choice_of_groups_is_given_as_a_whole() -> None:
    """A secret in one of them does not make it a secret; an option of one of them has no flag."""
    unknown, missing = settle(Choosing, "--config.engine.kind", "local").problems

    assert missing.hint == "set engine in the configuration file, ARKINDEX_CONFIG_ENGINE or --config.engine"
    assert (unknown.path, unknown.hint) == (
        "config.engine.kind",
        "engine is given as a whole, in a variable or a flag as JSON",
    )


@pytest.mark.parametrize("text", ["- 1\n", "5\n", "configuration: 5\n", "a: [1\n"])
def test_file_of_another_shape_is_one_problem(text: str) -> None:
    """What it might have set is not missing, too."""
    assert settle(Needed, file=text).problem.location.startswith("worker.yml:1")


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e400", "'nan'"])
def test_number_that_is_not_finite(text: str) -> None:
    """It is a number, and needs no other quotes."""
    problem = settle(Configuration, file=f"threshold: {text}\n").problem
    assert (problem.message, problem.hint) == ("Input should be a finite number", "")


def test_missing_value_of_a_worker_run_is_set_in_arkindex() -> None:
    """With a worker run, there is no configuration file."""
    hint = settle(Needed, items=[item("token", "name", secret=True)]).problem.hint

    assert hint == "set it in Arkindex, ARKINDEX_CONFIG_THRESHOLD or --config.threshold"


def test_refused_value_is_told_once() -> None:
    """A value that could not be read is not also missing."""
    assert settle(Needed, "--config.threshold", "x", "--config.token", "name").told == {
        "config.threshold": "Input should be a valid number"
    }


def test_value_that_lost_is_not_judged() -> None:
    """What a stronger source replaced harms nobody."""
    outcome = settle(Configuration, "--config.threshold", "0.5", file="threshold: much\n")

    assert outcome.config.threshold == 0.5


def raising(error: Callable[[Any], Exception]) -> type[UserConfiguration]:
    """A configuration whose validator raises what the function makes of the value."""

    def check(value: Any) -> Any:
        if value != "n":
            raise error(value)
        return value

    class Validated(UserConfiguration):
        name: Annotated[str, AfterValidator(check)] = "n"
        other: str = "o"

    return Validated


def test_message_of_a_validator_is_told() -> None:
    """What the author says helps, at the place of the value."""
    problem = settle(raising(lambda _: ValueError("should be a river")), "--config.name", "a").problem

    assert (problem.path, problem.location, problem.message) == ("config.name", "--config.name", "should be a river")


SAYING: list[Callable[[Any], Exception]] = [
    lambda value: ValueError(f"bad value {value}"),
    lambda value: ValueError(f"bad value {value!r}"),
    lambda value: ValueError({"value": value}),
    lambda value: AssertionError(value),  # noqa: PLW0108 - as the others
    lambda value: PydanticCustomError("mine", "bad value {value}", {"value": value}),
    lambda value: KeyError(value),  # noqa: PLW0108 - as the others
    lambda value: TypeError(f"bad value {value}"),
    lambda value: RuntimeError(value.encode()),
    lambda value: OSError(2, "no such file", value),
    lambda value: UnicodeDecodeError("utf-8", value.encode(), 0, 1, "bad"),
    lambda _: RecursionError(),
    lambda _: MemoryError(),
    lambda value: Exception(value, [value]),
]


@pytest.mark.parametrize("error", SAYING)
@pytest.mark.parametrize("value", [CANARY, f"{CANARY}\n\x1b[31m", f"'{CANARY}'", "é" + CANARY])
def test_validator_that_repeats_its_value_is_not_quoted(error: Callable[[Any], Exception], value: str) -> None:
    """Whatever it raises is a problem of the configuration, in one line, without the value."""
    outcome = settle(raising(error), f"--config.name={value}", "--config.other", "fine")

    message = outcome.problem.message
    assert message.isprintable()
    assert CANARY not in message + outcome.problem.hint


def test_failure_of_a_validator_names_its_line() -> None:
    """Its author finds it without a traceback."""
    problem = settle(raising(lambda _: KeyError("x")), "--config.name", "a").problem

    assert (problem.path, problem.source, problem.location) == ("config", "validator", "Validated")
    assert problem.message.startswith("a validator of the worker failed with KeyError (test_validation.py, line ")


class Together(UserConfiguration):
    low: int = 1
    high: int = 2
    inner: Inner = Inner()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low > self.high:
            raise ValueError("low should be below high")
        return self


def test_message_about_several_options_is_told() -> None:
    """A validator of the whole model speaks for the configuration."""
    problem = settle(Together, "--config.low", "5").problem

    assert (problem.path, problem.location, problem.message) == ("config", "Together", "low should be below high")


class Before(UserConfiguration):
    folder: Annotated[Path, BeforeValidator(lambda value: str(value).replace("~", "/data"))] = Path("x")
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1,)

    @field_validator("kind", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sizes", mode="wrap")
    @classmethod
    def _split(cls, value: Any, handler: Any) -> Any:
        return handler([int(part) for part in value.split("x")] if isinstance(value, str) else value)


def test_validators_that_come_first_see_what_was_given() -> None:
    """An author may accept more than the type does."""
    outcome = settle(Before, file="folder: '~/a'\nkind: B\nsizes: 3x4\n")

    assert outcome.config == Before(folder=Path("/data/a"), kind="b", sizes=(3, 4))


class ModelBefore(UserConfiguration):
    size: int = 1
    pair: tuple[int, int] = (1, 2)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        return {"pair": (3, 4)} | data


def test_validators_of_the_model_that_come_first() -> None:
    """They may fill in what was not given; tuples stay tuples."""
    assert settle(ModelBefore, file="size: 2\n").config == ModelBefore(size=2, pair=(3, 4))
    assert settle(ModelBefore, file="pair: [5, 6]\n").config.pair == (5, 6)


class WithSecret(UserConfiguration):
    token: Secret[str] | None = None
    name: str = "n"

    @field_validator("token")
    @classmethod
    def _check(cls, value: Secret[str] | None) -> Secret[str] | None:
        if value is not None and value.get_secret_value().startswith("bad"):
            raise ValueError(f"bad token {value.get_secret_value()}")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.token is not None and self.name == "leak":
            raise ValueError(f"token {self.token.get_secret_value()[4:20]!r} does not fit")
        if self.token is not None and self.name == "fail":
            raise KeyError(self.token.get_secret_value())
        if self.token is not None and self.name == "say":
            raise ValueError("the token does not fit the name")
        return self


def with_token(content: str, name: str) -> str:
    """The message about a loaded secret."""
    outcome = settle(WithSecret, "--config.token", "ref", "--config.name", name, loaded={0: Secret(content)})
    assert content not in outcome.everything
    return outcome.problem.message


def test_validator_of_a_secret_is_not_quoted() -> None:
    """What it says is about the content, so nothing of it is shown."""
    assert with_token("bad-" + CANARY, "n") == "refused by a validator of the worker"


def test_part_of_a_secret_is_not_quoted() -> None:
    """A validator of the whole model may hold a piece of it, escaped or not."""
    assert with_token(f"good\n{CANARY}\n{'x' * 50}", "leak") == "refused by a validator of the worker"


def test_failure_over_a_secret_is_not_quoted() -> None:
    """The place in the author's code is enough."""
    message = with_token(f"good-{CANARY}", "fail")

    assert message.startswith("a validator of the worker failed with KeyError (test_validation.py, line ")
    assert message.endswith(")")


def test_message_without_any_secret_is_told() -> None:
    """What holds nothing of it helps."""
    assert with_token(f"good-{CANARY}", "say") == "the token does not fit the name"


def test_secret_that_is_not_loaded_cannot_be_judged() -> None:
    """`explain` and `check --offline` say so."""
    problem = settle(WithSecret, "--config.token", "ref").problem

    assert problem.message == "cannot be checked here: a validator needs a secret that is not loaded"


class Plain(UserConfiguration):
    token: Secret[str] | None = None
    tokens: list[Secret[str]] = Field(default_factory=list)
    default: Secret[str] = Secret("a")


def test_secrets_are_handed_over() -> None:
    """Each option gets what was loaded for it; the others a stand-in."""
    outcome = settle(
        Plain,
        "--config.token",
        "a",
        "--config.tokens",
        "b,c",
        loaded={0: Secret("x"), 2: Secret("z")},
    )

    assert outcome.config.token == Secret("x")
    assert isinstance(outcome.config.tokens[0], UnloadedSecret)
    assert outcome.config.tokens[1] == Secret("z")
    assert outcome.config.default == Secret("a")


class Holder(UserConfiguration):
    token: Secret[str]


class WithUnion(UserConfiguration):
    tokens: list[Secret[str]] = Field(default_factory=list)
    either: Holder | int = 1


def test_secrets_have_places_of_their_own() -> None:
    """In a list and in a member of a union, too: that is where one that cannot be loaded is reported."""
    outcome = settle(WithUnion, file="tokens: [a, b]\neither:\n  token: c\n")

    assert [(request.path, request.origin.location) for request in outcome.resolution.secrets] == [
        (("config", "tokens", "0"), "worker.yml:1:10"),
        (("config", "tokens", "1"), "worker.yml:1:13"),
        (("config", "either", "token"), "worker.yml:3:10"),
    ]


def test_free_mapping_gets_secrets_too() -> None:
    """In the place of the item that the platform calls secret."""
    outcome = settle(items=[item("a", "ref", secret=True), item("b", 1)], loaded={0: Secret("x")})

    assert outcome.config == {"a": Secret("x"), "b": 1}


def test_missing_value_names_the_file_that_was_given() -> None:
    """Not just any file."""
    problem = settle(Needed, "--config.token=name", file="group: {}\n").problem

    assert problem.hint == "set threshold in worker.yml, ARKINDEX_CONFIG_THRESHOLD or --config.threshold"


@pytest.mark.parametrize("given", [{"file": "threshold: [\n"}, {"argv": ["-c", "nowhere.yml"]}])
def test_file_that_cannot_be_read_is_one_problem(given: dict[str, Any]) -> None:
    """Nobody knows what it sets: that values are missing is not said besides."""
    outcome = settle(Needed, *given.pop("argv", ()), **given)

    assert len(outcome.problems) == 1


def test_arguments_are_frozen_to_the_bottom() -> None:
    """Also those of a model that only refuses new values."""

    class Flags(BaseModel):
        model_config = ConfigDict(frozen=True)

        names: list[str] = Field(default_factory=list)
        table: dict[str, list[int]] = Field(default_factory=dict)

    arguments = settle(Together, "--names", "u", "v", "--table", "{a: [1]}", arguments=Flags).arguments

    assert (arguments.names, arguments.table) == (["u", "v"], {"a": [1]})
    for values in (arguments.names, arguments.table["a"]):
        with pytest.raises(TypeError, match="cannot be changed"):
            values.append(1)
