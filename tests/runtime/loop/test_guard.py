"""What guards user code, where only parts of it are at work."""

from __future__ import annotations

import signal

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
