"""What is stored about an element, as values."""

from __future__ import annotations

import pickle

import pytest

from arkworker.elements.stored import StoredClassification, StoredEntity, StoredMetadata, StoredTranscription
from arkworker.errors import ApiContentError, ArkworkerError

ANSWER = {"id": "t", "text": "Paris", "confidence": 1, "worker_run": {"id": "r", "summary": "Reader"}, "news": [1]}


def test_answers_are_typed() -> None:
    """Names and ids are taken from where the API puts them."""
    text = StoredTranscription.from_api({**ANSWER, "element": {"id": "e"}}, operation="o")
    kind = StoredClassification.from_api({"id": "c", "ml_class": {"id": "m", "name": "cat"}}, operation="o")
    entity = StoredEntity.from_api({"type": {"name": "place"}, "offset": 0, "length": 5}, operation="o")

    assert (text.element_id, text.worker_run_id, text.confidence, text.orientation) == ("e", "r", 1.0, "horizontal-lr")
    assert (kind.class_name, kind.worker_run_id, entity.type) == ("cat", None, "place")


def test_unknown_fields_are_kept_and_compare_to_nothing() -> None:
    """What one source says and another does not makes no difference."""
    text = StoredTranscription.from_api(ANSWER, operation="o")
    same = StoredTranscription(id="t", text="Paris", confidence=1, worker_run_id="r")

    assert text.model_extra is not None
    assert text.model_extra["news"] == [1]
    assert (text, hash(text)) == (same, hash(same))
    assert text != StoredTranscription(id="t", text="London", confidence=1, worker_run_id="r")


def test_they_are_frozen_and_pickle() -> None:
    """As elements are; what reads entities stays behind."""
    text = StoredTranscription.from_api(ANSWER, operation="o")

    with pytest.raises(ValueError, match="frozen"):
        text.text = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(text)) == text


def test_entities_of_no_run() -> None:
    """A transcription made by hand has nobody to ask."""
    with pytest.raises(ArkworkerError, match="transcription t does not belong to a run"):
        StoredTranscription(id="t", text="Paris").entities()


@pytest.mark.parametrize("value", ["1871", 12, 0.5])
def test_values_of_metadata(value: object) -> None:
    """Text stays text, and numbers numbers."""
    metadata = StoredMetadata.from_api({"id": "m", "type": "date", "name": "n", "value": value}, operation="o")

    assert (metadata.value, type(metadata.value)) == (value, type(value))


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"id": "t", "text": "\x1b", "confidence": "high"}])
def test_an_answer_that_describes_nothing(answer: object) -> None:
    """One line that names the operation."""
    with pytest.raises(ApiContentError, match=r"^ListTranscriptions: transcription .*: [^\n]*$"):
        StoredTranscription.from_api(answer, operation="ListTranscriptions")
