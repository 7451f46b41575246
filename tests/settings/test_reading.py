"""Each value is read by the type of its option, from each kind of place, and is of its kind or refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from typing_extensions import TypedDict

from arkworker import Secret, UserConfiguration
from arkworker.documents.yaml import parse_yaml
from arkworker.options.options import is_lenient
from arkworker.settings.reading import Reference, Refused, leaves_of, read_data, read_node, read_text
from arkworker.settings.report.messages import message_of


class Nothing(enum.Enum):
    """Not any value; an enumeration, so that its name is the same in every process."""

    REFUSED = "refused"


REFUSED = Nothing.REFUSED


class Colour(enum.Enum):
    RED = "red"
    NO = "no"


class Level(enum.IntEnum):
    LOW = 1


class Sign(enum.Enum):
    EQUALS = "a=b"


class Keyed:
    """A class of an author that pydantic makes of a mapping."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler.generate_schema(dict[str, int])


class Inner(UserConfiguration):
    name: str = ""
    size: int = Field(1, alias="how-big")
    rate: Annotated[float, Field(ge=0)] = 0.5
    flags: list[bool] = Field(default_factory=list)


class Other(UserConfiguration):
    name: int = 1
    path: str = ""


class Tolerant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = ""


class Typed(TypedDict):
    name: str


@dataclasses.dataclass(frozen=True)
class Data:
    name: str


class Pair(NamedTuple):
    name: str
    size: int


def judged(value: Any, annotation: Any) -> Any:
    """A value that was read, or `REFUSED`: by reading, or by validation, which is lax."""
    if isinstance(value, Refused):
        return REFUSED
    if is_lenient(annotation):
        return value
    holder = create_model("Holder", __base__=UserConfiguration, x=(annotation, ...))
    try:
        holder.model_validate({"x": value})
    except ValidationError:
        return REFUSED
    return value


def from_file(text: str, annotation: Any) -> Any:
    """The value of `x` in a file, or `REFUSED`."""
    root = parse_yaml(f"x: {text}\n")
    return judged(read_node(root.entries[0].value, annotation), annotation)  # type: ignore[union-attr]


def from_text(text: str, annotation: Any) -> Any:
    """The text of a variable, or `REFUSED`."""
    return judged(read_text(text, annotation), annotation)


def from_payload(value: Any, annotation: Any) -> Any:
    """A value of a payload, or `REFUSED`."""
    return judged(read_data(value, annotation), annotation)


def exactly(value: Any) -> tuple[type, Any]:
    """The value with its type, so that True is not 1."""
    return type(value), value


