"""What a merge may take, whatever its parents hold."""

from __future__ import annotations

import time
from dataclasses import dataclass

MAX_BYTES = 16 * 2**30
MAX_VALUE_BYTES = 16 * 2**20
MAX_SECONDS = 900.0


class Deadline:
    """Ends the statements under way, in every thread, when the time is up or the merge is given up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.interruption: BaseException | None = None
        self._end = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def give_up(self) -> None:
        self._end = time.monotonic()

    def stops(self) -> bool:
        """Whether the statement under way must end; SQLite asks it every so many steps."""
        try:
            return self.passed
        except BaseException as error:  # noqa: BLE001 - SQLite would lose the exception of a signal: it is kept
            self.interruption = error
            return True


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one merge.

    Attributes:
        max_bytes: The size of one parent, its write-ahead log included.
        max_value_bytes: The size of one value, row or statement of a parent.
        deadline: What ends its statements.
    """

    max_bytes: int
    max_value_bytes: int
    deadline: Deadline
