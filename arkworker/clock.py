"""The clock of a run: all that waits takes it as an argument, so that no test sleeps and a stop ends every wait."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait. A clock whose run is being stopped returns or raises early."""


class SystemClock:
    """The real one; `wake` ends the wait under way and every later one."""

    def __init__(self) -> None:
        self._awake = threading.Event()

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        # An event, not time.sleep: a handled signal does not end that one (PEP 475).
        self._awake.wait(seconds)

    def wake(self) -> None:
        self._awake.set()