FILES: list[tuple[str, Any, Any]] = [
    # What YAML 1.1 takes for something else stays text where text is asked for.
    ("no", str, "no"),
    ("1.10", str, "1.10"),
    ("12:30:45", str, "12:30:45"),
    ("2024-01-02", str, "2024-01-02"),
    ("0x1F", str, "0x1F"),
    ("1_000", str, "1_000"),
    ("1e3", str, "1e3"),
    ("'5'", str, "5"),
    ("!!str 5", str, "5"),
    ("null", str, REFUSED),
    ("~", str, REFUSED),
    ("''", str, ""),
    ("[a]", str, REFUSED),
    ("{a: b}", str, REFUSED),
    # Switches.
    ("true", bool, True),
    ("Yes", bool, True),
    ("off", bool, False),
    ("1", bool, REFUSED),
    ("0", bool, REFUSED),
    ("'true'", bool, REFUSED),
    ("y", bool, REFUSED),
    # Integers.
    ("8", int, 8),
    ("-8", int, -8),
    ("+8", int, 8),
    ("8.0", int, 8),
    ("8.5", int, REFUSED),
    ("1e3", int, REFUSED),
    ("010", int, REFUSED),
    ("0o10", int, REFUSED),
    ("0x10", int, REFUSED),
    ("1_000", int, REFUSED),
    ("1:30", int, REFUSED),
    ("true", int, REFUSED),
    ("no", int, REFUSED),
    ("'8'", int, REFUSED),
    ("!!int 8", int, 8),
    ("!!float 8", int, 8),
    ("!!bool true", int, REFUSED),
    ("٨", int, REFUSED),
    ("9223372036854775807", int, 9223372036854775807),
    ("9223372036854775808", int, REFUSED),
    ("-9223372036854775809", int, REFUSED),
    ("9" * 5000, int, REFUSED),
    # Numbers.
    ("1.5", float, 1.5),
    ("1", float, 1),
    ("1e3", float, 1000.0),
    (".5", float, 0.5),
    ("-2.", float, -2.0),
    (".inf", float, REFUSED),
    (".nan", float, REFUSED),
    ("inf", float, REFUSED),
    ("nan", float, REFUSED),
    ("1e999", float, REFUSED),
    ("1" * 5000, float, REFUSED),
    ("true", float, REFUSED),
    ("'1.5'", float, REFUSED),
    # Choices.
    ("a", Literal["a", "b"], "a"),
    ("c", Literal["a", "b"], REFUSED),
    ("2", Literal[1, 2], 2),
    ("'2'", Literal[1, 2], REFUSED),
    ("true", Literal[1, 2], REFUSED),
    ("no", Literal["yes", "no"], "no"),
    ("no", Literal[False], False),
    ("0", Literal[False], REFUSED),
    ("null", Literal["null"], "null"),
    ("red", Colour, "red"),
    ("no", Colour, "no"),
    ("RED", Colour, REFUSED),
    ("1", Level, 1),
    ("true", Level, REFUSED),
    # Types that are written as text.
    ("2024-01-02", dt.date, "2024-01-02"),
    ("20240102", dt.date, REFUSED),
    ("'1704153600'", dt.date, REFUSED),
    ("12:30:45", dt.time, "12:30:45"),
    ("1230", dt.time, REFUSED),
    ("2024-01-02T10:00:00", dt.datetime, "2024-01-02T10:00:00"),
    ("20240102", dt.datetime, REFUSED),
    ("PT1M", dt.timedelta, "PT1M"),
    ("1.10", Decimal, "1.10"),
    ("1_0", Decimal, "1_0"),
    ("NaN", Decimal, REFUSED),
    ("no", Path, "no"),
    ("12345678-1234-1234-1234-123456789012", UUID, "12345678-1234-1234-1234-123456789012"),
    ("127.0.0.1", ipaddress.IPv4Address, "127.0.0.1"),
    ("1/2", Fraction, "1/2"),
    ("a.*", re.Pattern[str], "a.*"),
    ("http://localhost", AnyUrl, "http://localhost"),
    ("[1]", Path, REFUSED),
    # Null.
    ("null", int | None, None),
    ("", int | None, None),
    ("null", str | None, None),
    ("'null'", str | None, "null"),
    ("!!null ''", str | None, None),
    ("null", list[int], REFUSED),
    # Unions: what the text is by itself, where a member takes it.
    ("5", int | str, 5),
    ("5", str | int, 5),
    ("no", bool | str, False),
    ("x", int | str, "x"),
    ("5", int | float, 5),
    ("5.5", int | float, 5.5),
    ("5", float | int, 5),
    ("x", int | float, REFUSED),
    ("2024-01-02", dt.date | str, "2024-01-02"),
    ("20240102", dt.date | str, "20240102"),
    # Lists and mappings.
    ("[no, 1.10]", list[str], ["no", "1.10"]),
    ("[1, 2]", tuple[int, ...], [1, 2]),
    ("[1, no, x]", tuple[int, str, bool], REFUSED),
    ("[1, no, no]", tuple[int, str, bool], [1, "no", False]),
    ("[no, 8]", Pair, ["no", 8]),
    ("[1, 2]", set[str], ["1", "2"]),
    ("[1, 2]", Sequence[str], ["1", "2"]),
    ("a", list[str], REFUSED),
    ("{a: 1}", list[str], REFUSED),
    ("[[no]]", list[list[str]], [["no"]]),
    ("[1, a]", list[int], REFUSED),
    ("{a: no, b: 1}", dict[str, str], {"a": "no", "b": "1"}),
    ("{a: 1}", Mapping[str, float], {"a": 1.0}),
    ("{a: x}", dict[str, int], REFUSED),
    ("{1: x}", dict[int, str], {"1": "x"}),
    ("[a]", dict[str, str], REFUSED),
    ("{a: [no]}", dict[str, list[str]], {"a": ["no"]}),
    ("[no]", list[str] | dict[str, int], ["no"]),
    ("{a: 5}", list[str] | dict[str, int], {"a": 5}),
    # Things with fields.
    ("[{name: no, how-big: 8, flags: [no]}]", list[Inner], [{"name": "no", "how-big": 8, "flags": [False]}]),
    ("[{name: [no]}]", list[Inner], REFUSED),
    ("[{nam: no}]", list[Inner], REFUSED),
    ("[5]", list[Inner], REFUSED),
    ("{name: no}", Inner | Other, {"name": "no"}),
    ("{path: no}", Inner | Other, {"path": "no"}),
    ("{name: no, more: no}", Tolerant | list[str], {"name": "no", "more": False}),
    ("{name: no}", Typed, {"name": "no"}),
    ("{nam: no}", Typed, REFUSED),
    ("{name: no}", Data, {"name": "no"}),
    # Anything: YAML 1.1, without its worst surprises.
    ("no", Any, False),
    ("1.10", Any, 1.1),
    ("12:30:45", Any, "12:30:45"),
    ("2024-01-02", Any, "2024-01-02"),
    ("'no'", Any, "no"),
    ("{a: [no]}", Any, {"a": [False]}),
    ("99999999999999999999", Any, REFUSED),
    (".inf", Any, REFUSED),
    ("null", Any, None),
    # A validator of the author comes first: what the text is, is for it to say.
    ("5 px", Annotated[int, BeforeValidator(str)], "5 px"),
    ("5", Annotated[int, BeforeValidator(str)], 5),
    ("[5]", Annotated[int, BeforeValidator(str)], [5]),
]


