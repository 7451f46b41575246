"""Elements on their way to user code."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

import pytest

from arkworker.runtime.loop import intake
from arkworker.runtime.loop.intake import Intake
from arkworker.runtime.loop.jobs import Job


class Source:
    """Hands out held elements without end, or that many."""

    count: int | None = None
    is_ordered = False
    is_queue = True

    def __init__(self, number: int) -> None:
        self._left = [str(one) for one in range(number, 0, -1)]

    def take(self) -> Job | None:
        return Job(self._left.pop(), is_held=True) if self._left else None


def test_stuck_element_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element whose retrieval neither comes nor can be cut off is ended all the same, once."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    gate, is_stuck = threading.Event(), threading.Event()

    def prepare(job: Job) -> None:
        if job.id == "2":
            is_stuck.set()
            gate.wait(10)

    made = Intake(Source(9), prepare, 2)
    made.go_ahead()
    first = made.next()
    is_stuck.wait(10)

    left = made.close()
    gate.set()
    later = made.close()

    assert first is not None
    assert "2" in [job.id for job in left]
    assert later == []
    assert len({job.id for job in left}) == len(left)


@pytest.mark.parametrize("ahead", [0, 1, 2, 10, 64])
def test_every_element_comes_once(ahead: int) -> None:
    """However many are fetched ahead, fewer or more than there are."""
    made = Intake(Source(20), lambda _: None, ahead)
    made.go_ahead()

    found = [job.id for job in iter(made.next, None)]

    assert sorted(found, key=int) == [str(one) for one in range(1, 21)]
    assert made.close() == []


def test_no_threads_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread, elements are fetched one after the other."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = Intake(Source(5), lambda _: None, 2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    made.go_ahead()

    assert [job.id for job in iter(made.next, None)] == ["1", "2", "3", "4", "5"]


def test_source_ends_while_threads_are_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first thread has brought comes, although the source is at its end before the second thread lives."""
    start, is_late = threading.Thread.start, threading.Event()

    def await_end() -> None:
        while not made._is_over:
            is_late.wait(0.001)

    def start_late(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "intake-0":
            await_end()
            is_late.wait(0.1)

    made = Intake(Source(1), lambda _: None, 2)
    monkeypatch.setattr(threading.Thread, "start", start_late)
    starter = threading.Thread(target=made.go_ahead)
    start(starter)
    await_end()

    found = [job.id for job in iter(made.next, None)]
    starter.join()

    assert found == ["1"]


def test_close_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread returns from `next` although another one has closed the intake before it woke."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    is_asked, is_closed, gate = threading.Event(), threading.Event(), threading.Event()

    class Late(SimpleQueue[Any]):
        def get(self, *_: Any) -> Any:
            is_asked.set()
            is_closed.wait(10)
            return super().get(timeout=1)

    def prepare(_job: Job) -> None:
        gate.wait(10)

    made = Intake(Source(1), prepare, 1)
    monkeypatch.setattr(made, "_messages", Late())
    made.go_ahead()

    def close() -> None:
        is_asked.wait(10)
        made.close()
        is_closed.set()

    closing = threading.Thread(target=close)
    closing.start()
    found = made.next()
    gate.set()
    closing.join()

    assert found is None


class Slow(Source):
    """Its second element comes as soon as somebody asks about the first while the intake is being closed."""

    def __init__(self) -> None:
        super().__init__(2)
        self.is_closing, self.is_asked, self.is_second = threading.Event(), threading.Event(), threading.Event()

    def take(self) -> Job | None:
        job = super().take()
        if job is None or job.id == "2":
            self.is_asked.wait(10)
            return job
        return Asked(self, job.id)


class Asked(Job):
    """Held; says so when the second element is on its way."""

    def __init__(self, source: Slow, name: str) -> None:
        self.source = source
        super().__init__(name)

    def __getattribute__(self, name: str) -> Any:
        if name != "is_held":
            return super().__getattribute__(name)
        if self.source.is_closing.is_set():
            self.source.is_asked.set()
            self.source.is_second.wait(10)
        return True


def test_element_that_comes_while_the_intake_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keeps the other from being given back."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    source, is_first, gate = Slow(), threading.Event(), threading.Event()

    def prepare(job: Job) -> None:
        (is_first if job.id == "1" else source.is_second).set()
        gate.wait(10)

    made = Intake(source, prepare, 2)
    made.go_ahead()
    is_first.wait(10)
    source.is_closing.set()

    left = [job.id for job in (*made.close(), *made.close())]
    gate.set()

    assert left == ["1", "2"]


def test_element_that_is_started_after_the_intake_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ours then: who closes again, at the end of the run, gets it."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    monkeypatch.setattr(Source, "take", lambda source: Job(source._left.pop()) if source._left else None)
    is_stuck, gate = threading.Event(), threading.Event()

    def prepare(job: Job) -> None:
        is_stuck.set()
        gate.wait(10)
        job.is_held = True

    made = Intake(Source(1), prepare, 1)
    made.go_ahead()
    is_stuck.wait(10)
    before = made.close()
    gate.set()
    monkeypatch.setattr(intake, "PATIENCE", 10)

    assert before == []
    assert [job.id for job in made.close()] == ["1"]
