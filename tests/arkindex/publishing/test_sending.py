"""Requests whose answer was lost, on an emulated Arkindex that may still be busy with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.publishing.plan import Ref, Request
from arkworker.arkindex.publishing.publisher import ArkindexPublisher
from arkworker.arkindex.publishing.sending import Certainty
from arkworker.elements.model import Element
from arkworker.elements.results import Child, Classification, Entity, Metadata, On, Transcription, Update
from arkworker.elements.stored import StoredTranscription
from arkworker.emulator import Fault
from arkworker.errors import PublicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arkindex.publishing.conftest import Site

TEXT = Transcription(text="once", confidence=0.5)


class LateClock:
    """Waits take no time; what is due after so many seconds of them happens then."""

    def __init__(self) -> None:
        self.time = 0.0
        self.due: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for moment, act in [one for one in self.due if one[0] <= self.time]:
            self.due.remove((moment, act))
            act()


@pytest.fixture
def clock() -> LateClock:
    return LateClock()


@pytest.fixture
def publisher(site: Site, clock: LateClock) -> Iterator[ArkindexPublisher]:
    client = Client(Connection(url=site.emulator.url, token=site.emulator.token), clock=clock)
    yield ArkindexPublisher(client, worker_run_id=site.run, corpus_id=site.corpus)
    client.close()


def create_text(site: Site) -> None:
    """What a server does that a proxy had given up on."""
    body = {"text": "once", "confidence": 0.5, "orientation": "horizontal-lr", "worker_run_id": site.run}
    site.client.request("CreateTranscription", body, id=site.page.id)


@pytest.mark.parametrize(
    ("status", "seconds", "late"),
    [(504, 0, 6), (504, 12, 18), (504, 30, 30), (502, 0, 6), (503, 1, 9), (502, 12, 18), (500, 12, 18), (524, 60, 20)],
)
def test_what_a_server_does_after_its_proxy_gave_up_is_there_once(
    site: Site, clock: LateClock, publisher: ArkindexPublisher, status: int, seconds: float, late: float
) -> None:
    """It is looked for again and again before it is sent again."""
    site.emulator.faults.add("CreateTranscription", Fault.answer(status, b"<html>Gateway</html>"), times=1)
    clock.due = [(late, lambda: create_text(site))]
    clock.now = iter_times(clock, seconds)  # type: ignore[method-assign]

    publisher.publish(site.page, [TEXT])

    assert [item["text"] for item in site.get("ListTranscriptions", id=site.page.id)] == ["once"]


def iter_times(clock: LateClock, seconds: float) -> Callable[[], float]:
    """Requests take that long."""

    def now() -> float:
        clock.time += seconds / 2
        return clock.time

    return now


@pytest.mark.parametrize("fault", [Fault.answer(504), Fault.answer(598)])
def test_what_does_not_come_is_uncertain_and_never_sent_again(
    site: Site, clock: LateClock, publisher: ArkindexPublisher, fault: Fault
) -> None:
    """Half a minute later it may still be under way."""
    site.emulator.faults.add("CreateTranscription", fault)

    with pytest.raises(PublicationError, match="it was not found afterwards") as caught:
        publisher.publish(site.page, [TEXT])

    assert (caught.value.uncertain, caught.value.missing) == ({"transcriptions": 1}, {})
    assert (site.calls(), clock.time) == ({"CreateTranscription": 1}, 31.0)


def test_a_server_that_is_away_is_asked_again(site: Site, clock: LateClock, publisher: ArkindexPublisher) -> None:
    """Its proxy says so at once; after a quarter of a minute, nothing is under way."""
    site.emulator.faults.add("CreateTranscription", Fault.answer(503), times=1)

    publisher.publish(site.page, [TEXT])

    assert (site.calls(), clock.time) == ({"CreateTranscription": 2}, 15.0)


@pytest.mark.parametrize(
    ("result", "operation", "listing", "body"),
    [
        (Metadata(type="text", name="n", value="v"), "CreateMetaData", "ListElementMetaData", b"[1]"),
        (TEXT, "CreateTranscription", "ListTranscriptions", b'{"results": [1], "next": null}'),
        (TEXT, "CreateTranscription", "ListTranscriptions", b'{"results": [{"id": []}], "next": null}'),
        (
            Classification(class_name="a", confidence=1),
            "CreateClassification",
            "RetrieveElement",
            b'{"classifications": [1]}',
        ),
        (Classification(class_name="a", confidence=1), "CreateClassification", "RetrieveElement", b'{"classes": true}'),
    ],
)
def test_a_list_of_something_else_leaves_the_outcome_open(
    site: Site, result: Any, operation: str, listing: str, body: bytes
) -> None:
    """What cannot be read back may be there."""
    site.emulator.faults.add(operation, Fault.reset(acted=True))
    site.emulator.faults.add(listing, Fault.answer(200, body, headers={"content-type": "application/json"}))

    with pytest.raises(PublicationError, match="an item of the answer is not an object") as caught:
        site.publisher().publish(site.page, [result])

    assert (list(caught.value.uncertain.values()), caught.value.missing) == ([1], {})


def test_a_change_that_was_sent_twice_needs_no_look(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Made twice, it is made once: nobody is told to look for it."""
    site.emulator.faults.add("PartialUpdateElement", Fault.reset(acted=True), times=1)

    site.publisher().publish(site.page, [Update(name="new")])

    assert site.calls() == {"PartialUpdateElement": 2}
    assert "duplicate" not in caplog.text


