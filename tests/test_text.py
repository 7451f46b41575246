"""Text from outside is fit for a terminal and a log line; a misspelt name finds its neighbour."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arkworker.text import did_you_mean, flag_in, presentable, printable


def test_plain_text_stays() -> None:
    """Letters of any script, digits and blanks are shown as they are."""
    assert printable("Données 数据 1.5") == "Données 数据 1.5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eleft", r"\u202eleft"),
        ("\ud800", r"\ud800"),
        ("\x00", r"\x00"),
    ],
)
def test_what_a_terminal_would_obey_is_written_as_an_escape(text: str, expected: str) -> None:
    """Control characters, line breaks, changes of direction and half characters do nothing."""
    assert printable(text) == expected


def test_long_text_is_cut() -> None:
    """The limit counts characters as shown, escapes included."""
    assert printable("a" * 300, 10) == "aaaaaaaaaa…"
    assert printable("\n" * 10, 10) == r"\n\n\n\n\n…"


@given(st.text(), st.integers(1, 50))
def test_result_is_always_printable_and_short(text: str, limit: int) -> None:
    """Whatever comes in, one printable line of limited length comes out."""
    shown = printable(text, limit)

    assert shown.isprintable()
    assert len(shown) <= limit + 1


def test_nearest_name_is_suggested() -> None:
    """Neither a wrong letter nor another case hides what was meant."""
    assert did_you_mean("THRESOLD", ["threshold", "size"]) == "did you mean threshold?"


def test_no_name_is_near() -> None:
    """Nothing is suggested at random."""
    assert did_you_mean("zzz", ["threshold", "size"]) == ""


def test_prefix_is_shown_and_not_compared() -> None:
    """What all names begin with makes none of them near."""
    assert did_you_mean("SIZ", ["SIZE"], prefix="ARKINDEX_") == "did you mean ARKINDEX_SIZE?"
    assert did_you_mean("ZZZ", ["SIZE"], prefix="ARKINDEX_") == ""


def test_suggestion_is_printable() -> None:
    """A known name may hold anything, too."""
    assert did_you_mean("size\x1b", ["size\x1b["]) == r"did you mean size\x1b[?"


@pytest.mark.parametrize(
    ("typed", "flag"),
    [("--name=s3cr3t", "--name"), ("--name", "--name"), ("-vs3cr3t", "-v"), ("-4", "-4"), ("--\x1b", r"--\x1b")],
)
def test_flag_is_shown_without_its_value(typed: str, flag: str) -> None:
    """After a single dash, the flag is one letter."""
    assert flag_in(typed) == flag


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.org/x?y=z#w", "https://a.org/x?…"),
        ("https://a.org/x", "https://a.org/x"),
        ("https://user:pass@a.org/", "https://a.org/"),
        ("https://[::1", "https://[::1"),
        ("s3://key:secret@bucket/x#y", "s3://bucket/x?…"),
        ("no address?a=b", "no address?a=b"),
        ("https://a.org/\x1b", r"https://a.org/\x1b"),
    ],
)
def test_an_address_is_shown_without_its_query(url: str, shown: str) -> None:
    """Nor user, password and fragment."""
    assert presentable(url) == shown
