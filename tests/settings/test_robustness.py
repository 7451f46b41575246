"""Whatever comes in, values or problems come out: no other exception, nothing that moves a cursor, no wrong kind."""

from __future__ import annotations

import copy
import datetime as dt  # noqa: TC003 - pydantic reads it
import enum
import json
from decimal import Decimal  # noqa: TC003 - pydantic reads it
from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID  # noqa: TC003 - pydantic reads it

from arkindex_stub import worker_run
from hypothesis import given, strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, field_validator
from resolving import Outcome, item, settle

from arkworker import Secret, UserConfiguration
from arkworker.arkindex.payload import Payload, parse_payload
from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


class Pair(NamedTuple):
    name: str
    size: int


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: int = 1


class Cat(UserConfiguration):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(UserConfiguration):
    kind: Literal["dog"] = "dog"
    name: str = ""


class Inner(UserConfiguration):
    size: int = 1
    flags: list[bool] = Field(default_factory=list)
    deeper: list[Plain] = Field(default_factory=list)


class Configuration(UserConfiguration):
    a: int = 1
    b: float = 1.0
    c: str = ""
    d: bool = False
    e: Literal["x", 1, True] = "x"
    f: Colour | None = None
    g: dt.date | dt.timedelta | None = None
    h: Decimal | UUID | Path | None = None
    i: tuple[int, str] | list[float] | None = None
    j: dict[int, list[str]] = Field(default_factory=dict)
    k: set[int] = Field(default_factory=set)
    m: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    n: Cat | Plain | Pair | None = None
    o: list[Inner] = Field(default_factory=list)
    p: AnyUrl | bytes | None = None
    q: Any = None
    r: Secret[Inner] | None = None
    s: dict[str, Secret[str]] = Field(default_factory=dict)
    t: Inner = Inner()
    u: Inner | None = None


NAMES = [
    *Configuration.model_fields,
    "t.size",
    "t.flags",
    "u.size",
    "u.deeper",
    "zzz",
    "secrets",
    "debug",
    "configuration",
]
TEXTS = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    [
        *("", "null", "~", "no", "1", "1.5", "-0", "2024-01-02", "20240102", "PT1M", "[1, no]", "{a: 1}", "a=1,b=2"),
        *("{kind: cat, lives: x}", "red", "inf", "nan", "1e999", "9" * 40, "0x1F", "!!int 5", "&a [*a]", "a,b", "\0"),
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 1e308, 8.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["size", "kind", "lives", "flags", "deeper", "a", "1"]) | TEXTS, inner, max_size=3
        )
    ),
    max_leaves=8,
)


def attempt(action: Callable[[], Any]) -> Any:
    """What an action answers, or the error of ours that it raises; any other is a failure of the test."""
    try:
        return action()
    except ArkworkerError as error:
        return error


def inspect(outcome: Any) -> None:
    """Messages are harmless, each is there once, and values survive a second look."""
    if isinstance(outcome, ArkworkerError):
        assert str(outcome).isprintable()
    if not isinstance(outcome, Outcome):
        return
    for problem in (*outcome.problems, *outcome.warnings):
        texts = (problem.path, problem.source, problem.location, problem.message, problem.hint)
        assert all(text.isprintable() for text in texts)
        assert problem.message
    told = [(problem.path, problem.location, problem.message) for problem in outcome.problems]
    assert len(told) == len(set(told))
    if isinstance(outcome.config, Configuration):
        assert Configuration.model_validate(dict(outcome.config), strict=True) == outcome.config
        assert type(outcome.config.a) is int
        assert type(outcome.config.d) is bool
        hash(outcome.config.t)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), st.booleans())
def test_any_payload(values: dict[str, Any], typed: bool) -> None:  # noqa: FBT001 - drawn
    """A modern list of anything."""
    inspect(settle(Configuration if typed else None, items=[item(name, value) for name, value in values.items()]))


@given(VALUES, VALUES, VALUES, VALUES, st.booleans())
def test_any_legacy_payload(static: Any, user: Any, model: Any, saved: Any, typed: bool) -> None:  # noqa: FBT001 - drawn
    """Layers of anything: a problem that names the field, or values."""
    run = worker_run(configuration={"configuration": saved})
    run["worker_version"]["configuration"] = {"configuration": static, "user_configuration": user}
    run["model_version"] = {"id": "m", "configuration": model}

    inspect(attempt(lambda: settle(Configuration if typed else None, run=run)))


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in inner for found in paths_of(value, (*path, key)))]