@pytest.mark.parametrize(("text", "annotation", "expected"), FILES, ids=lambda value: str(value)[:40])
def test_value_of_a_file(text: str, annotation: Any, expected: Any) -> None:
    """A plain scalar is what its option's type says; quotes and tags make text and what they name."""
    assert exactly(from_file(text, annotation)) == exactly(expected)


TEXTS: list[tuple[str, Any, Any]] = [
    ("0.5", float, 0.5),
    ("1", bool, True),
    ("0", bool, False),
    ("no", bool, False),
    ("2", bool, REFUSED),
    ("null", str, "null"),
    ("null", str | None, "null"),
    ("null", int | None, None),
    ("~", str, "~"),
    ("", str, ""),
    ("", int, REFUSED),
    ("no", str, "no"),
    ("a,b", list[str], ["a", "b"]),
    ("a, b", list[str], ["a", "b"]),
    ("1,2", list[int], [1, 2]),
    ("1,x", list[int], REFUSED),
    ("", list[str], []),
    ("[a, 'b, c']", list[str], ["a", "b, c"]),
    ("[no]", list[str], ["no"]),
    ("[a", list[str], REFUSED),
    ("a=1,b=no", dict[str, str], {"a": "1", "b": "no"}),
    ("a=1,a=2", dict[str, str], REFUSED),
    ("{a: 1, a: 2}", dict[str, str], REFUSED),
    ('{"a": 1}', dict[str, int], {"a": 1}),
    ("a", dict[str, str], REFUSED),
    ("a,b", list[str] | str, "a,b"),
    ("[a]", list[str] | str, ["a"]),
    ("[{name: no}]", list[Inner], [{"name": "no"}]),
    ("5", int | str, 5),
    ("08", int | str, 8),
    ("x", int | str, "x"),
    ("2", Literal[1, 2], 2),
    ("", int | None, REFUSED),
    ("", dt.date | None, REFUSED),
    ("inf", float, REFUSED),
    ("86400", dt.date, REFUSED),
    ("8.0, 2", list[int], [8, 2]),
    ("1,null", list[int | None], [1, None]),
    ("no", Any, False),
    ("'no'", Any, "no"),
    ('"010"', Any, "010"),
    ("010", Any, 8),
    ("[1, no]", Any, [1, False]),
    ("{a", Any, REFUSED),
    # Text with the signs of a mapping or a list, where none is asked for.
    ("/data/run=3/x", Path, "/data/run=3/x"),
    ("/data/run=3/x", Path | None, "/data/run=3/x"),
    ("[a]", Path, "[a]"),
    ("http://localhost/?a=b", AnyUrl, "http://localhost/?a=b"),
    ("{00000000-0000-0000-0000-000000000005}", UUID, "{00000000-0000-0000-0000-000000000005}"),
    ("a=b", Sign, "a=b"),
    ("{name: no}", Data, {"name": "no"}),
    ("name=no", Typed, {"name": "no"}),
    ("{x: 1}", Keyed, {"x": 1}),
    ("\udcff", str, REFUSED),
    ("\udcff", list[str], REFUSED),
    ("\udcff", Any, REFUSED),
    ("9" * 30, Any, REFUSED),
]


