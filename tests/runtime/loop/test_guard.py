"""What guards user code, where only parts of it are at work."""

from __future__ import annotations

import signal
from threading import Event, Thread

from arkworker.runtime.loop.guard import Guard
from arkworker.runtime.stopping import Stopping


def test_a_signal_that_only_the_main_thread_knows_of() -> None:
    """The next element is not begun: a machine that does much else may let the watching thread wait."""
    told: list[int] = []
    stopping = Stopping()  # not entered: it has no thread
    with Guard(stopping, grace=60, limit=None, on_stop=told.append, on_abandon=lambda *_: None) as guard:
        guard.look()
        before = guard.has_stopped
        stopping.signal_number = signal.SIGTERM
        guard.look()
        guard.look()

    assert (before, guard.has_stopped, told) == (False, True, [signal.SIGTERM])


def test_a_look_while_another_thread_tells_of_a_signal() -> None:
    """It lasts until everybody is told: an element would be begun meanwhile."""
    told: list[int] = []
    seen: list[int] = []
    begun, may_tell = Event(), Event()
    stopping = Stopping()

    def tell(number: int) -> None:
        begun.set()
        may_tell.wait()
        told.append(number)

    def look() -> None:
        guard.look()
        seen.extend(told)

    with Guard(stopping, grace=60, limit=None, on_stop=tell, on_abandon=lambda *_: None) as guard:
        stopping.signal_number = signal.SIGTERM
        threads = [Thread(target=guard.look), Thread(target=look)]
        threads[0].start()
        begun.wait()
        threads[1].start()
        threads[1].join(0.05)
        may_tell.set()
        for thread in threads:
            thread.join()

    assert seen == [signal.SIGTERM]
