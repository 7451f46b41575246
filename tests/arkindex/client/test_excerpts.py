"""Text from outside, made fit for messages and logs."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from arkworker.arkindex.client.excerpts import LONGEST, Excerpts, QueryFilter, escape, mask_query


@given(st.binary(max_size=600) | st.text(max_size=600))
def test_an_excerpt_is_short_and_printable(content: bytes | str) -> None:
    """Whatever it is made of."""
    excerpt = Excerpts("canary").of(content)

    assert (len(excerpt) <= LONGEST, excerpt.isprintable()) == (True, True)


def test_control_characters_are_escaped() -> None:
    """A terminal shows them instead of obeying."""
    assert escape("a\x1b[31mb\r\nc\u202ed") == r"a\x1b[31mb\r\nc\u202ed"


def test_a_long_text_is_cut() -> None:
    """And says so."""
    assert escape("x" * 1000) == "x" * 199 + "…"


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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.org/x?y=z#w", "https://a.org/x?…"),
        ("https://a.org/x", "https://a.org/x"),
        ("https://user:pass@a.org/", "https://a.org/"),
        ("https://[::1", "an invalid address"),
        ("https://a.org/\x1b", r"https://a.org/\x1b"),
    ],
)
def test_an_address_is_shown_without_its_query(url: str, shown: str) -> None:
    """Nor user, password and fragment."""
    assert mask_query(url) == shown


def test_records_of_the_libraries_below_lose_their_queries() -> None:
    """The line stays, what signs the address goes, and so does a traceback that may repeat it."""
    url = "https://a.org/x?sig=abc"
    record = logging.LogRecord(
        "urllib3", logging.DEBUG, "", 0, '"%s %s"', ("GET", url), (ValueError, ValueError(url), None)
    )

    assert QueryFilter().filter(record)
    assert (record.getMessage(), record.exc_info) == ('"GET https://a.org/x?…"', None)