@pytest.mark.parametrize(("text", "annotation", "expected"), TEXTS, ids=lambda value: ascii(value)[:40])
def test_text_of_a_variable_or_a_flag(text: str, annotation: Any, expected: Any) -> None:
    """Lists are `a,b` or `[a, b]`, mappings `k=v` or `{k: v}`, switches 1 and 0, too."""
    assert exactly(from_text(text, annotation)) == exactly(expected)


PAYLOADS: list[tuple[Any, Any, Any]] = [
    (8, int, 8),
    (8.0, int, 8),
    (8.5, int, REFUSED),
    ("8", int, REFUSED),
    (True, int, REFUSED),
    (2**63, int, REFUSED),
    (2**63, float, 2.0**63),
    (1, float, 1),
    (True, float, REFUSED),
    (float("nan"), float, REFUSED),
    (float("inf"), Any, REFUSED),
    (True, bool, True),
    (1, bool, REFUSED),
    ("true", bool, REFUSED),
    ("no", str, "no"),
    (5, str, REFUSED),
    (None, str, REFUSED),
    (None, str | None, None),
    ("\ud800", str, REFUSED),
    ("a", Literal["a"], "a"),
    (True, Literal[1], REFUSED),
    (1, Literal[True], REFUSED),
    (1.0, Literal[1], 1.0),
    (True, Level, REFUSED),
    ("red", Colour, "red"),
    ("2024-01-02", dt.date, "2024-01-02"),
    (20240102, dt.date, REFUSED),
    ("20240102", dt.date, REFUSED),
    (1.5, Decimal, 1.5),
    (90, dt.timedelta, REFUSED),
    ([1], tuple[int, ...], [1]),
    ([True], list[int], REFUSED),
    ({"a": "1.5"}, dict[str, float], {"a": 1.5}),
    ({"a": "no"}, dict[str, bool], {"a": False}),
    ({"a": "no"}, dict[str, str], {"a": "no"}),
    ({"a": "no"}, dict[str, Any], {"a": "no"}),
    ({"a": "x"}, dict[str, float], REFUSED),
    ([{"name": "a"}], list[Inner], [{"name": "a"}]),
    ([{"name": 1}], list[Inner], REFUSED),
    ([{"a": [2**64]}], Any, REFUSED),
    ("5", Annotated[int, BeforeValidator(int)], "5"),
]


@pytest.mark.parametrize(("value", "annotation", "expected"), PAYLOADS, ids=lambda value: ascii(value)[:40])
def test_value_of_a_payload(value: Any, annotation: Any, expected: Any) -> None:
    """A payload is typed: nothing is converted but 8.0, and the strings of a `dict`."""
    assert exactly(from_payload(value, annotation)) == exactly(expected)


