"""Results on an emulated Arkindex."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.publishing import sending
from arkworker.arkindex.publishing.publisher import SummarizingPublisher
from arkworker.elements.model import Element
from arkworker.elements.results import (
    Child,
    Classification,
    Created,
    Embedding,
    Entity,
    Link,
    Metadata,
    On,
    Transcription,
    Update,
)
from arkworker.emulator import Fault
from arkworker.errors import ArkworkerError, PublicationError, ResultError

if TYPE_CHECKING:
    from tests.arkindex.publishing.conftest import Site


def outline(number: int = 0) -> list[tuple[int, int]]:
    return [(number, 0), (number, 10), (number + 10, 10)]


TEXT = Transcription(text="Paris", confidence=1)
ENTITIES = (Entity(type="place", offset=0, length=5), Entity(type="person", offset=0, length=5))


def test_results_of_every_kind_arrive(site: Site) -> None:
    """Each is on its element, signed by the worker run."""
    other = site.emulator.add_element("page", "Other")
    entity = Entity(type="place", offset=2, length=5, confidence=0.25)
    site.publisher().publish(
        site.page,
        [
            Transcription(text="À Paris", confidence=1, entities=[entity]),
            Classification(class_name="letter", confidence=0.75),
            Metadata(type="date", name="written", value="1871-03-18"),
            Embedding(value=[0.5, 1]),
            Link(children=[other]),
            Update(name="First page"),
            Child(type="text_line", polygon=outline(), confidence=0.5, results=[Embedding(value=[1])]),
        ],
    )

    page = site.client.request("RetrieveElement", id=site.page.id)
    (text,) = site.get("ListTranscriptions", id=site.page.id)
    (found,) = site.get("ListTranscriptionEntities", id=text["id"])
    children = {child["type"]: child for child in site.get("ListElementChildren", id=site.page.id)}
    assert page["name"] == "First page"
    assert [item["ml_class"]["name"] for item in page["classifications"]] == ["letter"]
    assert [item["value"] for item in page["metadata"]] == ["1871-03-18"]
    assert (text["text"], text["worker_run"]["id"]) == ("À Paris", site.run)
    assert (found["type"]["name"], found["offset"], found["confidence"]) == ("place", 2, 0.25)
    assert (children["page"]["id"], children["text_line"]["name"]) == (other, "1")
    assert [e["value"] for e in site.get("ListEmbeddings", id=children["text_line"]["id"])] == [[1.0]]


def test_many_children_take_as_many_requests_as_the_batches_allow(site: Site) -> None:
    """300 lines with transcriptions and entities: 6 requests, and one for the entities of each transcription."""
    entities = [Entity(type=kind, offset=0, length=1) for kind in ("place", "person")]
    text = Transcription(text="Paris", confidence=0.5, entities=entities)
    results = [Child(type="text_line", polygon=outline(number), results=[text]) for number in range(300)]

    site.publisher().publish(site.page, results)

    assert site.calls() == {
        "CreateElementTranscriptions": 6,
        "CreateTranscriptionEntities": 300,
        "CreateEntityType": 2,
    }
    assert len(site.emulator.ledger.calls()) == 6 + 300 + 2 + 2  # and the two lists of types


def test_entities_find_their_transcriptions(site: Site) -> None:
    """Each on the one it was found in, over several batches and levels."""
    results = [
        Child(
            type="text_line",
            polygon=outline(number),
            name=str(number),
            results=[
                Transcription(
                    text="x" * (number + 1), confidence=1, entities=[Entity(type="all", offset=0, length=number + 1)]
                )
            ],
        )
        for number in range(7)
    ]

    site.publisher(batch_size=3).publish(site.page, results)

    texts = site.get("ListTranscriptions", id=site.page.id, recursive=True)
    lengths = {len(text["text"]): site.get("ListTranscriptionEntities", id=text["id"])[0]["length"] for text in texts}
    assert lengths == {length: length for length in range(1, 8)}


def test_an_interrupted_publication_tells_what_was_accepted(site: Site) -> None:
    """A refusal in the second batch: nothing after it is sent."""
    site.emulator.faults.add("CreateElements", Fault.answer(400), skip=1, times=1)
    text = Transcription(text="x", confidence=1)
    results = [Child(type="text_line", name="n", polygon=outline(number), results=[text]) for number in range(5)]

    with pytest.raises(PublicationError) as caught:
        site.publisher(batch_size=2).publish(site.page, results)

    assert str(caught.value).startswith(
        "accepted: 2 text_line; not accepted: 3 text_line, 5 transcriptions; CreateElements (status 400)"
    )
    assert site.calls() == {"CreateElements": 2}


#: One of each request whose repetition would make something twice.
TWICE: dict[str, list[Any]] = {
    "CreateElement": [Child(type="text_line")],
    "CreateElements": [Child(type="text_line", polygon=outline(), name="n")],
    "CreateElementTranscriptions": [Child(type="text_line", polygon=outline(), results=[TEXT])],
    "CreateTranscription": [TEXT],
    "CreateTranscriptions": [Transcription(text="Lyon", confidence=1)] * 2,
    "CreateTranscriptionEntity": [TEXT.model_copy(update={"entities": ENTITIES[:1]})],
    "CreateTranscriptionEntities": [TEXT.model_copy(update={"entities": ENTITIES})],
    "CreateMetaData": [Metadata(type="text", name="n", value="v")],
    "CreateMetaDataBulk": [Metadata(type="text", name=name, value="v") for name in "op"],
    "CreateEmbedding": [Embedding(value=[1, 2])],
    "CreateClassification": [Classification(class_name="a", confidence=1)],
    "CreateClassifications": [Classification(class_name=name, confidence=1) for name in "bc"],
}
#: How an answer is lost although the server acted.
LOST = {"502": Fault.answer(502, acted=True), "reset": Fault.reset(acted=True), "cut": Fault.cut()}


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *((operation, "reset") for operation in TWICE),
        ("PartialUpdateElement", "reset"),
        ("CreateTranscription", "502"),
        ("CreateElements", "cut"),
    ],
)
def test_a_lost_answer_is_looked_for(site: Site, operation: str, fault: str) -> None:
    """What was carried out counts as accepted, is not sent again, and what follows is sent."""
    site.emulator.faults.add(operation, LOST[fault], times=1)
    results = TWICE.get(operation, [])

    site.publisher().publish(site.page, [*results, Update(confidence=0.5)])

    assert site.calls()[operation] == (1 if results else 2)  # a change made twice is made once
    assert site.client.request("RetrieveElement", id=site.page.id)["confidence"] == 0.5


def test_ids_that_are_found_are_those_of_what_follows(site: Site) -> None:
    """The transcription of a child whose creation nobody confirmed is on that child."""
    site.emulator.faults.add("CreateElements", Fault.reset(acted=True), times=1)
    results = [Child(type="text_line", name=str(n), polygon=outline(n), results=[TEXT]) for n in range(3)]

    site.publisher().publish(site.page, results)

    children = {child["id"] for child in site.get("ListElementChildren", id=site.page.id)}
    texts = site.get("ListTranscriptions", id=site.page.id, recursive=True)
    assert len(children) == 3
    assert {text["element"]["id"] for text in texts} == children


@pytest.mark.parametrize("fault", [Fault.answer(503), Fault.reset()], ids=["503", "reset"])
def test_a_server_that_failed_is_asked_again(site: Site, fault: Fault) -> None:
    """Once it is known that nothing was done: then everything is there once."""
    for operation in TWICE:
        site.emulator.faults.add(operation, fault, times=2)

    for results in TWICE.values():
        site.publisher().publish(site.page, results)

    assert {operation: site.calls()[operation] for operation in TWICE} == dict.fromkeys(TWICE, 3) | {
        "CreateTranscription": 3 + 2  # and one for each kind of entities
    }


def test_a_server_that_keeps_failing_has_not_accepted_it(site: Site) -> None:
    """After five attempts, each of them looked for."""
    site.emulator.faults.add("CreateTranscription", Fault.answer(500))

    with pytest.raises(PublicationError) as caught:
        site.publisher().publish(site.page, [TEXT])

    error = caught.value
    assert (error.accepted, error.uncertain, error.missing) == ({}, {}, {"transcriptions": 1})
    assert site.calls() == {"CreateTranscription": 5}


def test_what_may_still_be_under_way_is_not_sent_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server had it for a minute, and it is not there yet: that is neither accepted nor not."""
    site.emulator.faults.add("CreateMetaData", Fault.reset())
    monkeypatch.setattr(sending, "SLOW", 0.0)  # as if it had taken long
    results = [Transcription(text="x", confidence=1), Metadata(type="text", name="n", value="v")]

    with pytest.raises(PublicationError) as caught:
        site.publisher().publish(site.page, results)

    error = caught.value
    assert (error.accepted, error.uncertain, error.missing) == ({"transcriptions": 1}, {"metadata": 1}, {})
    assert "perhaps accepted: 1 metadata" in str(error)
    assert str(error).endswith("it was not found afterwards")
    assert site.calls()["CreateMetaData"] == 1


