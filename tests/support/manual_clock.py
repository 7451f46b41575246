"""A clock that waits for nothing."""

from __future__ import annotations


class ManualClock:
    """Waits at once, and remembers for how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
