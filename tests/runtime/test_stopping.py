"""Stopping, in one process; `tests/cli/test_signals.py` sends signals to others."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path

import pytest

from arkworker.errors import StoppedError
from arkworker.runtime.stopping import Stopping


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

    assert called == ["arkworker-signals"]


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