def test_what_cannot_be_looked_for_stays_uncertain(site: Site) -> None:
    """The message says both."""
    site.emulator.faults.add("CreateMetaData", Fault.answer(500, acted=True))
    site.emulator.faults.add("ListElementMetaData", Fault.answer(403))

    with pytest.raises(
        PublicationError, match=r"CreateMetaData \(status 500\).*; checking it failed, too: List"
    ) as caught:
        site.publisher().publish(site.page, TWICE["CreateMetaData"])

    assert caught.value.uncertain == {"metadata": 1}


def test_equal_results_of_another_request_are_not_taken_for_lost_ones(site: Site) -> None:
    """The first batch has the same content as the second, which is not there."""
    site.emulator.faults.add("CreateMetaDataBulk", Fault.answer(500), skip=1, times=1)
    results = [Metadata(type="text", name="n", value="v")] * 4

    site.publisher(batch_size=2).publish(site.page, results)

    assert len(site.client.request("ListElementMetaData", id=site.page.id)) == 4


@pytest.mark.parametrize("names", [["cat"], ["cat", "dog"]])
def test_a_classification_that_is_there_is_no_error(site: Site, names: list[str]) -> None:
    """As in the published library; in bulk, the others are made."""
    site.publisher().publish(site.page, [Classification(class_name="cat", confidence=0.5)])

    site.publisher().publish(site.page, [Classification(class_name=name, confidence=0.5) for name in names])

    found = site.client.request("RetrieveElement", id=site.page.id)["classifications"]
    assert [item["ml_class"]["name"] for item in found] == names


