"""Elements on their way to user code."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.runtime.loop import intake
from arkworker.runtime.loop.intake import Halt, Intake
from arkworker.runtime.loop.threads import RECENT, Timing
from arkworker.runtime.loop.worklist import Job

if TYPE_CHECKING:
    from collections.abc import Callable


class Elements:
    """A worklist of held elements, that many."""

    count: int | None = None

    def __init__(self, number: int, *, is_queue: bool = True) -> None:
        self.is_queue = is_queue
        self._left = [str(one) for one in range(number, 0, -1)]

    def take(self) -> Job | None:
        return Job(self._left.pop(), is_held=True) if self._left else None


class Preparing:
    """Stands for a retrieval."""

    def __init__(self, act: Callable[[Job], object] = lambda _: None) -> None:
        self._act = act

    def prepare(self, job: Job) -> bool:
        self._act(job)
        return True


def make(worklist: Any, ahead: int, act: Callable[[Job], object] = lambda _: None) -> Intake:
    return Intake(worklist, Preparing(act), Halt(), Timing(), ahead)  # type: ignore[arg-type] # as far as it is used


@pytest.mark.parametrize("is_queue", [True, False])
@pytest.mark.parametrize("ahead", [0, 1, 2, 10, 64])
def test_every_element_comes_once(ahead: int, is_queue: bool) -> None:  # noqa: FBT001 - a parameter
    """However many are fetched ahead, fewer or more than there are."""
    made = make(Elements(20, is_queue=is_queue), ahead)

    found = [job.id for job in iter(made.next, None)]

    assert sorted(found, key=int) == [str(one) for one in range(1, 21)]
    assert made.give_back() == []


def test_list_keeps_its_order() -> None:
    """The elements of a list come in their order, whichever is ready first."""
    is_second = threading.Event()

    def act(job: Job) -> None:
        if job.id == "3":
            is_second.set()
        elif job.id == "2":
            is_second.wait(10)

    made = make(Elements(9, is_queue=False), 4, act)

    assert [job.id for job in iter(made.next, None)] == [str(one) for one in range(1, 10)]


def test_list_goes_on_beside_an_element_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for another attempt does not hold up the others."""
    monkeypatch.setattr(intake, "HELD_UP", 0.01)
    is_last = threading.Event()

    def act(job: Job) -> None:
        if job.id == "2":
            is_last.wait(10)
        elif job.id == "5":
            is_last.set()

    made = make(Elements(5, is_queue=False), 2, act)

    found = [job.id for job in iter(made.next, None)]

    assert found[:3] == ["1", "3", "4"]
    assert sorted(found) == ["1", "2", "3", "4", "5"]


def test_one_more_is_ahead_once_user_code_has_waited() -> None:
    """Where two at a time do not keep up with user code, three are on their way, while it works, too."""
    is_third, is_later = threading.Event(), threading.Event()

    def act(job: Job) -> None:
        if job.id in ("2", "3"):
            is_third.wait(10)
        elif job.id == "4":
            is_third.set()
        elif job.id == "5":
            is_later.set()

    made = make(Elements(9), 2, act)

    made.next()
    assert not is_third.is_set()
    made.next()

    assert is_third.is_set()
    assert is_later.wait(10)


def test_stuck_element_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element whose retrieval neither comes nor can be cut off is ended all the same, once."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    gate, is_stuck = threading.Event(), threading.Event()

    def act(job: Job) -> None:
        if job.id == "2":
            is_stuck.set()
            gate.wait(10)

    made = make(Elements(9), 2, act)
    first = made.next()
    is_stuck.wait(10)

    left = made.give_back()
    gate.set()
    later = made.give_back()

    assert first is not None
    assert "2" in [job.id for job in left]
    assert later == []
    assert len({job.id for job in left}) == len(left)


def test_element_that_is_started_after_the_end_is_given_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ours then: who asks again, at the end of the run, gets it."""
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    monkeypatch.setattr(Elements, "take", lambda elements: Job(elements._left.pop()) if elements._left else None)
    is_stuck, gate = threading.Event(), threading.Event()

    def act(job: Job) -> None:
        if job.id == "2":
            is_stuck.set()
            gate.wait(10)
            job.is_held = True

    made = make(Elements(2), 1, act)
    made.next()
    is_stuck.wait(10)
    before = made.give_back()
    gate.set()
    monkeypatch.setattr(intake, "PATIENCE", 10)

    assert before == []
    assert [job.id for job in made.give_back()] == ["2"]


def test_stop_wakes_who_waits() -> None:
    """The main thread returns from `next` although nothing comes."""
    is_stuck, gate = threading.Event(), threading.Event()

    def act(job: Job) -> None:
        if job.id == "2":
            is_stuck.set()
            gate.wait(10)

    halt = Halt()
    made = Intake(Elements(2), Preparing(act), halt, Timing(), 1)  # type: ignore[arg-type] # as far as it is used
    made.next()

    def stop() -> None:
        is_stuck.wait(10)
        halt.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()

    assert made.next() is None
    gate.set()
    stopping.join()


def test_no_threads_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread, elements are fetched one after the other."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = make(Elements(5), 2)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert [job.id for job in iter(made.next, None)] == ["1", "2", "3", "4", "5"]


def test_no_threads_where_there_is_nothing_to_hide() -> None:
    """As long as fetching takes next to no time, the main thread does it."""
    threads: set[str] = set()
    timing = Timing()
    for _ in range(RECENT):
        timing.spend("work", 0.0)
    act: Callable[[Job], object] = lambda _: threads.add(threading.current_thread().name)  # noqa: E731 - an argument
    made = Intake(Elements(5), Preparing(act), Halt(), timing, 2)  # type: ignore[arg-type] # as far as it is used

    found = [job.id for job in iter(made.next, None)]

    assert (found, threads) == (["1", "2", "3", "4", "5"], {threading.main_thread().name})
