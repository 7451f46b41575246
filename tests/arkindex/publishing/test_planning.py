"""From results to requests."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from arkworker.arkindex.publishing.plan import Ref
from arkworker.arkindex.publishing.planning import plan
from arkworker.elements.model import Element
from arkworker.elements.results import (
    Child,
    Classification,
    Embedding,
    Entity,
    Link,
    Metadata,
    On,
    Result,
    Transcription,
    Update,
)
from arkworker.elements.stored import StoredTranscription
from arkworker.errors import ResultError

IMAGE = {"id": "i", "width": 1000, "height": 1400}
PAGE = Element.model_validate(
    {"id": "page", "type": "page", "corpus": {"id": "corpus"}, "zone": {"polygon": [], "image": IMAGE}}
)
FOLDER = Element.model_validate({"id": "folder", "type": "folder", "corpus": {"id": "corpus"}})
TEXT = Transcription(text="Paris", confidence=0.5)


def outline(number: int = 0) -> list[tuple[int, int]]:
    """A different one for each number."""
    return [(number, 0), (number, 10), (number + 10, 10)]


def operations(results: list[Any], element: Element = PAGE, **options: Any) -> dict[str, int]:
    made = plan(element, results, worker_run_id="run", **options)
    return dict(Counter(request.operation for request in made.requests))


def unchecked(**values: Any) -> Child:
    return Child.model_construct(**{"type": "a", "polygon": tuple(outline()), "results": (), **values})


def lines(count: int, *results: Result, kind: str = "text_line", name: str | None = None) -> list[Child]:
    return [Child(type=kind, polygon=outline(number), name=name, results=results) for number in range(count)]


def test_nothing_found_needs_no_request() -> None:
    """An element without results is published by doing nothing."""
    assert plan(PAGE, [], worker_run_id="run").requests == ()


@pytest.mark.parametrize(("count", "requests"), [(1, 1), (50, 1), (51, 2), (300, 6)])
def test_children_are_created_together_with_their_transcriptions(count: int, requests: int) -> None:
    """Both in one request for a batch of them."""
    assert operations(lines(count, TEXT)) == {"CreateElementTranscriptions": requests}


def test_named_children_come_first_then_all_transcriptions() -> None:
    """What has a name of its own cannot be created with its transcription."""
    assert operations(lines(300, TEXT, name="x")) == {"CreateElements": 6, "CreateTranscriptions": 6}


def test_few_children_of_many_types_share_their_requests() -> None:
    """One request for elements of five types and one for their transcriptions, instead of five."""
    results = [line for kind in "abcde" for line in lines(1, TEXT, kind=kind)]

    assert operations(results) == {"CreateElements": 1, "CreateTranscriptions": 1}


def test_full_batches_are_merged_and_the_rests_shared() -> None:
    """Of three types with 51 children each, 50 are merged and one is not."""
    results = [line for kind in "abc" for line in lines(51, TEXT, kind=kind)]

    expected = {"CreateElements": 1, "CreateElementTranscriptions": 3, "CreateTranscriptions": 1}
    assert operations(results) == expected


def test_equal_outlines_stay_two_elements() -> None:
    """Arkindex would take two children of one type and outline for the same element."""
    closed = [*outline(), outline()[0]]
    results = [Child(type="a", polygon=points, results=[TEXT]) for points in (outline(), closed)]

    assert operations(results) == {"CreateElements": 1, "CreateTranscriptions": 1}


def test_batches_have_the_size_that_is_wanted() -> None:
    """It is an option."""
    assert operations(lines(7), batch_size=3) == {"CreateElements": 3}


def test_children_below_children_wait_for_their_ids() -> None:
    """Level by level; a request refers to the child that an earlier one creates."""
    word = Child(type="word", polygon=outline(1))
    first, second = plan(PAGE, [Child(type="line", polygon=outline(), results=[word])], worker_run_id="run").requests

    assert first.gives == ((Ref("element", "results.0"),),)
    assert (second.operation, second.parameters) == ("CreateElements", {"id": Ref("element", "results.0")})


def test_children_are_numbered_by_their_type() -> None:
    """From 1, named ones counted."""
    results = [Child(type=kind, polygon=outline(), name=name) for kind, name in [("a", None), ("b", None), ("a", "x")]]
    results.append(Child(type="a", polygon=outline()))

    (request,) = plan(PAGE, results, worker_run_id="run").requests

    assert [item["name"] for item in request.body["elements"]] == ["1", "1", "x", "3"]


def test_a_child_without_outline_is_created_by_itself() -> None:
    """Also on an element without an image."""
    (request,) = plan(FOLDER, [Child(type="page", name="1")], worker_run_id="run").requests

    assert request.operation == "CreateElement"
    assert (request.body["parent"], request.body["corpus"], request.body["polygon"]) == ("folder", "corpus", None)


def test_a_child_with_an_image_of_its_own_is_created_by_itself() -> None:
    """Where its parent has none; its own children are on that image, in bulk."""
    word = Child(type="word", polygon=outline())
    page = Child(type="page", name="1", image="image-id", results=[word, word])
    part = Child(type="page", image="image-id", polygon=outline(5000))

    requests = plan(FOLDER, [page, part], worker_run_id="run").requests

    assert [request.operation for request in requests] == ["CreateElement", "CreateElement", "CreateElements"]
    assert [(request.body["image"], request.body["polygon"]) for request in requests[:2]] == [
        ("image-id", None),
        ("image-id", [[5000, 0], [5000, 10], [5010, 10]]),
    ]
    assert requests[2].parameters == {"id": Ref("element", "results.0")}


def test_an_update_may_move_to_another_image() -> None:
    """Its outline is on that one, whatever the size of the first."""
    (request,) = plan(PAGE, [Update(image="image-id", polygon=outline(5000))], worker_run_id="run").requests

    assert (request.operation, request.body["image"]) == ("PartialUpdateElement", "image-id")


def test_entities_take_one_request_for_each_transcription() -> None:
    """All of them at once, whatever the size of a batch: there is no operation for several transcriptions."""
    entities = [Entity(type="place", offset=offset, length=1) for offset in range(4)]
    text = Transcription(text="Paris", confidence=1, entities=entities)

    assert operations([text, *lines(2, text)], batch_size=3) == {
        "CreateElementTranscriptions": 1,
        "CreateTranscription": 1,
        "CreateTranscriptionEntities": 3,
    }


def test_what_is_on_the_element_goes_in_bulk() -> None:
    """One request for each kind; changes come last, as one."""
    results = [
        *(Update(name="a"), Update(confidence=0.5), Update(name="b")),
        *(Classification(class_name=name, confidence=0.5) for name in "ab"),
        *(Metadata(type="text", name=name, value="v") for name in "ab"),
        *(Link(parents=["p", "q"]), Link(children=["c", "d"]), Link(children=["c"])),
        Embedding(value=[1, 2]),
        *(TEXT, TEXT),
    ]

    requests = plan(PAGE, results, worker_run_id="run").requests

    assert [request.operation for request in requests] == [
        "CreateTranscriptions",
        "CreateClassifications",
        "CreateMetaDataBulk",
        "CreateEmbedding",
        "CreateElementParent",
        "CreateElementParent",
        "CreateElementChildren",
        "PartialUpdateElement",
    ]
    assert requests[-1].body == {"name": "b", "confidence": 0.5}
    assert requests[-2].body == {"children": ["c", "d"]}


def test_what_the_corpus_must_have_is_told_with_its_place() -> None:
    """The first place of each name."""
    entity = Entity(type="place", offset=0, length=1)
    found: list[Result] = [
        Transcription(text="x", confidence=1, entities=[entity]),
        Classification(class_name="cat", confidence=1),
    ]

    made = plan(PAGE, [Update(type="letter"), *lines(2, *found)], worker_run_id="run")

    assert made.needs["element type"] == {"letter": "results.0.type", "text_line": "results.1.type"}
    assert made.needs["class"] == {"cat": "results.1.results.1.class_name"}
    assert made.needs["entity type"] == {"place": "results.1.results.0.entities.0.type"}


@pytest.mark.parametrize(
    ("element", "results", "message"),
    [
        (PAGE, [TEXT, 3], "results.1 should be a result, such as Transcription or Child, not int"),
        (FOLDER, [Child(type="a", polygon=outline())], "results.0.polygon: its parent has no image"),
        (FOLDER, [Update(polygon=outline())], "results.0.polygon: its parent has no image"),
        (
            PAGE,
            [Child(type="a", results=[Child(type="b", polygon=outline())])],
            "results.0.results.0.polygon: its parent has no image",
        ),
        (
            PAGE,
            [Child(type="a", polygon=outline(995))],
            "results.0.polygon: extends beyond the image of 1000 by 1400 pixels",
        ),
        (
            PAGE,
            [Classification(class_name="cat", confidence=0.5)] * 2,
            "results.1.class_name: cat is given twice on the same element",
        ),
    ],
)
def test_what_cannot_be_published_is_refused_with_its_place(element: Element, results: list[Any], message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ResultError) as caught:
        plan(element, results, worker_run_id="run")

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (TEXT.model_copy(update={"confidence": 1.2}), "results.0.confidence: Input should be less than or equal to 1"),
        (
            lines(1, TEXT.model_copy(update={"confidence": math.nan}))[0],
            "results.0.results.0.confidence: Input should be a finite number",
        ),
        (
            Transcription.model_construct(**dict[str, Any](text="")),
            "results.0.text: should not be empty; results.0.confidence: Field required",
        ),
        (
            TEXT.model_copy(update={"entities": (Entity.model_construct(type="a", offset=0, length=0),)}),
            "results.0.entities.0.length: Input should be greater than 0",
        ),
        (
            TEXT.model_copy(update={"entities": 3}),
            "results.0.entities: Input should be a valid tuple",
        ),
        (
            unchecked(polygon=outline()[:2]),
            "results.0.polygon: a polygon needs at least three different points, not 2",
        ),
        (
            unchecked(results=[[TEXT]]),
            (
                "results.0.results.0 should be a result, such as Transcription or Child, not list; "
                "give each of its results by itself"
            ),
        ),
        (
            unchecked(results="x"),
            "results.0.results should be a list of results, not str",
        ),
    ],
)
def test_a_value_that_was_changed_past_its_validation_is_refused(result: Any, message: str) -> None:
    """Pydantic offers ways around it; the message has the place among all results."""
    with pytest.raises(ResultError) as caught:
        plan(PAGE, [result], worker_run_id="run")

    assert str(caught.value) == message


@pytest.mark.parametrize("size", [1, 7, 50, 300, 1000])
def test_three_hundred_children_take_as_many_requests_as_the_size_of_a_batch_allows(size: int) -> None:
    """Children and transcriptions share theirs; entities have an operation for one transcription at once only."""
    entities = [Entity(type="place", offset=offset, length=2) for offset in range(3)]
    text = Transcription(text="Paris", confidence=1, entities=entities)
    batches = math.ceil(300 / size)

    assert operations(lines(300, text), batch_size=size) == {
        "CreateElementTranscriptions": batches,
        "CreateTranscriptionEntities": 300,
    }
    assert operations(lines(300, text, name="x"), batch_size=size) == {
        "CreateElements": batches,
        "CreateTranscriptions": batches,
        "CreateTranscriptionEntities": 300,
    }


def test_an_element_of_unknown_corpus_has_no_children_without_outline() -> None:
    """The operation needs the corpus; that of the run is the second choice."""
    lost = Element.model_validate({"id": "e"})

    with pytest.raises(ResultError, match="corpus"):
        plan(lost, [Child(type="a")], worker_run_id="run")

    assert operations([Child(type="a")], element=lost, corpus_id="corpus") == {"CreateElement": 1}


LINES = [Element(id=f"line-{number}", type="text_line") for number in range(100)]
STORED = StoredTranscription(id="stored", text="Paris", element_id="line-0")


def entity(offset: int = 0) -> Entity:
    return Entity(type="place", offset=offset, length=1)


def test_texts_of_a_hundred_lines_that_exist_take_two_requests() -> None:
    """Each item says which line it is for."""
    made = plan(PAGE, [On(line, TEXT) for line in LINES], worker_run_id="run")

    assert [request.operation for request in made.requests] == ["CreateTranscriptions"] * 2
    named = [item["element_id"] for request in made.requests for item in request.body["transcriptions"]]
    assert named == [line.id for line in LINES]


def test_what_is_on_other_elements_is_planned_with_the_rest() -> None:
    """Children first, level by level, then texts of all, then what is on each."""
    found: list[Result] = [
        Child(type="word", polygon=outline(), name="w"),
        TEXT,
        Metadata(type="text", name="n", value="v"),
    ]
    line = Element.model_validate({"id": "line", "zone": {"polygon": [], "image": IMAGE}})
    results = [TEXT, On(line, [*found, Classification(class_name="a", confidence=1)]), On(line, Update(name="x"))]

    made = plan(PAGE, results, worker_run_id="run")

    assert [(request.operation, request.parameters) for request in made.requests] == [
        ("CreateElements", {"id": "line"}),
        ("CreateTranscriptions", {}),
        ("CreateClassification", {}),
        ("CreateMetaData", {"id": "line"}),
        ("PartialUpdateElement", {"id": "line"}),
    ]


def test_the_processed_element_may_be_named_too() -> None:
    """It is then as if its results stood by themselves."""
    named = plan(PAGE, [On(PAGE, TEXT), On(PAGE, Child(type="a", polygon=outline()))], worker_run_id="run")
    plain = plan(PAGE, [TEXT, Child(type="a", polygon=outline())], worker_run_id="run")

    assert [(one.operation, one.body) for one in named.requests] == [
        (other.operation, other.body) for other in plain.requests
    ]


def test_entities_on_a_stored_transcription_take_one_request() -> None:
    """Those of several results together."""
    made = plan(PAGE, [On(STORED, [entity(0), entity(1)]), On(STORED, entity(2))], worker_run_id="run")

    (request,) = made.requests
    assert (request.operation, request.parameters) == ("CreateTranscriptionEntities", {"id": "stored"})
    assert [item["offset"] for item in request.body["transcription_entities"]] == [0, 1, 2]
    assert made.needs["entity type"] == {"place": "results.0.results.0.type"}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([On(STORED, entity()), On(STORED, entity())], "results.1.results.0 is given twice on the same transcription"),
        (
            [On(LINES[0], Classification(class_name="a", confidence=1))] * 2,
            "results.1.results.0.class_name: a is given twice on the same element",
        ),
        (
            [On(LINES[0], Child(type="a", polygon=outline()))],
            "results.0.results.0.polygon: its parent has no image",
        ),
        (
            [On(Element.model_validate({"id": "x", "corpus": {"id": "other"}}), TEXT)],
            "results.0.target: is in another corpus: publish on it with context.publish",
        ),
        (
            [On.model_construct(target=STORED, results=(entity(9),))],
            "results.0: results.0 ends at character 10, beyond the text of 5 characters",
        ),
    ],
    ids=["entity", "class", "outline", "corpus", "unchecked"],
)
def test_what_cannot_be_on_something_else_is_refused_with_its_place(results: list[Any], message: str) -> None:
    """All or nothing, before a request is sent."""
    with pytest.raises(ResultError) as caught:
        plan(PAGE, results, worker_run_id="run")

    assert str(caught.value).startswith(message)
