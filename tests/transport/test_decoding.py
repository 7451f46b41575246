"""Compressed bodies: each form that servers send, and those that end too early."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from arkworker.transport.decoding import decoded
from arkworker.transport.failures import Fault, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = b"".join(b"%d, " % number for number in range(400))


def bare(content: bytes) -> bytes:
    """Deflated, without the format of zlib around it."""
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(content) + made.flush()


FORMS = {
    "gzip": ("gzip", gzip.compress(CONTENT)),
    "x-gzip": ("X-GZIP", gzip.compress(CONTENT)),
    "named gzip": ("gzip", gzip.compress(CONTENT)[:3] + b"\x08" + gzip.compress(CONTENT)[4:10] + b"name\0"
                   + gzip.compress(CONTENT)[10:]),
    "several members": ("gzip", gzip.compress(CONTENT[:100]) + gzip.compress(b"") + gzip.compress(CONTENT[100:])),
    "zlib": ("deflate", zlib.compress(CONTENT)),
    "bare": ("deflate", bare(CONTENT)),
}  # fmt: skip


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def outcome(body: bytes, coding: str) -> str:
    """How a body is taken."""
    try:
        list(decoded(pieces(body, 4096), coding, 4096))
    except TransportError as error:
        return str(error) if error.fault is Fault.GARBLED else repr(error.fault)
    return "taken"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3, 70_000])
def test_every_form_is_decompressed(form: str, size: int) -> None:
    """However it comes in pieces; what is made is in pieces that are no larger than wanted."""
    coding, body = FORMS[form]

    made = list(decoded(pieces(body, size), coding, 100))

    assert (b"".join(made), max(map(len, made)) <= 100) == (CONTENT, True)


@pytest.mark.parametrize("form", FORMS)
def test_every_cut_is_a_cut(form: str) -> None:
    """The beginning of a body is not taken for the whole of it, wherever it ends; between members it may."""
    coding, body = FORMS[form]

    told = {end: outcome(body[:end], coding) for end in range(1, len(body))}

    ends = [end for end, text in told.items() if text != "the answer was cut short"]
    assert [told[end] for end in ends] == (["taken"] * 2 if form == "several members" else [])


@pytest.mark.parametrize("rest", [b"\0" * 100, b"\n", b"more"])
def test_what_follows_the_end_is_left_out(rest: bytes) -> None:
    """Some servers fill up a block."""
    assert b"".join(decoded(iter([gzip.compress(CONTENT) + rest]), "gzip", 4096)) == CONTENT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_no_body_is_an_empty_one(coding: str) -> None:
    """Headers may announce a coding where there is nothing to be coded."""
    assert list(decoded(iter([]), coding, 4096)) == []


@pytest.mark.parametrize("coding", ["identity", "aws-chunked", "br", "zstd", ""])
def test_what_was_not_asked_for_stays_as_it_is(coding: str) -> None:
    """A storage repeats what it was told of a file, whatever that is."""
    assert list(decoded(iter([b"as it is"]), coding, 4096)) == [b"as it is"]


@pytest.mark.parametrize(
    ("coding", "body", "told"),
    [
        ("gzip", b'{"id": "1"}', "the answer cannot be decompressed"),
        ("gzip", gzip.compress(CONTENT)[:-8] + bytes(8), "the answer cannot be decompressed"),
        ("deflate", b"\xff" * 100, "the answer cannot be decompressed"),
        ("gzip, gzip", gzip.compress(gzip.compress(CONTENT)), "the answer is compressed more than once"),
    ],
    ids=["plain", "wrong sum", "noise", "twice"],  # a gzip holds the second in which it was made
)
def test_a_damaged_body_is_an_error(coding: str, body: bytes, told: str) -> None:
    """Other data than was announced, or than was compressed."""
    with pytest.raises(TransportError, match=told):
        list(decoded(iter([body]), coding, 4096))
