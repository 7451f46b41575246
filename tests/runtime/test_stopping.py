"""Stopping, in one process; `tests/cli/test_signals.py` sends signals to others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import StoppedError
from arkworker.runtime.stopping import Stopping, endings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


SET = signal.signal  # as code in C, and modules that were imported before, have it


def count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def raise_and_catch(caught: type[BaseException]) -> None:
    with contextlib.suppress(caught):
        signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back() -> None:
    """And nothing is left: no thread, no file."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    threads, files = threading.active_count(), count_files()

    with Stopping():
        pass

    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert (threading.active_count(), count_files()) == (threads, files)
    assert signal.set_wakeup_fd(-1) == -1


def test_signal_outside_user_code_waits_for_a_safe_point() -> None:
    """Our own commits and renames are not interrupted."""
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        done = True

        with pytest.raises(StoppedError) as caught:
            stopping.check()

    assert (done, caught.value.exit_code) == (True, 143)


def test_signal_in_user_code_interrupts_it() -> None:
    """At once, past what catches exceptions."""
    with Stopping() as stopping, pytest.raises(StoppedError), stopping.interruptible():
        raise_and_catch(Exception)


def test_no_user_code_after_a_signal() -> None:
    """None is begun."""
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StoppedError), stopping.interruptible():
            pytest.fail("begun")


def test_cleaning_up_after_a_signal() -> None:
    """That is begun, and raises only what it raises itself."""
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(ValueError, match="mine"), stopping.interruptible(although_stopped=True):
            raise ValueError("mine")


def test_swallowed_interruption() -> None:
    """It counts all the same."""
    with Stopping() as stopping, pytest.raises(StoppedError), stopping.interruptible():
        raise_and_catch(BaseException)


def test_user_code_that_ended_before_the_signal_succeeded() -> None:
    """Its work is kept; the run stops after it."""
    with Stopping() as stopping:
        with stopping.interruptible():
            pass
        signal.raise_signal(signal.SIGTERM)

        assert stopping.signal_number == signal.SIGTERM


def test_callbacks_are_called_from_a_thread() -> None:
    """Once, while their block lasts."""
    called: list[str] = []
    woken = threading.Event()

    def call() -> None:
        called.append(threading.current_thread().name)
        woken.set()

    with Stopping() as stopping:
        with stopping.calling(lambda: called.append("over")):
            pass
        with stopping.calling(call):
            signal.raise_signal(signal.SIGTERM)
            woken.wait(5)

    assert called == ["arkworker-stop"]


@pytest.mark.parametrize("is_last", [False, True], ids=["a thread", "no thread"])
def test_callback_that_fails(monkeypatch: pytest.MonkeyPatch, is_last: bool) -> None:  # noqa: FBT001 - a parameter
    """The others are called all the same, and so they are where there is no thread left to call them."""
    called = threading.Event()

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Stopping() as stopping, stopping.calling(fail), stopping.calling(called.set):
        if is_last:
            monkeypatch.setattr(threading.Thread, "start", fail)
        signal.raise_signal(signal.SIGTERM)

        assert called.wait(5)


