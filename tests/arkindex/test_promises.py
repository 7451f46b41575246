"""What operations promise."""

from __future__ import annotations

from typing import Any

import pytest

from arkworker.arkindex.promises import address_of, existing_id_of, record_of, text_of
from arkworker.elements.records import Corpus
from arkworker.errors import ApiContentError, ApiMessage, ApiResponseError


def test_a_record_keeps_what_it_does_not_declare() -> None:
    """Servers say more from release to release."""
    assert record_of(Corpus, "X", {"id": "1", "new": 3}).new == 3  # type: ignore[attr-defined] # kept as it came


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"id": 3}, {"id": "canary", "public": "canary"}])
def test_what_is_no_record_is_one_line(answer: Any) -> None:
    """It names the field, and shows nothing of the value."""
    with pytest.raises(ApiContentError, match=r"X: (the answer|id|public): ") as caught:
        record_of(Corpus, "X", answer)

    assert ("canary" in str(caught.value), caught.value.__cause__) == (False, None)


def test_what_is_not_an_object_is_called_so() -> None:
    """Rather than by the name of a class."""
    with pytest.raises(ApiContentError) as caught:
        record_of(Corpus, "X", ["canary"])

    assert caught.value.message == "the answer: Input should be an object"


@pytest.mark.parametrize("answer", [None, [], {}, {"url": None}, {"url": 3}, {"url": ""}])
def test_a_text_that_is_none_is_an_error(answer: Any) -> None:
    """Neither is an address."""
    with pytest.raises(ApiContentError, match="X: url: should be a text"):
        text_of("X", answer, "url")
    with pytest.raises(ApiContentError, match="X: url: should be the address"):
        address_of("X", answer, "url")


@pytest.mark.parametrize("url", ["/canary", "file:///canary", "ftp://canary/x", "canary"])
def test_an_address_is_one_of_the_web(url: str) -> None:
    """It is not shown: it may be signed."""
    with pytest.raises(ApiContentError) as caught:
        address_of("X", {"url": url}, "url")

    assert "canary" not in str(caught.value)


def error(status: int, *messages: ApiMessage, existing_id: str | None = None) -> ApiResponseError:
    return ApiResponseError("X", "m", status=status, messages=messages, existing_id=existing_id)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (error(409, existing_id="1"), "1"),
        (error(400, ApiMessage("Taken.", field="url"), ApiMessage("1", field="id")), "1"),
        (error(400, ApiMessage("Taken.", field="url")), None),
        (error(500, ApiMessage("1", field="id"), existing_id="1"), None),
        (error(403, existing_id="1"), None),
    ],
)
def test_the_object_that_exists_already_is_named(refusal: ApiResponseError, expected: str | None) -> None:
    """By newer servers and by older ones."""
    assert existing_id_of(refusal) == expected
