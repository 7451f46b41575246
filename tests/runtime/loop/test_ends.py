"""Endings, each counted once, whatever happens while they are reported."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from arkworker.arkindex.activities import State
from arkworker.elements.model import Element
from arkworker.errors import ApiResponseError, ApiUnavailableError, PublicationError
from arkworker.runtime.loop.ends import Ending, Reports
from arkworker.runtime.loop.in_hand import InHand
from arkworker.runtime.loop.intake import Halt
from arkworker.runtime.loop.outcome import Outcome
from arkworker.runtime.loop.threads import Timing
from arkworker.runtime.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable


class Stub:
    """Takes states and results; fails or waits as told."""

    def __init__(self) -> None:
        self.outcome = Outcome(Stopping())
        self.tally = self.outcome.tally
        self.halt = Halt()
        self.ended: list[tuple[str, str]] = []
        self.on_end: Callable[[str], object] = lambda _: None
        self.on_publish: Callable[[], object] = lambda: None

    def end(self, element_id: str, state: State, *, uncertain: int = 0) -> None:  # noqa: ARG002 - as Activities
        self.on_end(element_id)
        self.ended.append((element_id, str(state)))

    def publish(self, _element: Element, _results: Any) -> tuple[()]:
        self.on_publish()
        return ()

    @property
    def failures(self) -> list[str]:
        return [element for group in self.outcome.failures.groups for element in group.elements]

    def reports(self, behind: int = 2) -> Reports:
        return Reports(
            self,  # type: ignore[arg-type] # as far as it is used
            self,
            outcome=self.outcome,
            halt=self.halt,
            timing=Timing(),
            in_hand=InHand(None, ""),
            behind=behind,
        )


def ending(number: int = 1) -> Ending:
    return Ending(f"{number}", State.PROCESSED, Element(id=f"{number}"), ("a result",))


def fail(*_: Any) -> NoReturn:
    raise ApiUnavailableError("UpdateWorkerActivity", "no answer")


def test_publication_that_comes_too_late() -> None:
    """What is not through in time is uncertain, and stays so when it comes through after all."""
    stub, gate = Stub(), threading.Event()
    stub.on_publish = lambda: gate.wait(10)
    reports = stub.reports()
    reports.submit(ending())

    reports.close(within=0.05)
    gate.set()
    reports.close()

    assert stub.ended == [("1", "processed")]
    assert (stub.tally["uncertain"], stub.tally.elements) == (1, 1)


@pytest.mark.parametrize(("uncertain", "outcome"), [({"transcriptions": 1}, "uncertain"), ({}, "failed")])
def test_results_of_which_nobody_knows_are_uncertain(uncertain: dict[str, int], outcome: str) -> None:
    """The element ends in error, and counts as one whose results may be there; not so where they are known not to."""
    stub = Stub()

    def publish() -> NoReturn:
        raise PublicationError("no answer", {}, uncertain, {})

    stub.on_publish = publish
    reports = stub.reports()
    reports.submit(ending())

    reports.close()

    assert (stub.ended, stub.failures) == ([("1", "error")], ["1"])
    assert (stub.tally[outcome], stub.tally.elements) == (1, 1)


def test_closed_from_two_threads() -> None:
    """Whoever leaves user code behind and the main thread may end the reports at the same time."""
    stub = Stub()
    stub.on_end = fail
    reports = stub.reports()
    for number in range(3):
        reports.submit(ending(number))

    threads = [threading.Thread(target=reports.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (stub.tally["uncertain"], stub.tally.elements) == (3, 3)


@pytest.mark.parametrize("behind", [0, 1, 4])
def test_refused_state(behind: int) -> None:
    """A state that Arkindex refuses is uncertain at once, and not tried again."""
    stub = Stub()
    asked: list[str] = []

    def note_and_refuse(element_id: str) -> NoReturn:
        asked.append(element_id)
        raise ApiResponseError("UpdateWorkerActivity", "no", status=403)

    stub.on_end = note_and_refuse
    reports = stub.reports(behind)
    for number in range(5):
        reports.submit(ending(number))

    reports.close()

    assert sorted(asked) == ["0", "1", "2", "3", "4"]
    assert stub.tally["uncertain"] == 5


def test_defect_of_a_publisher() -> None:
    """Whatever a publisher raises fails its element alone."""
    stub = Stub()
    stub.on_publish = lambda: int("no number")
    reports = stub.reports()
    for number in range(3):
        reports.submit(ending(number))
        stub.on_publish = lambda: None

    reports.close()

    assert len(stub.ended) == 3
    assert stub.tally["failed"] == len(stub.failures) <= 3
    assert stub.tally.elements == 3


def test_outage_ends_the_run() -> None:
    """Four elements in a row that cannot be reported are one."""
    stub = Stub()
    stub.on_end = fail
    reports = stub.reports(behind=0)
    for number in range(3):
        reports.submit(ending(number))
    before = stub.halt.error
    for number in range(3, 8):
        reports.submit(ending(number))

    reports.close()

    assert before is None
    assert isinstance(stub.halt.error, ApiUnavailableError)
    assert stub.tally["uncertain"] == 8


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread, the main one reports."""
    stub = Stub()
    reports = stub.reports()

    def refuse_to_start(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    for number in range(5):
        reports.submit(ending(number))
    reports.close()

    assert stub.tally["processed"] == 5
