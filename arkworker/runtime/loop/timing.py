"""Where the time of a run goes, and whether there is any to be hidden by threads."""

from __future__ import annotations

import threading

PHASES = ("waiting", "retrieving", "work", "publishing")
SLOW = 0.005  # seconds: a phase of one element that takes longer is worth a thread beside it
RECENT = 9  # phases, of three elements, that are looked at
FEW = 2  # of them may be slow for other reasons, such as a busy machine


class Timing:
    """Told how long each phase of each element took; from any thread.

    On a fast network, with next to no work, handing elements from thread to thread takes longer than what it saves.

    Attributes:
        is_fast: Whether nearly all of the last phases were short. At first nobody knows, and they count as long.
    """

    def __init__(self) -> None:
        self.is_fast = False
        self._lock = threading.Lock()
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._slow = (1 << RECENT) - 1  # a bit for each of the last phases

    def spend(self, phase: str, seconds: float) -> None:
        """Add to a phase: `waiting` for an element, `retrieving` it, `work` of user code, `publishing` its end."""
        with self._lock:
            self._seconds[phase] += seconds
            if phase != "waiting":
                self._slow = (self._slow << 1 | (seconds > SLOW)) & ((1 << RECENT) - 1)
                self.is_fast = self._slow.bit_count() <= FEW

    def as_data(self) -> dict[str, float]:
        """The seconds of each phase; those of threads side by side are added up."""
        return {phase: round(self._seconds[phase], 3) for phase in PHASES}
