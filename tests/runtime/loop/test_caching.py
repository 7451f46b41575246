"""Whole runs of workers with a cache, which gets what was published."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from arkworker.arkindex.activities import State
from arkworker.arkindex.publishing.outbox import Outbox
from arkworker.arkindex.publishing.publisher import SummarizingPublisher
from arkworker.elements.model import Element
from arkworker.elements.results import Transcription
from arkworker.emulator import Emulator, Fault
from arkworker.runtime.loop.ends import Ending, Reports
from arkworker.runtime.loop.in_hand import InHand
from arkworker.runtime.loop.intake import Halt
from arkworker.runtime.loop.outcome import Outcome
from arkworker.runtime.loop.threads import Timing
from arkworker.runtime.stopping import Stopping
from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.elements.results import Created

WORKERS = """
import os, signal, time
from arkworker import Child, Element, ElementsWorker, Transcription, Worker
from arkworker.storage.cache import CachedDataset
from sqlalchemy import text
from uuid import uuid4

TEXT = Transcription(text="Paris", confidence=1)
CHILD = Child(type="text_line", polygon=[(0, 0), (0, 9), (9, 9)], results=[TEXT])

class Finder(ElementsWorker):
    uses_cache = True

    def process_element(self, element: Element, context, cache):
        # A write transaction is open from here on, while the element before is being published.
        cache.add(CachedDataset(id=uuid4(), name=element.name, sets="[]"))
        cache.flush()
        if os.environ.get("SPOILS"):
            fails = "BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            cache.execute(text(f"CREATE TRIGGER full BEFORE INSERT ON transcriptions {fails}"))
        time.sleep(float(os.environ.get("WORK", "0.05")))
        if element.name == "fails":
            context.publish(element, TEXT)
            raise RuntimeError("too late")
        if element.name == "publishes":
            context.publish(element, TEXT)
            return ()
        if element.name == "stops":
            os.kill(os.getpid(), signal.SIGTERM)
        return [CHILD, TEXT]

class Plain(Worker):
    uses_cache = True

    def run(self, context, cache):
        page = context.retrieve_element(os.environ["PAGE"])
        cache.add(CachedDataset(id=uuid4(), name="x", sets="[]"))
        cache.flush()
        context.publish(page, [CHILD, TEXT])
        if os.environ.get("FAILS"):
            raise RuntimeError("too late")
"""


@dataclass
class Desk:
    """An emulated Arkindex, a cache, and processes that work with both."""

    emulator: Emulator
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "db.sqlite"

    def work(self, name: str, run: str | None, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "workers.py").write_text(WORKERS, "utf-8")
        if not self.database.exists():
            open_cache(self.database, create=True).dispose()
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(self.folder)}
        environment |= self.emulator.environment(run) if run else {}
        return subprocess.run(
            [sys.executable, "-m", "arkworker", "run", f"workers:{name}", "-d", str(self.database), *flags],
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def add_pages(self, *names: str) -> tuple[str, dict[str, str]]:
        """A worker run over pages, and their ids by name."""
        pages = {name: self.emulator.add_element("page", name, image=(1000, 1400)) for name in names}
        return self.emulator.add_worker_run(elements=list(pages.values())), pages

    def execute(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def texts_on(self, *elements: str) -> int:
        """How many transcriptions the cache has on some elements."""
        ids = ", ".join(f"'{UUID(element).hex}'" for element in elements)
        ((count,),) = self.execute(f"SELECT count(*) FROM transcriptions WHERE element_id IN ({ids})")
        return int(count)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Emulator() as emulator:
        emulator.add_corpus()
        yield Desk(emulator, tmp_path)


@pytest.mark.parametrize("prefetch", ["0", "2"])
def test_results_are_cached_although_user_code_is_writing(desk: Desk, prefetch: str) -> None:
    """Publication behind an open transaction on the same file neither waits nor fails."""
    names = [f"page {number}" for number in range(6)]
    run, pages = desk.add_pages(*names)

    done = desk.work("Finder", run, "--prefetch", prefetch)

    assert done.returncode == 0, done.stderr
    assert set(desk.emulator.activity_states(run).values()) == {"processed"}
    assert desk.texts_on(*pages.values()) == 6
    assert desk.execute("SELECT count(*), count(DISTINCT parent_id), max(initial) FROM elements") == [(12, 6, 0)]
    assert desk.execute("SELECT count(*) FROM datasets") == [(6,)]


def test_what_was_published_in_the_middle_is_cached_too(desk: Desk) -> None:
    """Also of an element that fails afterwards: it is on Arkindex; what user code wrote is not kept."""
    run, pages = desk.add_pages("publishes", "fails")

    done = desk.work("Finder", run)

    states = desk.emulator.activity_states(run)
    assert (states[pages["publishes"]], states[pages["fails"]]) == ("processed", "error"), done.stderr
    assert (desk.texts_on(pages["publishes"]), desk.texts_on(pages["fails"])) == (1, 1)
    assert desk.execute("SELECT name FROM datasets") == [("publishes",)]


@pytest.mark.parametrize("name", ["publishes", "page"])
def test_results_that_cannot_be_cached_make_an_error(desk: Desk, name: str) -> None:
    """The message says that they are on Arkindex; none of the element's rows is there."""
    run, pages = desk.add_pages(name)

    done = desk.work("Finder", run, SPOILS="1")

    assert desk.emulator.activity_states(run) == {pages[name]: "error"}, done.stderr
    assert done.returncode == 1
    expected = "its results are on Arkindex, but could not be written to the cache: the disk is full"
    assert f"element {pages[name]} failed: UncachedError: {expected}" in done.stderr
    assert desk.execute("SELECT count(*) FROM elements") == [(0,)]