@pytest.mark.parametrize(
    ("text", "annotation"),
    [(text, of) for text, of, value in FILES if value is not REFUSED and not is_lenient(of)],
)
def test_what_is_read_is_what_pydantic_takes(text: str, annotation: Any) -> None:
    """Nothing that reading lets through is taken for another kind by validation, which is lax."""
    value = from_file(text, annotation)

    validated = TypeAdapter(annotation).validate_python(value)

    assert isinstance(validated, bool) == isinstance(value, bool)


def test_all_that_is_wrong_in_a_value_is_told() -> None:
    """At three levels of nesting, each with its path."""
    root = parse_yaml("x:\n  - {name: [a], how-big: b}\n  - 5\n  - {flags: [no, x], nam: 1}\n")

    refused = read_node(root.entries[0].value, list[Inner])  # type: ignore[union-attr]

    assert {line["loc"]: message_of(line) for line in refused.lines} == {
        (0, "name"): "Input should be a valid string",
        (0, "how-big"): "Input should be a valid integer",
        (1,): "Input should be a mapping",
        (2, "nam"): "unknown option",
        (2, "flags", 1): "Input should be true or false",
    }


NULL = "an empty value is null; give it a value, or leave the line out"
MESSAGES: list[tuple[str, Any, list[str], str]] = [
    ("x", int, ["a valid integer"], "write a number, without quotes"),
    ("0,5", float, ["a valid number"], "write 0.5, with a point"),
    ("x", bool, ["true or false"], "write true or false, without quotes"),
    ("null", str, ["a valid string"], "an empty value is null; put text in quotes"),
    ("null", int, ["a valid integer"], NULL),
    ("[1]", int | str, ["a valid integer", "a valid string"], ""),
    ("x", Literal["a", "b"], ["'a' or 'b'"], ""),
    ("x", Literal["a"] | int | None, ["'a'", "a valid integer"], "write a number, without quotes"),
    ("x", Colour, ["'red' or 'no'"], ""),
    ("5", dt.date, ["a date, such as 2026-01-31"], ""),
    ("x", list[int] | dict[str, int], ["a list", "a mapping"], ""),
    ("99999999999999999999", int, ["this number does not fit into 64 bits"], ""),
    ("8.5", int, ["a valid integer"], ""),
    ("'8'", int, ["a valid integer"], "write a number, without quotes"),
    ("'x'", Decimal, ["a valid decimal number"], ""),
    (".inf", Any, ["numbers must be finite"], "put text in quotes"),
]


@pytest.mark.parametrize(("text", "annotation", "message", "hint"), MESSAGES)
def test_message_says_what_to_write(text: str, annotation: Any, message: list[str], hint: str) -> None:
    """The message names what the type takes, and a file gets a hint."""
    root = parse_yaml(f"x: {text}\n")

    refused = read_node(root.entries[0].value, annotation)  # type: ignore[union-attr]

    said = dict.fromkeys(message_of(line).removeprefix("Input should be ") for line in refused.lines)
    hints = {line["hint"] for line in refused.lines} - {""}
    assert (list(said), hints) == (message, {hint} - {""})


@pytest.mark.parametrize(
    "annotation", [Secret[str], Secret[str] | None, Secret[Inner], Annotated[Secret[int], Field()]]
)
def test_secret_is_a_reference(annotation: Any) -> None:
    """Its text is never read as anything else; its content has the type in brackets."""
    reference = read_text("[1, 2]", annotation)

    assert isinstance(reference, Reference)
    assert reference.value == "[1, 2]"
    assert "[1, 2]" not in repr(reference)


@pytest.mark.parametrize("value", [{"access": "key"}, ["a"], 5, ""])
def test_secret_given_by_content_is_refused(value: Any) -> None:
    """A mapping, a list or a number is not a reference."""
    refused = read_data(value, Secret[Inner])

    assert [message_of(line) for line in refused.lines] == ["a secret is given by reference"]


