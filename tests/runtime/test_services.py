"""`context.publish`, in the middle of the work."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from arkworker import Child, Creates, Element, Transcription, Worker
from arkworker.arkindex.client import Client, Connection
from arkworker.elements.results import collect
from arkworker.emulator import Emulator, Fault
from arkworker.errors import ApiError, PublicationError, ResultError
from arkworker.runtime.context_data import RunnerData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker import WorkerContext

TEXT = Transcription(text="Paris", confidence=1)
STAIN = Child(type="stain", polygon=[(0, 0), (0, 10), (10, 10)])


class Plain(Worker):
    """Publishes by itself."""

    creates = ("stain",)

    def run(self, context: WorkerContext[Any], cache: Any) -> None:
        """Nothing."""


@dataclasses.dataclass
class Site:
    """An emulated Arkindex with a page, and the context of a worker run."""

    emulator: Emulator
    page: Element
    context: WorkerContext[Any]

    def texts(self) -> list[str]:
        with_client = Client(Connection(url=self.emulator.url, token=self.emulator.token))
        found = [item["text"] for item in with_client.paginate("ListTranscriptions", id=self.page.id)]
        with_client.close()
        return found


@pytest.fixture
def site(make_context: Callable[..., WorkerContext[Any]]) -> Iterator[Site]:
    with Emulator() as emulator:
        corpus = emulator.add_corpus()
        page = emulator.add_element("page", "Page", image=(100, 100))
        connection = Connection(url=emulator.url, token=emulator.token)
        context = make_context(Plain, corpus_id=corpus, worker_run_id=emulator.add_worker_run(), connection=connection)
        client = Client(connection)
        context = dataclasses.replace(context)  # without what stands for Arkindex in tests
        element = Element.from_api(client.request("RetrieveElement", id=page))
        yield Site(emulator, element, context)
        client.close()
        context.api.close()


def test_results_are_there_when_it_returns(site: Site) -> None:
    """One result, several, or a generator of them."""
    site.context.publish(site.page, TEXT)
    site.context.publish(site.page, [TEXT, STAIN])
    site.context.publish(site.page, (TEXT for _ in range(2)))

    assert site.texts() == ["Paris"] * 4


def test_it_creates_what_the_worker_may_create(site: Site) -> None:
    """And no other element type."""
    closed = dataclasses.replace(site.context, _runner=RunnerData(creates=Creates()))

    with pytest.raises(ResultError, match="no element type 'stain'"):
        closed.publish(site.page, STAIN)
    site.context.publish(site.page, STAIN)

    assert [call.operation for call in site.emulator.ledger.calls("CreateElements")] == ["CreateElements"]


NO_RESULT = "results.0 should be a result, such as Transcription or Child"


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([TEXT, {"text": "x"}], "results.1 should be a result, such as Transcription or Child, not dict"),
        ("text", f"{NO_RESULT}, not str"),
        ([[TEXT]], f"{NO_RESULT}, not list; give each of its results by itself"),
        (Transcription, f"{NO_RESULT}, not the class Transcription"),
    ],
)
def test_what_is_no_result_is_refused(site: Site, results: Any, message: str) -> None:
    """The same checks as for what is returned; nothing is sent."""
    with pytest.raises(ResultError) as caught:
        site.context.publish(site.page, results)

    assert str(caught.value) == message
    assert site.texts() == []


@pytest.mark.parametrize("element", ["some-id", None, {"id": "x"}])
def test_results_are_published_on_an_element(site: Site, element: Any) -> None:
    """An id is not enough: whether the element has an image is known from itself."""
    with pytest.raises(ResultError) as caught:
        site.context.publish(element, TEXT)

    assert str(caught.value) == f"results are published on an Element, not on {type(element).__name__}"


def test_what_was_accepted_is_told(site: Site) -> None:
    """The worker may catch it, and knows what not to repeat."""
    site.emulator.faults.add("CreateTranscription", Fault.answer(400))

    with pytest.raises(PublicationError) as caught:
        site.context.publish(site.page, [TEXT, STAIN])

    assert (caught.value.accepted, caught.value.missing) == ({"stain": 1}, {"transcriptions": 1})


def test_a_read_only_run_says_what_it_would_publish(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """As for what is returned."""
    reading = dataclasses.replace(site.context, is_read_only=True)

    with caplog.at_level(logging.INFO):
        reading.publish(site.page, TEXT)

    assert "1 transcription, not published: this run is read-only" in caplog.text
    assert site.texts() == []


def test_batches_have_the_size_of_the_setting(site: Site) -> None:
    """300 texts in batches of 120 are three requests."""
    small = dataclasses.replace(site.context, _runner=RunnerData(batch_size=120))

    small.publish(site.page, [TEXT] * 300)

    assert len(site.emulator.ledger.calls("CreateTranscriptions")) == 3


def test_a_context_that_was_sent_to_another_process_publishes_there(site: Site) -> None:
    """Through a client and a publisher of its own."""
    site.context.publish(site.page, TEXT)

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(publish_elsewhere, (pickle.dumps((site.context, site.page)),))

    assert site.texts() == ["Paris", "Paris"]
    assert len(site.emulator.ledger.calls("CreateElements")) == 1


def publish_elsewhere(pickled: bytes) -> None:
    """In another process."""
    context, page = pickle.loads(pickled)
    context.publish(page, [TEXT, STAIN])


def test_nothing_is_found_in_none() -> None:
    """A function that returns nothing has found nothing."""
    assert (collect(None), collect(TEXT), collect([]), collect({TEXT})) == ((), (TEXT,), (), (TEXT,))


def test_the_end_of_what_is_under_way(site: Site) -> None:
    """No wait lasts on, and nothing more is sent."""
    site.context.services.end()
    site.context.api.clock.sleep(3600.0)

    with pytest.raises(ApiError):
        site.context.api.request("RetrieveElement", id=site.page.id)