def test_a_reason_that_was_cut_off_is_asked_for_again(site: Site) -> None:
    """It says that the classification is there: no error."""
    results = [Classification(class_name="cat", confidence=0.5)]
    site.publisher().publish(site.page, results)
    site.emulator.faults.add("CreateClassification", Fault.answer(400, b'{"non_field_errors": ["The fie'), times=1)

    site.publisher().publish(site.page, results)

    assert site.calls()["CreateClassification"] == 3


def test_what_an_answer_of_another_length_does_not_tell_is_looked_for(site: Site) -> None:
    """The transcription finds its element."""
    headers = {"content-type": "application/json"}
    site.emulator.faults.add("CreateElements", Fault.answer(201, b"[]", acted=True, headers=headers), times=1)
    text = Transcription(text="x", confidence=1)

    site.publisher().publish(site.page, [Child(type="text_line", name="n", polygon=outline(), results=[text])])

    assert site.calls() == {"CreateElements": 1, "CreateTranscription": 1}


def test_what_an_answer_claims_and_nobody_finds_is_uncertain(site: Site) -> None:
    """It is not sent again: a success was answered."""
    headers = {"content-type": "application/json"}
    site.emulator.faults.add("CreateElements", Fault.answer(201, b"[]", headers=headers))
    text = Transcription(text="x", confidence=1)

    with pytest.raises(PublicationError, match="the answer has 0 items, not 1; it was not found") as caught:
        site.publisher().publish(site.page, [Child(type="text_line", name="n", polygon=outline(), results=[text])])

    assert (caught.value.uncertain, caught.value.missing) == ({"text_line": 1}, {"transcriptions": 1})
    assert site.calls() == {"CreateElements": 1}


def test_nothing_is_accepted_while_the_corpus_cannot_be_looked_up(site: Site) -> None:
    """The error says so."""
    site.emulator.faults.add("ListCorpusMLClasses", Fault.answer(500))

    with pytest.raises(PublicationError, match="accepted: nothing; not accepted: 1 classification; ListCorpusMLCl"):
        site.publisher().publish(site.page, [Classification(class_name="cat", confidence=0.5)])


