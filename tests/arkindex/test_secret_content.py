"""A loaded content becomes the type that its option wants; what is wrong with it is said without any of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from arkworker import UserConfiguration
from arkworker.arkindex.secrets import ContentError, read_secret
from arkworker.frozen import FrozenDict

CANARY = "c4n4ry-s3cr3t"


class Bucket(UserConfiguration):
    access_key: str
    port: int = Field(443, ge=1)


class Loose(BaseModel):
    model_config = ConfigDict(frozen=True)

    access_key: str


@dataclass(frozen=True)
class Port:
    port: int


def leak(value: str) -> str:
    raise ValueError(f"bad {value}")


def fail(value: str) -> str:
    raise KeyError(value)


GOOD: list[tuple[Any, Any, Any]] = [
    ("text", str, "text"),
    (" text\n", str, " text\n"),
    ("123", str, "123"),
    ('{"a": 1}', str, '{"a": 1}'),
    ('{"access_key": "a", "port": 80}', Bucket, Bucket(access_key="a", port=80)),
    ("access_key: no\n", Bucket, Bucket(access_key="no")),
    ({"access_key": "a"}, Bucket, Bucket(access_key="a")),
    ('{"access_key": "a", "more": 1}', Loose, Loose(access_key="a")),
    ('{"a": 1}', dict[str, int], {"a": 1}),
    ("[1, 2]", list[int], [1, 2]),
    ("8\n", int, 8),
    ({"a": [1]}, Any, {"a": [1]}),
    ("a: 1", Any, "a: 1"),
    ("text", str | None, "text"),
    ("a: 1\n", Bucket | dict[str, int], {"a": 1}),
    ("/keys: a=b", Path, Path("/keys: a=b")),
    ("{00000000-0000-0000-0000-000000000005}", UUID, UUID(int=5)),
    ("port: 80", Port, Port(80)),
]


@pytest.mark.parametrize(("content", "annotation", "expected"), GOOD, ids=lambda value: str(value)[:20])
def test_content_becomes_its_type(content: Any, annotation: Any, expected: Any) -> None:
    """Text stays text; where more is wanted, it is JSON or YAML."""
    assert read_secret(content, annotation).get_secret_value() == expected


def test_parsed_content_is_frozen() -> None:
    """It is part of the configuration."""
    assert type(read_secret({"a": {}}, Any).get_secret_value()["a"]) is FrozenDict


BAD: list[tuple[Any, Any, str]] = [
    ({"port": 1}, Bucket, "access_key: a value is needed"),
    ({"access_key": "a", "port": 0}, Bucket, "port: Input should be greater than or equal to 1"),
    ({"access_key": "a", "port": CANARY}, Bucket, "port: Input should be a valid integer"),
    ({"access_key": "a", CANARY: 1}, Bucket, "…: unknown option"),
    (f"access_key: a\nport: {CANARY}\n", Bucket, "port: Input should be a valid integer"),
    (f"{{{CANARY}", Bucket, "not readable as its type"),
    (f"{CANARY}: 1\n{CANARY}: 2\n", dict[str, int], "not readable as its type"),
    (f"!!python/name:{CANARY} a", dict[str, int], "not readable as its type"),
    (CANARY, Bucket, "Input should be a mapping"),
    (CANARY, int, "Input should be a valid integer"),
    ({"a": CANARY}, str, "Input should be a valid string"),
    ({CANARY: CANARY}, dict[str, int], "…: Input should be a valid integer"),
    ([CANARY], list[int], "0: Input should be a valid integer"),
    (CANARY, Annotated[str, AfterValidator(leak)], "refused by a validator of the worker"),
    (CANARY, Annotated[str, AfterValidator(fail)], "not readable as its type"),
    ("[" * 5000, list[int], "not readable as its type"),
]


@pytest.mark.parametrize(("content", "annotation", "message"), BAD, ids=lambda value: ascii(value)[:20])
def test_wrong_content_is_told_without_it(content: Any, annotation: Any, message: str) -> None:
    """Fields of the type are named; keys and values of the content are not."""
    with pytest.raises(ContentError) as caught:
        read_secret(content, annotation)

    assert str(caught.value) == f"the content of this secret is refused: {message}"
    error = caught.value
    assert CANARY not in repr(error) + repr(error.__context__) + repr(error.__cause__)


def test_few_problems_of_a_content_are_told() -> None:
    """Three are enough to see what is wrong."""
    with pytest.raises(ContentError) as caught:
        read_secret(["a", "b", "c", "d"], list[int])

    assert str(caught.value).count("Input should be") == 3