def test_a_publication_that_failed_is_not_processed(desk: Desk) -> None:
    """The cache has what was accepted of it."""
    run, pages = desk.add_pages("page")
    desk.emulator.faults.add("CreateTranscription", Fault.answer(400))

    done = desk.work("Finder", run)

    assert desk.emulator.activity_states(run) == {pages["page"]: "error"}, done.stderr
    assert desk.execute("SELECT count(*) FROM elements") == [(2,)]
    assert desk.texts_on(pages["page"]) == 0


def test_a_stopped_run_caches_what_was_published(desk: Desk) -> None:
    """The current element is finished, published, cached, and then reported."""
    run, pages = desk.add_pages("stops", "page")

    done = desk.work("Finder", run)

    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert desk.emulator.activity_states(run)[pages["stops"]] == "processed"
    assert desk.texts_on(pages["stops"]) == 1


class Accepting:
    """Stands for Arkindex: takes all results, and remembers reported states."""

    def __init__(self, outbox: Outbox) -> None:
        self._publisher = SummarizingPublisher(outbox)
        self.states: dict[str, str] = {}
        self.on_accepted: Callable[[], Any] = lambda: None

    def publish(self, element: Element, results: Any) -> tuple[Created, ...]:
        made = self._publisher.publish(element, results)
        self.on_accepted()
        return made

    def end(self, element_id: str, state: State, *, uncertain: int = 0) -> None:
        assert uncertain == 0
        self.states[element_id] = str(state)


def make_reports(arkindex: Accepting, outcome: Outcome, outbox: Outbox) -> Reports:
    return Reports(
        arkindex,  # type: ignore[arg-type]  # all that is asked of it
        arkindex,
        outcome=outcome,
        halt=Halt(),
        timing=Timing(),
        in_hand=InHand(None, ""),
        behind=2,
        outbox=outbox,
    )


PAGE = Element.model_validate({"id": "page", "type": "page"})
TEXT = Transcription(text="x", confidence=1)


def test_what_user_code_keeps_from_the_cache_ends_in_error() -> None:
    """It does not come back, and perhaps holds a lock: another thread ends the run, and nothing waits."""
    outbox = Outbox(lambda: pytest.fail("no session is made"))
    arkindex, outcome = Accepting(outbox), Outcome(Stopping())
    reports = make_reports(arkindex, outcome, outbox)
    reports.submit(Ending("page", State.PROCESSED, PAGE, (TEXT,)))
    other = threading.Thread(target=reports.close)

    other.start()
    other.join()

    assert arkindex.states == {"page": "error"}
    (failure,) = outcome.failures.groups
    assert failure.elements == ["page"]
    assert failure.text.endswith("could not be written to the cache: the run ended first")


def test_rows_that_come_before_their_ending_fail_it_too() -> None:
    """The thread of user code writes what waits at any moment, perhaps before the publication has returned."""
    outbox = Outbox(lambda: contextlib.nullcontext("no session"))
    arkindex, outcome = Accepting(outbox), Outcome(Stopping())
    reports = make_reports(arkindex, outcome, outbox)
    arkindex.on_accepted = reports.settle
    reports.submit(Ending("page", State.PROCESSED, PAGE, (TEXT,)))

    reports.close()

    assert arkindex.states == {"page": "error"}
    (failure,) = outcome.failures.groups
    assert "could not be written to the cache" in failure.text


@pytest.mark.parametrize("fails", ["", "1"])
def test_a_plain_worker_has_its_results_cached(desk: Desk, fails: str) -> None:
    """After its own session has ended, in whatever way."""
    run, pages = desk.add_pages("page")

    done = desk.work("Plain", run, PAGE=pages["page"], FAILS=fails)

    assert done.returncode == (1 if fails else 0), done.stderr
    assert desk.texts_on(pages["page"]) == 1
    assert desk.execute("SELECT count(*) FROM datasets") == [(0 if fails else 1,)]


def test_at_a_desk_the_next_worker_sees_the_results(desk: Desk) -> None:
    """With ids that nobody else knows; nothing is published."""
    page = desk.emulator.add_element("page", "page", image=(1000, 1400))
    variables = {"ARKINDEX_API_URL": desk.emulator.url, "ARKINDEX_API_TOKEN": desk.emulator.token}

    done = desk.work("Finder", None, "--dev", "--element", page, **variables)

    assert done.returncode == 0, done.stderr
    assert (
        "not published: this run is read-only; the cache gets them, with ids that Arkindex does not know" in done.stderr
    )
    assert desk.texts_on(page) == 1