def test_invalid_results_send_nothing(site: Site) -> None:
    """Not even those that are fine."""
    with pytest.raises(ResultError):
        site.publisher().publish(site.page, [Transcription(text="x", confidence=1), "y"])

    assert site.calls() == {}


def test_names_cannot_be_looked_up_without_a_corpus(site: Site) -> None:
    """Neither the element nor the run says which."""
    publisher = site.publisher()
    publisher._corpus_id = None

    with pytest.raises(ResultError, match="corpus of the element is unknown"):
        publisher.publish(Element(id=site.page.id), [Classification(class_name="cat", confidence=0.5)])


def test_a_read_only_run_says_what_it_would_publish(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Results are checked and counted."""
    text = Transcription(text="x", confidence=1)
    results = [text, *(Child(type="text_line", polygon=outline(number), results=[text]) for number in range(2))]

    with caplog.at_level(logging.INFO):
        SummarizingPublisher().publish(site.page, results)

    assert f"({site.page.id}): 2 text_line, 3 transcriptions, not published" in caplog.text
    with pytest.raises(ResultError):
        SummarizingPublisher().publish(site.page, [3])


EVERYTHING = [
    TEXT.model_copy(update={"entities": ENTITIES}),
    Classification(class_name="a", confidence=1),
    Metadata(type="text", name="n", value="v"),
    Embedding(value=[1, 2]),
    Child(type="text_line", polygon=outline(), results=[TEXT]),
]


def test_what_was_created_is_told_with_its_ids(site: Site) -> None:
    """Result by result, what lies in it included."""
    line = Element(id=site.emulator.add_element("text_line", "1", parent=site.page.id))

    text, label, item, vector, child, there = site.publisher().publish(site.page, [*EVERYTHING, On(line, TEXT)])

    (read,) = site.get("ListTranscriptions", id=site.page.id)
    page = site.client.request("RetrieveElement", id=site.page.id)
    assert (text.id, text.result) == (read["id"], EVERYTHING[0])
    assert [entity.result for entity in text.results] == list(ENTITIES)
    assert [label.id, item.id] == [page["classifications"][0]["id"], page["metadata"][0]["id"]]
    assert vector.id == site.get("ListEmbeddings", id=site.page.id)[0]["id"]
    assert child.id in {one["id"] for one in site.get("ListElementChildren", id=site.page.id)}
    assert child.results[0].id == site.get("ListTranscriptions", id=child.id)[0]["id"]
    assert there.results[0].id == site.get("ListTranscriptions", id=line.id)[0]["id"]


def test_what_has_no_id_says_so(site: Site) -> None:
    """A change is not a thing."""
    (change,) = site.publisher().publish(site.page, [Update(name="x")])

    with pytest.raises(ArkworkerError, match="this Update has no id: Arkindex gave none"):
        _ = change.id


def test_a_read_only_run_makes_ids_up(site: Site) -> None:
    """What follows them goes the same way as in a run that writes."""
    ids = [created.id for created in SummarizingPublisher().publish(site.page, EVERYTHING)]

    assert len(set(ids)) == len(EVERYTHING)


def test_what_is_recorded_has_no_id_yet(site: Site) -> None:
    """It gets one when it is published."""
    (text,) = SummarizingPublisher(file="r.jsonl").publish(site.page, [TEXT])

    assert text == Created(TEXT)
    with pytest.raises(ArkworkerError, match="get their ids when they are published"):
        _ = text.id


def test_all_that_is_on_others_is_accepted_or_told(site: Site) -> None:
    """The second request is refused: what the first one brought is named."""
    lines = [Element(id=site.emulator.add_element("text_line", str(n), parent=site.page.id)) for n in range(5)]
    site.emulator.faults.add("CreateTranscriptions", Fault.answer(400), skip=1, times=1)

    with pytest.raises(PublicationError) as caught:
        site.publisher(batch_size=3).publish(site.page, [On(line, TEXT) for line in lines])

    assert (caught.value.accepted, caught.value.missing) == ({"transcriptions": 3}, {"transcriptions": 2})
