"""Results on an emulated Arkindex."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from arkworker.element import Element
from arkworker.errors import PublicationError, ResultError
from arkworker.results import Child, Classification, Embedding, Entity, Link, Metadata, Transcription, Update
from arkworker.runtime.publishing import SummarizingPublisher
from arkworker.testing.emulator import Fault

if TYPE_CHECKING:
    from tests.runtime.publishing.conftest import Site


def outline(number: int = 0) -> list[tuple[int, int]]:
    return [(number, 0), (number, 10), (number + 10, 10)]


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


def test_a_lost_answer_is_neither_accepted_nor_not(site: Site) -> None:
    """The server did it, and the client cannot know."""
    site.emulator.faults.add("CreateMetaData", Fault.reset(acted=True))
    results = [Transcription(text="x", confidence=1), Metadata(type="text", name="n", value="v")]

    with pytest.raises(PublicationError) as caught:
        site.publisher().publish(site.page, results)

    error = caught.value
    assert (error.accepted, error.uncertain, error.missing) == ({"transcriptions": 1}, {"metadata": 1}, {})
    assert "perhaps accepted: 1 metadata" in str(error)


def test_a_repeat_that_may_have_doubled_is_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A 5xx is repeated, as the contract says, and may have been applied."""
    site.emulator.faults.add("CreateMetaData", Fault.answer(502, acted=True), times=1)

    site.publisher().publish(site.page, [Metadata(type="text", name="n", value="v")])

    assert "CreateMetaData: an earlier attempt failed and may have been applied" in caplog.text


@pytest.mark.parametrize("names", [["cat"], ["cat", "dog"]])
def test_a_classification_that_is_there_is_no_error(site: Site, names: list[str]) -> None:
    """As in the published library; in bulk, the others are made."""
    site.publisher().publish(site.page, [Classification(class_name="cat", confidence=0.5)])

    site.publisher().publish(site.page, [Classification(class_name=name, confidence=0.5) for name in names])

    found = site.client.request("RetrieveElement", id=site.page.id)["classifications"]
    assert [item["ml_class"]["name"] for item in found] == names


def test_an_answer_of_another_length_ends_the_publication(site: Site) -> None:
    """What was created cannot be told apart; it is on Arkindex all the same."""
    headers = {"content-type": "application/json"}
    site.emulator.faults.add("CreateElements", Fault.answer(201, b"[]", acted=True, headers=headers))
    text = Transcription(text="x", confidence=1)

    with pytest.raises(PublicationError, match="the answer has 0 items, not 1") as caught:
        site.publisher().publish(site.page, [Child(type="text_line", name="n", polygon=outline(), results=[text])])

    assert (caught.value.accepted, caught.value.missing) == ({"text_line": 1}, {"transcriptions": 1})


def test_nothing_is_accepted_while_the_corpus_cannot_be_looked_up(site: Site) -> None:
    """The error says so."""
    site.emulator.faults.add("ListCorpusMLClasses", Fault.answer(500))

    with pytest.raises(PublicationError, match="accepted: nothing; not accepted: 1 classifications; ListCorpusMLCl"):
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
