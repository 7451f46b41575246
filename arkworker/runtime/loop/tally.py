"""Counting what became of the elements, and the exit code that follows."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass

from arkworker.arkindex.activities import State
from arkworker.errors import ExitCode


class Tally:
    """How many elements ended how; each that was seen is counted once. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, outcome: str, number: int = 1) -> None:
        """Add to `processed`, `failed`, `skipped` or `uncertain`."""
        with self._lock:
            self._counts[outcome] += number

    def settle(self, state: State) -> None:
        """An element ended in a state."""
        self.count("processed" if state is State.PROCESSED else "failed")

    def __getitem__(self, outcome: str) -> int:
        return self._counts[outcome]

    @property
    def elements(self) -> int:
        return self._counts.total()


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers; the first is the sum of the next four.

    Attributes:
        elements: All that were seen, and claims whose answer was lost.
        processed: Those that user code and the reports succeeded for.
        failed: Those that ended in error.
        skipped: Those that another process has.
        uncertain: Claims and reports that Arkindex may or may not have acted upon.
        seconds: How long the run took.
        exit_code: That of the process.
    """

    elements: int
    processed: int
    failed: int
    skipped: int
    uncertain: int
    seconds: float
    exit_code: int

    @classmethod
    def of(cls, tally: Tally, seconds: float, exit_code: int) -> Summary:
        counts = {name: tally[name] for name in ("processed", "failed", "skipped", "uncertain")}
        return cls(elements=sum(counts.values()), **counts, seconds=round(seconds, 3), exit_code=exit_code)

    def as_data(self) -> dict[str, int | float]:
        return asdict(self)

    def __str__(self) -> str:
        noun = "element" if self.elements == 1 else "elements"
        return (
            f"{self.elements} {noun} in {self.seconds:.1f} s: {self.processed} processed, {self.failed} failed, "
            f"{self.skipped} skipped, {self.uncertain} uncertain"
        )


def exit_code_of(tally: Tally, *, ended_by: int | None, strict: bool) -> int:
    """The exit code of a run: what ended it early, if anything did, else what the numbers say."""
    if ended_by is not None:
        return ended_by
    if tally["failed"] and (strict or not tally["processed"]):
        return ExitCode.FAILED
    return ExitCode.UNCERTAIN if tally["uncertain"] else ExitCode.OK
