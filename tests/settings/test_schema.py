"""The schema of a configuration says what a worker accepts: neither more nor less."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads it
import enum
import ipaddress  # noqa: TC003 - pydantic reads it
import json
from decimal import Decimal  # noqa: TC003 - pydantic reads it
from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, Literal
from uuid import UUID  # noqa: TC003 - pydantic reads it

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator
from pydantic import (
    UUID4,
    AliasChoices,
    AliasPath,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FileUrl,
    HttpUrl,
    NaiveDatetime,
    PostgresDsn,
    WebsocketUrl,
    create_model,
)
from resolving import settle

from arkworker import Secret, UserConfiguration
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.schema import as_json_schema


class Colour(enum.Enum):
    RED = "red"
    NO = "no"


class Inner(UserConfiguration):
    size: int = Field(1, ge=1)
    flags: list[bool] = Field(default_factory=list)


class Needed(UserConfiguration):
    size: int


class Item(UserConfiguration):
    inner: Inner
    given: Needed = Needed(size=3)
    other: Inner | None = None


class Cat(UserConfiguration):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(UserConfiguration):
    kind: Literal["dog"] = "dog"


class Configuration(UserConfiguration):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    threshold: float = Field(0.5, ge=0, le=1)
    count: int = 1
    flag: bool = False
    kind: Literal["a", "b", 3] = "a"
    colour: Colour | None = None
    when: dt.date | None = None
    moment: dt.datetime | None = None
    hour: dt.time | None = None
    wait: dt.timedelta | None = None
    price: Decimal | None = None
    host: ipaddress.IPv4Address | None = None
    link: AnyUrl | None = None
    key: UUID | None = None
    folder: Path | None = None
    pair: tuple[int, bool] | None = None
    numbers: list[float] = Field(default_factory=list, max_length=2)
    table: dict[str, Annotated[int, Field(le=5)]] = Field(default_factory=dict)
    inner: Inner = Inner()
    items: list[Inner] = Field(default_factory=list)
    outer: Item
    listed: list[Item] = Field(default_factory=list)
    token: Secret[str] | None = None


class Numbered(enum.IntEnum):
    ONE = 1
    TWO = 2


class Plain(BaseModel):
    """What is unknown in a group is refused, whatever its model would do."""

    model_config = ConfigDict(frozen=True)

    size: int = 1
    inner: Inner = Inner()


class Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    size: int = 1


class Kinds(UserConfiguration):
    """Types that have constraints or a form of their own."""

    even: Annotated[int, Field(ge=0, le=10, multiple_of=2)] = 0
    open: Annotated[float, Field(gt=0, lt=1)] = 0.5
    numbered: Numbered | None = None
    mixed: Literal["auto", 2, True] | None = None
    aware: AwareDatetime | None = None
    naive: NaiveDatetime | None = None
    random: UUID4 | None = None
    host: ipaddress.IPv6Address | None = None
    interface: ipaddress.IPv4Interface | None = None
    network: ipaddress.IPv6Network | None = None
    link: HttpUrl | None = None
    socket: WebsocketUrl | None = None
    folder: FileUrl | None = None
    base: PostgresDsn | None = None
    flags: tuple[bool, int] | None = None
    whole: tuple[int, ...] = ()
    several: Annotated[set[int], Field(min_length=2)] | None = None
    once: frozenset[float] = frozenset()
    few: Annotated[list[int], Field(min_length=1, max_length=2)] | None = None
    prices: list[Decimal] = Field(default_factory=list)
    by_name: dict[str, Decimal] = Field(default_factory=dict)
    by_number: dict[int, bool] = Field(default_factory=dict)
    by_day: dict[dt.date, float] = Field(default_factory=dict)
    by_colour: dict[Colour, int] = Field(default_factory=dict)
    by_price: dict[float, int] = Field(default_factory=dict)
    by_flag: dict[bool, int] = Field(default_factory=dict)
    by_word: dict[Annotated[str, Field(pattern="^s")], int] = Field(default_factory=dict)
    literal: Literal[True, "a"] = "a"
    plain: Plain = Plain()
    plain_or_none: Open | None = None
    either: int | bool = 0
    size: float | list[int] = 0.5
    part: Inner | int = 1
    parts: dict[str, Inner] = Field(default_factory=dict)
    inner: Inner | None = None


SCHEMA = as_json_schema(WorkerOptions("w:W", Configuration))
VALIDATOR = Draft202012Validator(SCHEMA)
OF_KINDS = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Kinds)))
TEXTS = [
    *("", "a", "no", "x y", "red", "2024-01-02", "20240102", "12:30:00", "PT1M", "1 day, 00:00:01", "P", "00:01:30"),
    *("1.5", "1_0", "127.0.0.1", "::1", "http://a/", "a:b", "12345678-1234-1234-1234-123456789012", "0", "true"),
    *("2024-01-02T10:00:00", "2024-01-02T10:00:00Z", "1h", "-PT5S"),
    *("2024-01-02T00:00:00", "2024-01-02T25:00:00", "2024-01-02T1:30", "24:00:00", "1:30:00", "01:30", "1:30"),
    *("1.2.3.400", "01.2.3.4", "0.0.0.255"),
    *(
        "2024-01-02T10:00:00+02:00",
        "12345678-1234-4234-8234-123456789012",
        "10:00:00",
        "2001:db8::/32",
        "::/129",
        "a:b:c",
    ),
    *(
        "HTTPS://a.b:9/c?d#e",
        "http://",
        "ftp://a/",
        "ws://a",
        "file:///x",
        "postgres://u:p@h/d",
        "mailto:x",
        "http://a b/",
    ),
]
#: Options that take any text, and so also a number that is written without quotes.
TAKE_TEXT = {"folder", "token", "extras_dir"}
NUMBERS = st.sampled_from([0, 1, -1, 3, 5, 6, 0.5, 1.5, 8.0, -0.25])
KEYS = ["size", "flags", "x", "1", "red", "2024-01-02", "1.5", "true"]
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=5,
)
NAMES = [*Configuration.model_fields, "debug", "secrets", "unknown"]


def agreement(document: dict[str, Any]) -> tuple[bool, bool]:
    """What the schema and `check` say of a file."""
    return VALIDATOR.is_valid(document), not settle(Configuration, file=json.dumps(document)).problems


@given(st.sampled_from(NAMES), VALUES)
def test_schema_and_check_agree(name: str, value: Any) -> None:
    """In both directions, for any value of any option."""
    if name in TAKE_TEXT and isinstance(value, bool | int | float):
        return
    by_schema, by_check = agreement({name: value})

    assert by_schema == by_check


@pytest.mark.parametrize("model", [Configuration, Kinds])
def test_schema_and_check_agree_on_every_text(model: type[UserConfiguration]) -> None:
    """Dates, durations, addresses and numbers have patterns; moments have zones or none, identifiers have versions."""
    validator = VALIDATOR if model is Configuration else OF_KINDS
    names = [name for name in model.model_fields if name not in TAKE_TEXT]
    different = []
    for text in TEXTS:
        told = {
            problem.path.split(".")[1]
            for problem in settle(model, file=json.dumps(dict.fromkeys(names, text))).problems
        }
        by_schema = {name for name in names if not validator.is_valid({name: text})}
        different += [(name, text) for name in by_schema ^ told]

    assert different == []


@pytest.mark.parametrize("key", ["1", "-1", "+1", "007", " 1 ", "1_000", "1.0", "1.5", "1_", "1e3", "", "-", "a"])
def test_schema_and_check_agree_on_keys(key: str) -> None:
    """A key that stands for a number is text, and is read as numbers in quotes are."""
    document = {"by_number": {key: True}}
    assert OF_KINDS.is_valid(document) == (not settle(Kinds, file=json.dumps(document)).problems)


@given(st.sampled_from([*Kinds.model_fields]), VALUES)
def test_schema_and_check_agree_on_kinds(name: str, value: Any) -> None:
    """What has constraints or a form of its own, too."""
    document = {name: value}

    assert OF_KINDS.is_valid(document) == (not settle(Kinds, file=json.dumps(document)).problems)


@pytest.mark.parametrize("pet", [{}, {"kind": "dog"}, {"kind": "cow"}, {"lives": 3}, {"kind": "cat", "lives": 3}, 5])
def test_tag_of_a_union_is_needed(pet: Any) -> None:
    """It chooses the member, and has no default for that."""
    by_schema, by_check = agreement({"pet": pet})

    assert by_schema == by_check


def test_configuration_that_is_a_plain_model_agrees() -> None:
    """No option that is not declared, at the top and in groups."""
    validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Plain)))
    for document in ({}, {"size": 2}, {"x": 1}, {"inner": {"x": 1}}, {"inner": None}, {"inner": {"size": 2}}):
        assert validator.is_valid(document) == (not settle(Plain, file=json.dumps(document)).problems), document


class Renamed(BaseModel):
    """A plain model whose fields have several names."""

    model_config = ConfigDict(frozen=True)
    size: int = Field(validation_alias=AliasChoices("size", "width"))
    plain: Plain = Field(default_factory=Plain, validation_alias=AliasChoices("plain", "bare"))


@pytest.mark.parametrize(
    "group", [{"size": 1}, {"width": 1}, {}, {"width": 1, "bare": {"size": 2}}, {"width": 1, "bare": {"y": 2}}]
)
def test_plain_model_with_several_names_agrees(group: dict[str, Any]) -> None:
    """All that a field may be called is known, as in a configuration of arkworker."""

    class Holder(UserConfiguration):
        renamed: Renamed

    validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Holder)))
    is_sound = not settle(Holder, file=json.dumps({"renamed": group})).problems

    assert validator.is_valid({"renamed": group}) == is_sound == (bool(group) and "y" not in group.get("bare", {}))


class Needing(UserConfiguration):
    size: int = Field(validation_alias=AliasChoices("size", "width"))
    y: int = 1


@pytest.mark.parametrize("group", [Needing, Renamed])
def test_group_that_needs_an_option_of_several_names_agrees(group: type[BaseModel]) -> None:
    """It must be given, unless it has a default, or lies in one; by any of its own names."""
    inner = create_model("Inner", __base__=UserConfiguration, part=(group, ...))
    fields: list[tuple[Any, Any]] = [
        (group, ...),
        (group, group(size=3)),
        (group | None, None),
        (group, Field(validation_alias=AliasChoices("part", "bit"))),
        (inner, ...),
        (inner, inner.model_validate({"part": {"size": 3}})),
    ]
    parts = [None, {}, {"size": 1}, {"width": 1}, {"y": 2}, {"width": "x"}]
    documents = [
        {},
        *({key: part} for part in [*parts, *({"part": part} for part in parts)] for key in ("part", "bit")),
    ]
    for field in fields:
        model = create_model("Model", __base__=UserConfiguration, part=field)
        validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", model)))
        for document in documents:
            is_sound = not settle(model, file=json.dumps(document)).problems
            assert validator.is_valid(document) == is_sound, (field, document)


@pytest.mark.parametrize("item", [{"size": 1}, {"width": 1}, {"width": "x"}, {}, {"size": 1, "bare": {"size": 2}}])
def test_plain_models_in_lists_and_mappings_have_all_their_names(item: dict[str, Any]) -> None:
    """Not only where they are groups."""

    class Holder(UserConfiguration):
        listed: list[Renamed] = Field(default_factory=list)
        named: dict[str, Renamed] = Field(default_factory=dict)

    validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Holder)))
    for document in ({"listed": [item]}, {"named": {"a": item}}):
        assert validator.is_valid(document) == (not settle(Holder, file=json.dumps(document)).problems), document


@pytest.mark.parametrize(
    ("alias", "name"),
    [(AliasPath("a", 0), "size"), (AliasChoices(AliasPath("a", 0), "b"), "b")],
    ids=["path", "choices"],
)
def test_path_is_no_name(alias: AliasPath | AliasChoices, name: str) -> None:
    """In a plain model, whose paths are not refused, a field is called by its first name, as pydantic calls it."""

    class Group(BaseModel):
        model_config = ConfigDict(frozen=True)
        size: int = Field(1, validation_alias=alias)

    class Holder(UserConfiguration):
        group: Group = Group()

    schema = as_json_schema(WorkerOptions("w:W", Holder))

    assert list(schema["properties"]["group"]["anyOf"][0]["properties"]) == [name]


@pytest.mark.parametrize("inner", [None, {}, {"size": 2}, {"size": None}, []])
@pytest.mark.parametrize("group", Item.model_fields)
@pytest.mark.parametrize("place", ["outer", "listed"])
def test_groups_in_groups_and_lists_agree(place: str, group: str, inner: Any) -> None:
    """What is left out or null comes from the default, or from the options of the group."""
    item = {group: inner}
    by_schema, by_check = agreement({place: [item] if place == "listed" else item})

    assert by_schema == by_check


def test_group_whose_options_are_needed_is_needed() -> None:
    """In an item of a list, too: neither left out nor null."""

    class Holder(UserConfiguration):
        needed: Needed
        listed: list[Needed] = Field(default_factory=list)

    class Outer(UserConfiguration):
        items: list[Holder] = Field(default_factory=list)

    validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Outer)))
    items: list[dict[str, Any]] = [{}, {"needed": None}, {"needed": {}}, {"needed": {"size": 1}}]
    for item in items:
        is_sound = not settle(Outer, file=json.dumps({"items": [item]})).problems
        assert validator.is_valid({"items": [item]}) == is_sound == (item == {"needed": {"size": 1}})


@pytest.mark.parametrize("document", [{"debug": True}, {"extras_dir": "x"}, {"secrets": ["a"]}, {"debug": "x"}])
def test_schema_knows_what_a_file_holds_besides(document: dict[str, Any]) -> None:
    """Reserved keys are neither options nor mistakes."""
    by_schema, by_check = agreement(document)

    assert by_schema == by_check


class Exact(BaseModel):
    """A plain model in pydantic's strict mode."""

    model_config = ConfigDict(frozen=True, strict=True)
    day: dt.date | None = None
    sizes: tuple[int, ...] = ()
    ratio: float = 1.0


@pytest.mark.parametrize(
    ("value", "is_sound"),
    [
        ({"day": "2024-01-02"}, True),
        ({"sizes": [1]}, True),
        ({"ratio": 1}, True),
        ({"ratio": "1"}, False),
        ({"ratio": True}, False),
        ({"day": "x"}, False),
    ],
)
def test_strict_model_agrees(value: dict[str, Any], is_sound: bool) -> None:  # noqa: FBT001 - a case
    """What JSON can only write as text or a list is taken, as pydantic does of JSON."""

    class Holder(UserConfiguration):
        group: Exact = Exact()
        listed: list[Exact] = Field(default_factory=list)

    validator = Draft202012Validator(as_json_schema(WorkerOptions("w:W", Holder)))
    for document in ({"group": value}, {"listed": [value]}):
        assert validator.is_valid(document) == (not settle(Holder, file=json.dumps(document)).problems) == is_sound