class Unread(dict[Ref, str]):
    """Ids that nobody goes through."""

    def values(self) -> Any:
        raise AssertionError


def test_a_request_that_is_accepted_does_not_go_through_all_ids(site: Site) -> None:
    """An element may have thousands of requests, each of which gives ids: only a lookup needs them."""
    body = {"worker_run_id": site.run, "type": "text", "name": "n", "value": "v"}
    request = Request("CreateMetaData", {"id": site.page.id}, body, {"metadata": 1})

    Certainty(site.client, site.run).perform(request, Unread(), site.page.id)

    assert site.calls() == {"CreateMetaData": 1}


class Lines:
    """Lines below a page and one that lies elsewhere, and a stored text on each."""

    def __init__(self, site: Site) -> None:
        emulator = site.emulator
        other = emulator.add_element("page", "Other", image=(1000, 1400))
        parents = [site.page.id, site.page.id, other]
        ids = [emulator.add_element("text_line", str(number), parent=one) for number, one in enumerate(parents)]
        self.elements = [Element(id=identifier, type="text_line") for identifier in ids]
        self.texts: list[StoredTranscription] = []
        for identifier in ids:
            body = {"text": "Paris", "confidence": 1.0, "worker_run_id": None}
            answer = site.client.request("CreateTranscription", body, id=identifier)
            self.texts.append(StoredTranscription(id=answer["id"], text="Paris", element_id=identifier))
        emulator.ledger.clear()


ENTITIES = [Entity(type="place", offset=0, length=5), Entity(type="place", offset=0, length=1)]
#: What is put on lines and their texts, by the request that it makes.
THERE: dict[str, Callable[[Lines], list[Any]]] = {
    "CreateTranscriptions": lambda lines: [On(line, TEXT) for line in lines.elements],
    "CreateTranscription": lambda lines: [On(lines.elements[2], TEXT)],
    "CreateMetaData": lambda lines: [On(lines.elements[2], Metadata(type="text", name="n", value="v"))],
    "CreateClassification": lambda lines: [On(lines.elements[2], Classification(class_name="a", confidence=1))],
    "CreateElement": lambda lines: [On(lines.elements[2], Child(type="text_line", results=[TEXT]))],
    "CreateTranscriptionEntities": lambda lines: [On(text, ENTITIES) for text in lines.texts],
    "CreateTranscriptionEntity": lambda lines: [On(lines.texts[2], ENTITIES[0])],
}


@pytest.mark.parametrize("fault", [Fault.reset(acted=True), Fault.reset()], ids=["lost", "not carried out"])
@pytest.mark.parametrize("operation", THERE)
def test_a_lost_answer_about_something_else_is_looked_for_there(site: Site, operation: str, fault: Fault) -> None:
    """On each line and text, wherever it lies: all is there once."""
    lines = Lines(site)
    results = THERE[operation](lines)
    site.emulator.faults.add(operation, fault, times=1)

    site.publisher().publish(site.page, results)

    requests = len(lines.texts) if operation == "CreateTranscriptionEntities" else 1
    assert site.calls()[operation] == requests + (not fault.acted)
    assert contents(site, lines) == contents_of(results)


def contents(site: Site, lines: Lines) -> dict[str, int]:
    """How much lies on the lines and below them."""
    everywhere = [line.id for line in lines.elements]
    texts = [text for line in everywhere for text in site.get("ListTranscriptions", id=line, recursive=True)]
    found = [site.client.request("RetrieveElement", id=line) for line in everywhere]
    return {
        "children": sum(len(site.get("ListElementChildren", id=line)) for line in everywhere),
        "texts": sum(text["text"] == "once" for text in texts),
        "entities": sum(len(site.get("ListTranscriptionEntities", id=text["id"])) for text in texts),
        "metadata": sum(len(item["metadata"]) for item in found),
        "classes": sum(len(item["classifications"]) for item in found),
    }


def contents_of(results: list[Any]) -> dict[str, int]:
    inner = [one for result in results for one in result.results]
    inner += [one for child in inner if isinstance(child, Child) for one in child.results]
    return {
        "children": sum(isinstance(one, Child) for one in inner),
        "texts": sum(isinstance(one, Transcription) for one in inner),
        "entities": sum(isinstance(one, Entity) for one in inner),
        "metadata": sum(isinstance(one, Metadata) for one in inner),
        "classes": sum(isinstance(one, Classification) for one in inner),
    }
