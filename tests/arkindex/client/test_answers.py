"""JSON that is what was promised, and what a server says about an error."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from arkworker.arkindex.client import answers
from arkworker.arkindex.client.answers import LONGEST, AnswerError, Excerpts
from arkworker.arkindex.client.table import OPERATIONS
from arkworker.errors import ApiMessage

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_sound_json_is_read_as_it_is(value: Any) -> None:
    """Values, types and order."""
    assert answers.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"<html>", "is not JSON"),
        (b'{"a": 1', "is not JSON"),
        (b"{} {}", "is not JSON"),
        (b'{"a": NaN}', "is not JSON"),
        (b"[Infinity]", "is not JSON"),
        (b"[1e400]", "not finite"),
        (b"[-1e400]", "not finite"),
        (b"[1" + b"0" * 400 + b".0]", "not finite"),
        (b"[" + b"9" * 5000 + b"]", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[" * 300 + b"]" * 300, "is not JSON"),
        (b'{"a": 1, "a": 1}', "a key twice"),
        (b'[[{"b": {"a": 1, "a": 1}}]]', "a key twice"),
        (b'"\xff"', "is not JSON"),
        (rb'"\ud800"', "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b"[" + b"[]," * answers.MOST_VALUES + b"1]", "more than 2,000,000 values"),
        (b"[" + b"1," * answers.MOST_VALUES + b"1]", "more than 2,000,000 values"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_sound_json_is_refused(body: bytes, reason: str) -> None:
    """With a short reason that repeats nothing of it."""
    with pytest.raises(AnswerError, match=reason) as caught:
        answers.parse(body)

    assert len(str(caught.value)) < 120


def refusal_of(value: Any, answer: Any) -> str:
    try:
        answers.check(value, answer)
    except AnswerError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("value", "answer", "kind"),
    [
        ([], "object", "a list where an object"),
        (None, "object", "null where an object"),
        ("x", "object", "a text where an object"),
        (True, "object", "a boolean where an object"),
        (1.5, "object", "a number where an object"),
        ({}, "list", "an object where a list"),
    ],
)
def test_a_value_of_another_shape_is_refused(value: Any, answer: Any, kind: str) -> None:
    """The reason says what came and what was promised."""
    assert kind in refusal_of(value, answer)


@pytest.mark.parametrize(
    ("value", "answer"), [({}, "object"), ([], "list"), (1, "anything"), (None, "nothing"), ([], "anything")]
)
def test_a_value_of_the_promised_shape_passes(value: Any, answer: Any) -> None:
    """And what was not promised is not checked."""
    assert refusal_of(value, answer) == ""


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        ({"detail": "Not found."}, [ApiMessage("Not found.")]),
        ({"name": ["Too long.", "Odd."]}, [ApiMessage("Too long.", field="name"), ApiMessage("Odd.", field="name")]),
        ({"non_field_errors": ["Exists."]}, [ApiMessage("Exists.")]),
        (["One.", "Two."], [ApiMessage("One."), ApiMessage("Two.")]),
        ({"zone": {"polygon": ["Flat."]}}, [ApiMessage("Flat.", field="zone.polygon")]),
        ({"elements": [{}, {"name": ["Blank."]}]}, [ApiMessage("Blank.", field="elements.name")]),
        (
            {"type": "validation_error", "errors": [{"attr": ["zone", 0], "code": "invalid", "detail": "Flat."}]},
            [ApiMessage("Flat.", "invalid", "zone.0")],
        ),
        (
            {"type": "client_error", "errors": [{"attr": None, "code": "not_found", "detail": "Not found."}]},
            [ApiMessage("Not found.", "not_found")],
        ),
        (
            {"type": "validation_error", "errors": [{"attr": ["non_field_errors"], "code": "unique", "detail": "X."}]},
            [ApiMessage("X.", "unique")],
        ),
        ({"type": "client_error", "errors": ["odd", {}]}, [ApiMessage("")]),
        ({"errors": ["Old."]}, [ApiMessage("Old.", field="errors")]),
        ({}, []),
        (None, []),
        (7, [ApiMessage("7")]),
    ],
)
def test_both_styles_of_messages_are_read(data: Any, messages: list[ApiMessage]) -> None:
    """Fields, codes and sentences, in order."""
    assert answers.messages(json.dumps(data).encode(), str) == (messages, None)


def test_the_id_of_what_exists_is_read() -> None:
    """Conflicts name it."""
    body = json.dumps({"detail": "Exists.", "existing_id": "5f1c"}).encode()

    assert answers.messages(body, str) == ([ApiMessage("Exists.")], "5f1c")


def test_only_some_messages_are_read() -> None:
    """A thousand would hide the first."""
    found, _ = answers.messages(json.dumps(["x"] * 1000).encode(), str)

    assert len(found) == answers.MESSAGES


@pytest.mark.parametrize("body", [b"", b"<html>", b"Bad gateway", b"[" * 100_000])
def test_what_is_no_json_holds_no_messages(body: bytes) -> None:
    """The text itself is shown instead."""
    assert answers.messages(body, str) == ([], None)


@given(st.binary(max_size=600) | st.text(max_size=600))
def test_an_excerpt_is_short_and_printable(content: bytes | str) -> None:
    """Whatever it is made of."""
    excerpt = Excerpts("canary").of(content)

    assert (len(excerpt) <= LONGEST, excerpt.isprintable()) == (True, True)


@pytest.mark.parametrize("token", ["canary-5f1c9e", "can/ary+5f1c9e="])
def test_the_token_is_starred(token: str) -> None:
    """Also where it was percent-encoded, and when it lies across the cut."""
    text = f"{token} {quote(token, safe='')} " + "x" * 180 + token

    excerpt = Excerpts(token).of(text)

    assert (excerpt.startswith("********** ********** x"), token[:5] in excerpt) == (True, False)


def test_no_token_stars_nothing() -> None:
    """An anonymous client has nothing to hide."""
    assert Excerpts(None).of("abc") == Excerpts("").of(b"abc") == "abc"


def test_query_strings_are_masked() -> None:
    """A signature in an error of the storage is one that works."""
    text = 'see "https://s3.example/x?X-Amz-Signature=abc&y=z" and http://a.org/?t=1.'

    assert Excerpts(None).of(text) == 'see "https://s3.example/x?…" and http://a.org/?…'


@pytest.mark.parametrize("name", ["RetrieveSecret", "RetrieveWorkerRun", "RetrieveWorkerRunConfiguration"])
@pytest.mark.parametrize("body", [b'{"content": "s3cr3t"', b'["s3cr3t"]', b"s3cr3t"])
def test_answer_that_may_hold_secrets_is_not_shown(name: str, body: bytes) -> None:
    """It may be cut, or not be what was promised; a page of a proxy is shown."""
    operation = OPERATIONS[name]

    assert "s3cr3t" not in str(answers.judge(operation, 200, body, Excerpts(None)).error)
    assert "<h1>Bad" in str(answers.judge(operation, 200, b"<h1>Bad gateway</h1>", Excerpts(None)).error)
    assert "s3cr3t" in str(answers.judge(OPERATIONS["RetrieveCorpus"], 200, b'["s3cr3t"]', Excerpts(None)).error)
