"""Elements on their way to user code."""

from __future__ import annotations

import threading

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