FULL_RUN = worker_run(configuration={"id": "c", "configuration": {"a": 1}})
FULL_RUN["worker_version"]["configuration"] = {
    "configuration": {"a": 1},
    "user_configuration": {"b": {"type": "float", "default": 1.0}},
    "secrets": ["s"],
}
FULL_RUN["model_version"] = {"id": "m", "model": {"id": "mm"}, "configuration": {"c": "x"}}


@given(st.sampled_from(paths_of(FULL_RUN)), VALUES | st.just(...), st.booleans())
def test_any_mutation_of_a_worker_run(path: tuple[Any, ...], value: Any, modern: bool) -> None:  # noqa: FBT001 - drawn
    """Each part in turn replaced or removed."""
    run: Any = copy.deepcopy(FULL_RUN)
    if not path:
        run = value
    else:
        part = run
        for step in path[:-1]:
            part = part[step]
        if value is ...:
            del part[path[-1]]
        else:
            part[path[-1]] = value

    payload = attempt(lambda: parse_payload(run, {"configuration": []} if modern else None))

    inspect(payload)
    assert not isinstance(payload, Payload) or (payload.run.process.id and payload.run.process.corpus)


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4), st.booleans())
def test_any_text_in_variables(values: dict[str, str], typed: bool) -> None:  # noqa: FBT001 - drawn
    """Variables hold whatever a shell put into them."""
    environ = {f"ARKINDEX_CONFIG_{name.replace('.', '_').upper()}": text for name, text in values.items()}

    inspect(settle(Configuration if typed else None, environ=environ))


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4), st.booleans())
def test_any_text_in_flags(values: dict[str, str], typed: bool) -> None:  # noqa: FBT001 - drawn
    """Flags hold whatever a person typed."""
    flags = [f"--config.{name}={text}" for name, text in values.items()]

    inspect(settle(Configuration if typed else None, *flags))


@given(st.lists(TEXTS, max_size=4))
def test_any_command_line(argv: list[str]) -> None:
    """Anything at all where flags belong is values, problems, or a mistake of usage."""
    inspect(attempt(lambda: settle(Configuration, *argv)))


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), st.booleans())
def test_any_json_file(values: dict[str, Any], typed: bool) -> None:  # noqa: FBT001 - drawn
    """A file that a program wrote."""
    inspect(settle(Configuration if typed else None, file=json.dumps(values)))


@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=4), st.booleans())
def test_any_yaml_file(lines: list[tuple[str, str]], typed: bool) -> None:  # noqa: FBT001 - drawn
    """A file that a person wrote in haste."""
    inspect(settle(Configuration if typed else None, file="".join(f"{name}: {text}\n" for name, text in lines)))


@given(st.text(st.sampled_from("ab:=-#'\"[]{}&*!|>%@`,? \n\t\r0.~<\\"), max_size=60))
def test_any_characters_in_files(text: str) -> None:
    """Made of what YAML and env files are made of."""
    inspect(settle(Configuration, file=text))
    inspect(settle(Configuration, env_file=text))


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"key": VALUES, "value": VALUES, "secret": VALUES}) | VALUES, max_size=3
    )
)
def test_any_modern_list(items: list[Any]) -> None:
    """From Arkindex, and from a file."""
    inspect(attempt(lambda: settle(Configuration, items=items)))
    inspect(settle(Configuration, file=json.dumps({"configuration": items})))


def test_many_mistakes_on_one_line_are_all_told() -> None:
    """A line is looked at as far as a report shows it, and a mapping once: time grows with the file, not its square."""

    class Large(UserConfiguration):
        numbers: list[float] = Field(default_factory=list)
        table: dict[str, int] = Field(default_factory=dict)

    file = json.dumps({"numbers": ["x"] * 4000, "table": {f"key {number}": "x" for number in range(4000)}})

    assert len(settle(Large, file=file).problems) == 8_000


def test_messages_of_validators_are_quoted_for_the_first_hundred() -> None:
    """Each is searched for every value that was given."""

    class Part(UserConfiguration):
        name: str = ""

        @field_validator("name")
        @classmethod
        def _refuse(cls, name: str) -> str:
            raise ValueError(f"there is no {name}")

    class Many(UserConfiguration):
        parts: list[Part] = Field(default_factory=list)

    messages = [
        problem.message
        for problem in settle(Many, file=json.dumps({"parts": [{"name": f"part-{n}"} for n in range(102)]})).problems
    ]

    assert messages == ["there is no …"] * 100 + ["refused by a validator of the worker"] * 2