def test_a_signal_that_asks_for_information(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-T of macOS ends nothing."""
    assert signal.SIGUSR1 in endings()
    monkeypatch.setattr(signal, "SIGINFO", signal.SIGUSR1, raising=False)

    assert signal.SIGUSR1 not in endings()


def test_other_threads_watch_nothing() -> None:
    """Python sets no handlers there."""
    found: list[object] = []

    def enter() -> None:
        with Stopping() as stopping, stopping.interruptible():
            found.append(stopping.signal_number)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert found == [None]


CATCHABLE = [
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGXCPU,
    signal.SIGTERM,
    signal.SIGINT,
]


def wait_for_handlers(stopping: Stopping, *numbers: int) -> None:
    """Until the thread has had the handlers taken back; sleeps, so that the main thread can be woken."""
    while any(signal.getsignal(number) != stopping._handle for number in numbers):
        time.sleep(0.01)


@pytest.mark.parametrize("number", CATCHABLE)
def test_each_signal_that_ends_a_process(number: int) -> None:
    """Each ends a run as SIGTERM does."""
    with Stopping() as stopping, pytest.raises(StoppedError) as caught, stopping.interruptible():
        signal.raise_signal(number)

    assert caught.value.exit_code == 128 + number


def test_signal_that_is_ignored() -> None:
    """As SIGHUP under nohup: the run goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping() as stopping:
            signal.raise_signal(signal.SIGHUP)

        assert stopping.signal_number is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_handler_that_was_put_back_to_the_default(number: int) -> None:
    """As a library in C does at its end: taken back within a moment, also while the main thread sleeps."""
    with Stopping() as stopping:
        SET(number, signal.SIG_DFL)

        wait_for_handlers(stopping, number)


def test_default_that_asyncio_puts_back() -> None:
    """The very next signal is heard; what is returned, and any other handler, is as ever."""
    with Stopping() as stopping:
        mine = [signal.signal(signal.SIGTERM, handler) for handler in (print, signal.SIG_DFL)]
        os.kill(os.getpid(), signal.SIGTERM)

        assert (stopping.signal_number, mine) == (signal.SIGTERM, [stopping._handle, print])
    assert signal.signal.__module__ == "signal"


async def signalled() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(3600)


async def signalled_in_a_task() -> None:
    task = asyncio.create_task(signalled())
    await asyncio.sleep(3600)
    await task


async def signalled_in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
    await asyncio.sleep(3600)


async def signalled_in_a_long_step() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    while True:
        pass


@pytest.mark.parametrize(
    "work",
    [signalled, signalled_in_a_task, signalled_in_a_callback, signalled_in_a_long_step],
    ids=lambda f: f.__name__,
)
def test_loops_are_interrupted(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """At once, wherever the signal comes, and coroutines clean up; but one step of a loop is not cut in two."""
    cleaned = []

    async def guarded() -> None:
        try:
            await work()
        finally:
            cleaned.append(1)

    with Stopping() as stopping, pytest.raises(StoppedError), stopping.interruptible():
        asyncio.run(guarded())

    assert cleaned == [1]


def test_loop_that_ends_before_it_could_be_interrupted() -> None:
    """What it has done is kept; later user code is not interrupted in its place."""
    loop = asyncio.new_event_loop()
    with Stopping() as stopping, contextlib.closing(loop):
        with stopping.interruptible():
            loop.call_soon(loop.stop)
            loop.call_soon(signal.raise_signal, signal.SIGTERM)
            loop.run_forever()
        with stopping.interruptible(although_stopped=True):
            loop.run_until_complete(asyncio.sleep(0))

        assert stopping.signal_number == signal.SIGTERM


def test_wakeup_descriptor_that_was_taken() -> None:
    """The signal is heard through the handler; and the next look takes back what nobody has."""
    called = threading.Event()
    with Stopping() as stopping, stopping.calling(called.set):
        ours = signal.set_wakeup_fd(-1)
        signal.raise_signal(signal.SIGTERM)

        assert called.wait(5)
        assert (stopping.look(), signal.set_wakeup_fd(ours, warn_on_full_buffer=False)) == (True, ours)


def test_look_at_a_handler_of_user_code() -> None:
    """Between elements it is taken back; before the first, nobody has asked to stop."""
    with Stopping() as stopping:
        signal.signal(signal.SIGTERM, lambda *_: None)

        assert (stopping.look(), signal.getsignal(signal.SIGTERM)) == (False, stopping._handle)


def test_handler_of_user_code_in_a_run_over_elements() -> None:
    """It is called, and the run stops, too."""
    seen = []
    with Stopping() as stopping:
        stopping.look()
        signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
        wait_for_handlers(stopping, signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

        assert (seen, stopping.look()) == ([signal.SIGTERM], True)


def test_timers_of_user_code_are_no_signals() -> None:
    """A profiler has a handler of its own for each tick; without one, an alarm would end the process."""
    ticks: list[int] = []
    with Stopping() as stopping:
        stopping.look()
        signal.signal(signal.SIGALRM, lambda number, _: ticks.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        while len(ticks) < 5:
            stopping.look()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        wait_for_handlers(stopping, signal.SIGALRM)
        assert (stopping.known, stopping._told) == (None, [])
        signal.raise_signal(signal.SIGALRM)

        assert stopping.look()


def test_timer_of_user_code_that_goes_on() -> None:
    """Its handler stays: the default would end the process after all was done."""
    before = signal.getsignal(signal.SIGALRM)
    try:
        with Stopping() as stopping:
            stopping.look()
            signal.signal(signal.SIGALRM, ours := lambda *_: None)

        assert signal.getsignal(signal.SIGALRM) == ours
    finally:
        signal.signal(signal.SIGALRM, before)


def test_wakeup_descriptor_is_given_up_before_nobody_reads_it() -> None:
    """A signal at the very end would otherwise write into a closed pipe, which Python reports with a traceback."""
    seen = []
    with Stopping() as stopping:
        thread: Any = stopping._thread
        join = thread.join

        def look() -> None:
            seen.append(signal.set_wakeup_fd(-1))
            join()

        thread.join = look

    assert seen == [-1]


def test_own_nudges_are_no_signals() -> None:
    """What the thread sends to have the handlers looked after does not stop anything."""
    with Stopping() as stopping:
        stopping.look()
        for _ in range(3):
            SET(signal.SIGTERM, signal.SIG_DFL)
            wait_for_handlers(stopping, signal.SIGTERM)

    assert (stopping.received, stopping._told) == (None, [])


@pytest.mark.parametrize(
    ("first", "second", "seconds", "expected"),
    [
        (signal.SIGTERM, signal.SIGTERM, 0.01, True),
        (signal.SIGTERM, signal.SIGTERM, 0.1, False),
        (signal.SIGTERM, signal.SIGINT, 0.1, False),
        (signal.SIGINT, signal.SIGINT, 0.1, False),
        (signal.SIGINT, signal.SIGTERM, 1, True),
        (signal.SIGHUP, signal.SIGHUP, 1, True),
        (signal.SIGINT, signal.SIGTERM, 3, False),
        (signal.SIGXCPU, signal.SIGXCPU, 5, True),
    ],
)
def test_what_is_one_with_the_first_signal(first: int, second: int, seconds: float, expected: bool) -> None:  # noqa: FBT001 - a row
    """A group is sent the same key of a terminal, and a supervisor hands it on; a limit is told each second."""
    assert Stopping._is_one_with(first, second, seconds) is expected


def test_closed_pipe() -> None:
    """User code that closes every file, as daemons do, does not keep the run from ending."""
    with Stopping() as stopping:
        os.close(signal.set_wakeup_fd(-1))
        signal.raise_signal(signal.SIGTERM)

    assert stopping.received == signal.SIGTERM


def test_second_signal_in_a_process_that_is_led() -> None:
    """What comes to the group, and again from the process that leads the run, is one request."""
    with Stopping(is_led=True) as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        while stopping.received is None:
            time.sleep(0.001)
        stopping._first_at -= 60
        os.kill(os.getpid(), signal.SIGTERM)
        while stopping._heard < 2:
            time.sleep(0.001)

    assert stopping.received == signal.SIGTERM
