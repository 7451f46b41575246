"""A secret shows as stars, and gives its content to who asks for it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING

import pytest

from arkworker import Secret, UserConfiguration
from arkworker.frozen import FrozenDict
from arkworker.options.secret import SecretNotLoadedError, UnloadedSecret, content_type

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "c4n4ry-s3cr3t"


class Bucket(UserConfiguration):
    access_key: str
    secret_key: str


class Holder(UserConfiguration):
    token: Secret[str] | None = None
    bucket: Secret[Bucket] | None = None
    default: Secret[str] = Secret(CANARY)


SHOWN: list[Callable[[Secret[str]], str]] = [
    str,
    repr,
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r:>40}",
    lambda secret: "{} {!r}".format(secret, secret),  # noqa: UP032 - what logging does
    lambda secret: repr([secret]),
    lambda secret: repr(Holder(token=secret)),
    lambda secret: str(Holder(token=secret)),
    lambda secret: Holder(token=secret).model_dump_json(),
    lambda secret: str(Holder(token=secret).model_dump()),
    lambda secret: json.dumps(Holder(token=secret).model_dump(mode="json")),
    lambda _: json.dumps(Holder.model_json_schema()),
]


@pytest.mark.parametrize("show", SHOWN)
def test_content_is_never_shown(show: Callable[[Secret[str]], str]) -> None:
    """Stars, wherever a secret is printed, dumped or described."""
    assert CANARY not in show(Secret(CANARY))


def test_content_stays_out_of_logs_and_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    """A secret in a log record or an exception is stars there."""
    secret = Secret(CANARY)
    text = "".join(traceback.format_exception(ValueError(secret)))
    logging.getLogger("test").warning("using %s", secret)

    assert CANARY not in text + caplog.text


def test_content_is_given_to_who_asks() -> None:
    """`get_secret_value` is the one door."""
    assert Secret(CANARY).get_secret_value() == CANARY


def test_plain_content_becomes_a_secret() -> None:
    """An author's test gives contents directly; they are validated as their type."""
    holder = Holder(token=Secret("a"), bucket=Secret(Bucket(access_key="b", secret_key="c")))

    assert Holder.model_validate({"token": "a", "bucket": {"access_key": "b", "secret_key": "c"}}) == holder


def test_refused_content_is_not_shown() -> None:
    """The error of a wrong content names the field only."""
    with pytest.raises(ValueError, match="bucket") as caught:
        Holder.model_validate({"bucket": {"access_key": CANARY, "secret_key": [CANARY], CANARY: 1}})

    assert CANARY not in "".join(traceback.format_exception(caught.value)).replace(f"unknown option {CANARY}", "")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda secret: pickle.loads(pickle.dumps(secret))])
def test_copies_keep_the_content(copied: Callable[[Secret[str]], Secret[str]]) -> None:
    """A secret goes to another process with its content."""
    assert copied(Secret(CANARY)) == Secret(CANARY)


def test_secrets_compare_and_hash_by_content() -> None:
    """Equal contents are equal secrets; parsed contents are frozen, so that they hash."""
    assert Secret({"a": [1]}) == Secret({"a": [1]})
    assert hash(Secret({"a": [1]})) == hash(Secret({"a": [1]}))
    assert isinstance(Secret({"a": 1}).get_secret_value(), FrozenDict)


def test_secret_that_is_not_loaded_says_so() -> None:
    """Its content is asked for in vain, also after pickling; it shows as any secret."""
    secret = pickle.loads(pickle.dumps(UnloadedSecret("name")))

    with pytest.raises(SecretNotLoadedError, match="this secret is not loaded here"):
        secret.get_secret_value()
    assert "name" not in repr(secret)


def test_schema_says_write_only_text() -> None:
    """In files and payloads, a secret is a reference, whatever its content is."""
    schema = Holder.model_json_schema()["properties"]["bucket"]["anyOf"][0]

    assert schema == {"type": "string", "writeOnly": True, "format": "password", "minLength": 1}


@pytest.mark.parametrize(("annotation", "expected"), [(Secret[int], int), (Secret, str), (Secret[Bucket], Bucket)])
def test_content_type(annotation: object, expected: object) -> None:
    """The type of the content is in brackets; text without them."""
    assert content_type(annotation) is expected
