"""What a worker finds: values that can be published, or one line that says why not."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from arkworker.elements.results import Child, Classification, Embedding, Entity, Link, Metadata, Transcription, Update
from arkworker.errors import ArkworkerError, ResultError

if TYPE_CHECKING:
    from collections.abc import Callable

SQUARE = [(0, 0), (0, 10), (10, 10), (10, 0)]


def make(kind: type[Any], **values: Any) -> Any:
    """A result of values that are as wrong as the ones of a dict."""
    return kind(**values)


def test_numbers_and_arrays_of_numpy_are_fine() -> None:
    """They become Python's, so that they can be sent."""
    child = make(Child, type="text_line", polygon=np.array(SQUARE, np.float32), confidence=np.float32(0.5))
    entity = make(Entity, type="place", offset=np.int64(1), length=np.int32(2))

    assert child.polygon == tuple((float(x), float(y)) for x, y in SQUARE)
    assert (type(child.confidence), type(child.polygon[0][0])) == (float, float)
    assert (type(entity.offset), type(entity.length)) == (int, int)
    assert make(Embedding, value=np.ones(2)).value == (1.0, 1.0)


@pytest.mark.parametrize("confidence", [0, 1, 0.5])
def test_a_confidence_may_be_an_integer(confidence: float) -> None:
    """The published library refuses an integer 1."""
    assert Transcription(text="x", confidence=confidence).confidence == confidence


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: make(Transcription, text="x", confidence=1.2),
            "Transcription.confidence: Input should be less than or equal to 1",
        ),
        (
            lambda: make(Transcription, text="x", confidence=float("nan")),
            "Transcription.confidence: Input should be a finite number",
        ),
        (
            lambda: make(Transcription, text="x", confidence=True),
            "Transcription.confidence: Input should be a valid number",
        ),
        (lambda: make(Transcription, text=" \n", confidence=1), "Transcription.text: should not be empty"),
        (
            lambda: make(Transcription, text="a\0", confidence=1),
            "Transcription.text: should hold no null character and no half of a surrogate pair",
        ),
        (
            lambda: make(Metadata, type="text", name="n", value="\ud800"),
            "Metadata.value: should hold no null character and no half of a surrogate pair",
        ),
        (lambda: make(Transcription, text="x"), "Transcription.confidence: Field required"),
        (
            lambda: make(Transcription, text="x", confidence=1, entity=()),
            "Transcription.entity: Extra inputs are not permitted",
        ),
        (
            lambda: make(Child, type="line", polygon=SQUARE[:2]),
            "Child.polygon: a polygon needs at least three different points, not 2",
        ),
        (
            lambda: make(Child, type="line", polygon=[*SQUARE[:2], SQUARE[0]]),
            "Child.polygon: a polygon needs at least three different points, not 2",
        ),
        (
            lambda: make(Child, type="line", polygon=[(0, 0), (0, -1), (1, 1)]),
            "Child.polygon: coordinates should not be negative",
        ),
        (
            lambda: make(Child, type="line", polygon=[(0, 0, 0)] * 3),
            "Child.polygon: point 1 is not a pair of numbers",
        ),
        (lambda: make(Child, type="", polygon=SQUARE), "Child.type: should not be empty"),
        (lambda: make(Entity, type="place", offset=-1, length=1), "Entity.offset: Input should be greater than or eq"),
        (lambda: make(Entity, type="place", offset=0, length=0), "Entity.length: Input should be greater than 0"),
        (lambda: make(Metadata, type="colour", name="n", value="v"), "Metadata.type: Input should be 'text', 'markdo"),
        (
            lambda: make(Metadata, type="numeric", name="n", value="nan"),
            "Metadata: value should be a number, as the type is numeric",
        ),
        (
            lambda: make(Metadata, type="url", name="n", value="javascript:alert(1)"),
            "Metadata: value should be an http or https address, as the type is url",
        ),
        (lambda: make(Embedding, value=[]), "Embedding.value: Tuple should have at least 1 item"),
        (lambda: make(Embedding, value=[1, float("inf")]), "Embedding.value.1: Input should be a finite number"),
        (lambda: make(Update), "Update: nothing to update: give at least one field"),
        (lambda: make(Update, name=None), "Update: nothing to update: give at least one field"),
        (lambda: make(Update, rotation_angle=360), "Update.rotation_angle: Input should be less than or equal to 359"),
        (lambda: make(Link), "Link: nothing to link: give parents or children"),
        (lambda: make(Classification, class_name="x" * 251, confidence=1), "Classification.class_name: String should"),
    ],
)
def test_what_cannot_be_published_is_refused_where_it_is_made(attempt: Callable[[], Any], message: str) -> None:
    """One line that names the field, without what was given."""
    with pytest.raises(ResultError) as caught:
        attempt()

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ArkworkerError)


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ([(4, 2)], "Transcription: entities.0 ends beyond the text"),
        ([(0, 2), (0, 2)], "Transcription: entities should be different from each other"),
    ],
)
def test_entities_lie_in_their_text(entities: list[tuple[int, int]], message: str) -> None:
    """And each is there once."""
    given = [Entity(type="place", offset=offset, length=length) for offset, length in entities]

    with pytest.raises(ResultError) as caught:
        make(Transcription, text="Paris", confidence=1, entities=given)

    assert str(caught.value) == message


def test_all_fields_that_are_wrong_are_named() -> None:
    """Not only the first."""
    with pytest.raises(ResultError, match=r"Transcription.text: .*; Transcription.confidence: "):
        make(Transcription, text="", confidence=2)


def test_results_nest() -> None:
    """Any iterable of results will do."""
    word = Child(type="word", results=[Transcription(text="x", confidence=1)])

    assert make(Child, type="line", results=(item for item in [word])).results == (word,)
    with pytest.raises(ResultError, match=r"Child.results.1"):
        make(Child, type="line", results=[word, 3])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (["x"], "Child.results.0: should be a result, such as Transcription or Child, not str"),
        ([[]], "Child.results.0: should be a result, such as Transcription or Child, not list"),
        ([Child], "Child.results.0: should be a result, such as Transcription or Child, not the class Child"),
        (
            [Entity(type="place", offset=0, length=1)],
            "Child.results.0: should be a result, such as Transcription or Child, not Entity",
        ),
        (Transcription(text="x", confidence=1), "Child.results: should be a list of results, not Transcription"),
        ("x", "Child.results: should be a list of results, not str"),
    ],
)
def test_what_is_no_result_is_no_part_of_a_child(results: Any, message: str) -> None:
    """The message names what was given by its type."""
    with pytest.raises(ResultError) as caught:
        make(Child, type="line", results=results)

    assert str(caught.value) == message


def test_an_update_holds_what_was_given() -> None:
    """A confidence of None is a change, everything else of None is left out."""
    assert Update(name="x", type=None).changes == {"name": "x"}
    assert Update(confidence=None).changes == {"confidence": None}


def test_results_are_frozen_and_pickle() -> None:
    """They go from thread to thread and from process to process."""
    child = make(Child, type="line", polygon=SQUARE, results=[Transcription(text="x", confidence=1)])

    assert pickle.loads(pickle.dumps(child)) == child
    assert len({child, pickle.loads(pickle.dumps(child))}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        child.type = "other"


def test_the_representation_is_what_one_would_write() -> None:
    """Without the field that tells the kinds apart."""
    assert repr(Entity(type="place", offset=0, length=1)) == "Entity(type='place', offset=0, length=1, confidence=None)"
    assert repr(Link(parents=["p"])) == "Link(parents=('p',), children=())"
