"""The clocks of the two clients of a run: one whose waits end when the run is stopped, one that then waits less."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from arkworker.clock import SystemClock
from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

HURRIED = 0.25  # seconds: the longest wait between two attempts at a report once the run is stopped


class IntakeClock(SystemClock):
    """Waits between attempts at claims and retrievals; tells who waits, and gives up when the run is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.on_wait: Callable[[], None] | None = None
        self.signal_number: int | None = None

    def sleep(self, seconds: float) -> None:
        if self.on_wait is not None:
            self.on_wait()
        if self.signal_number is None:
            super().sleep(seconds)
        if self.signal_number is not None:
            raise StoppedError(self.signal_number)

    def stop(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.wake()


class ReportClock(SystemClock):
    """Waits between attempts at reports; shortly, once told to hurry."""

    def __init__(self) -> None:
        super().__init__()
        self._never = threading.Event()
        self._is_hurried = False

    def sleep(self, seconds: float) -> None:
        if self._is_hurried:
            self._never.wait(min(seconds, HURRIED))
        else:
            super().sleep(seconds)

    def hurry(self) -> None:
        self._is_hurried = True
        self.wake()