def test_secrets_lie_in_lists_and_mappings() -> None:
    """A list of secrets is a list of references."""
    (first,), table = read_text("a", list[Secret[str]]), read_text("k=b", dict[str, Secret[str]])

    assert [first.value, table["k"].value] == ["a", "b"]


class Keys(UserConfiguration):
    tokens: dict[str, Secret[int]] = Field(default_factory=dict)
    name: str = ""


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ([{"tokens": {"a": "b"}, "name": "c"}], list[Keys], [(0, "tokens", "a")]),
        ({"x": {"tokens": {"a": "b", "c": "d"}}}, dict[str, Keys], [("x", "tokens", "a"), ("x", "tokens", "c")]),
        (["a", None], list[Secret[str] | None], [(0,)]),
        (["a", 5], list[Secret[str] | int], [(0,)]),
        ("a", Secret[str] | str, [()]),
        ("a,b", Annotated[list[Secret[str]], BeforeValidator(lambda text: text.split(","))], [()]),
        ({"a": "b"}, Annotated[list[Secret[str]], BeforeValidator(list)], []),
        ([{"name": "c"}], list[Keys], []),
    ],
)
def test_references_are_found_where_pydantic_finds_secrets(value: Any, annotation: Any, expected: list[Any]) -> None:
    """At any depth, in members of unions, and nowhere else."""
    read = read_data(value, annotation)

    assert [steps for steps, leaf in leaves_of(read) if isinstance(leaf, Reference)] == expected


BIG = 10**25
PLACES: list[tuple[Any, Any, list[tuple[Any, ...]]]] = [
    (int, BIG, [()]),
    (float, BIG, []),
    (Decimal, BIG, []),
    (int | float, BIG, []),
    (Any, BIG, [()]),
    (dict, {"a": [BIG, {"b": BIG}]}, [("a", 0), ("a", 1, "b")]),
    (dict[str, Any], {"a": [BIG]}, [("a", 0)]),
    (dict[str, int], {"a": BIG, "b": 1}, [("a",)]),
    (dict[str, int | None], {"a": BIG}, [("a",)]),
    (Mapping[str, int], {"a": BIG}, [("a",)]),
    (dict[str, float], {"a": BIG}, []),
    (dict[str, list[int]], {"a": [1, BIG]}, [("a", 1)]),
    (list, [BIG], [(0,)]),
    (list[int], [1, BIG], [(1,)]),
    (set[int], [BIG], [(0,)]),
    (tuple[int, float], [BIG, BIG], [(0,)]),
    (tuple[float, ...], [BIG, BIG], []),
    (Inner, {"how-big": BIG, "rate": BIG}, [("how-big",)]),
    (list[Inner], [{"how-big": BIG}], [(0, "how-big")]),
]


@pytest.mark.parametrize("source", ["file", "text", "payload"])
@pytest.mark.parametrize(("annotation", "value", "expected"), PLACES)
def test_numbers_beyond_64_bits(source: str, annotation: Any, value: Any, expected: list[Any]) -> None:
    """One rule at any depth and from any place: those whose type is not that of larger numbers are refused."""
    text = json.dumps(value)
    if source == "file":
        read = read_node(parse_yaml("x: " + text).entries[0].value, annotation)  # type: ignore[union-attr]
    else:
        read = read_text(text, annotation) if source == "text" else read_data(value, annotation)

    found = [(line["loc"], message_of(line)) for line in read.lines] if isinstance(read, Refused) else []
    assert found == [(steps, "this number does not fit into 64 bits") for steps in expected]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize("annotation", [dict, dict[str, Any], dict[str, float], dict[str, list[float]], list, object])
def test_numbers_that_are_not_finite(annotation: Any, number: str) -> None:
    """A bare type takes no more than a free mapping does."""
    inner = f"[{number}]" if annotation in (list, dict[str, list[float]]) else number
    text = f"x: {inner}" if annotation in (list, object) else f"x: {{a: {inner}}}"

    read = read_node(parse_yaml(text + "\n").entries[0].value, annotation)  # type: ignore[union-attr]

    assert isinstance(read, Refused)
