"""The beginning of the helpers of a run."""

from __future__ import annotations

import threading

from arkworker.clock import SystemClock
from arkworker.runtime.loop.pace import Pace


def test_stop_waits_for_a_beginning_under_way() -> None:
    """Nothing begins behind the back of who then takes the run apart."""
    has_begun, gate, did = threading.Event(), threading.Event(), []

    def begin() -> None:
        has_begun.set()
        gate.wait(10)
        did.append("begin")

    pace = Pace(begin, SystemClock())
    pace.start()
    has_begun.wait(10)
    threading.Timer(0.05, gate.set).start()
    pace.stop()
    did.append("stop")

    assert did == ["begin", "stop"]


def test_nothing_begins_after_stop() -> None:
    """Nor does the watch go on."""
    did: list[str] = []
    pace = Pace(lambda: did.append("begin"), SystemClock())
    pace.stop()

    pace.start()
    pace._thread.join(10)

    assert did == []
