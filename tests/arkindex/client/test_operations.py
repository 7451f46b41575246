"""Addresses of operations: parameters are checked and encoded before they become part of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from arkworker.arkindex.client.operations import Operation
from arkworker.arkindex.client.table import OPERATIONS
from arkworker.errors import UsageError

ELEMENT = OPERATIONS["RetrieveElement"]
ELEMENTS = OPERATIONS["ListElements"]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("5f1c", "5f1c"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (12, "12"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("a?b#c%2F", "a%3Fb%23c%252F"),
        ("{id}", "%7Bid%7D"),
        ("..a", "..a"),
        ("a;b&c=d", "a%3Bb%26c%3Dd"),
        ("@evil.org", "%40evil.org"),
    ],
)
def test_a_parameter_is_encoded(value: Any, part: str) -> None:
    """So that it stays one part of the path."""
    assert ELEMENT.locate({"id": value}) == f"/api/v1/element/{part}/"


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "a/b", "/", "../x", "a\nb", "a\x00", "\x7f", "\u2028", "\ud800", None, {}, b"x", "x/../y"],
)
def test_what_cannot_be_part_of_a_path_is_refused(value: Any) -> None:
    """Before anything is sent; the message names operation and parameter, not the value."""
    with pytest.raises(UsageError, match=r"RetrieveElement.*'id'") as caught:
        ELEMENT.locate({"id": value})

    assert str(caught.value).isprintable()


def test_a_path_as_parameter_keeps_its_slashes() -> None:
    """Artifacts and secrets have them; they are sent as the published client sends them."""
    artifact = OPERATIONS["DownloadArtifact"].locate({"id": "1", "path": "a/b c.txt"})

    assert artifact == "/api/v1/task/1/artifact/a%2Fb%20c.txt"


@pytest.mark.parametrize("path", ["/etc/passwd", "a/../b", "a//b", "./a", "a/", "..", ""])
def test_a_path_as_parameter_cannot_leave(path: str) -> None:
    """No empty component, no dots."""
    with pytest.raises(UsageError):
        OPERATIONS["RetrieveSecret"].locate({"name": path})


def test_query_parameters_are_encoded_in_the_order_of_the_table() -> None:
    """None is left out, a list repeats its name, a boolean is spelt as the published client does."""
    parameters = {"type": ["page", "a&b"], "corpus": "1", "with_zone": True, "name": None, "folder": "é ="}

    assert (
        ELEMENTS.locate(parameters)
        == "/api/v1/corpus/1/elements/?folder=%C3%A9%20%3D&type=page&type=a%26b&with_zone=True"
    )


def test_an_unknown_parameter_names_the_nearest() -> None:
    """As everything that a person types."""
    with pytest.raises(UsageError, match="ListElements has no parameter 'with_zones'; did you mean with_zone"):
        ELEMENTS.locate({"corpus": "1", "with_zones": True})


def test_a_missing_parameter_is_named() -> None:
    """A path cannot do without."""
    with pytest.raises(UsageError, match="RetrieveElement needs the parameter 'id'"):
        ELEMENT.locate({})


def test_a_query_parameter_cannot_hold_control_characters() -> None:
    """Nothing that arrived in a payload steers a log or a header."""
    with pytest.raises(UsageError, match="control character"):
        ELEMENTS.locate({"corpus": "1", "name": "a\r\nb"})


@pytest.mark.parametrize(
    ("method", "writes", "repeatable"),
    [
        ("GET", False, True),
        ("HEAD", False, True),
        ("PUT", True, True),
        ("DELETE", True, True),
        ("POST", True, False),
        ("PATCH", True, False),
    ],
)
def test_the_method_says_what_writes_and_what_may_be_repeated(
    method: str,
    writes: bool,  # noqa: FBT001 - a parameter
    repeatable: bool,  # noqa: FBT001 - a parameter
) -> None:
    """As RFC 9110 does."""
    operation = Operation("X", method, "/x/")

    assert (operation.writes, operation.repeatable) == (writes, repeatable)


def test_a_claim_is_repeated_although_it_writes() -> None:
    """The caller counts what was lost."""
    claim = OPERATIONS["StartWorkerActivity"]

    assert (claim.writes, claim.repeatable) == (True, True)
