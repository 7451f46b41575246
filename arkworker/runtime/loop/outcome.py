"""How a run over elements went: the outcome of each, one line, a file, and an error where it did not succeed."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from arkworker.arkindex.activities import State
from arkworker.errors import ArkworkerError, ExitCode
from arkworker.frozen import FrozenDict
from arkworker.runtime.failures import Failures
from arkworker.storage import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from arkworker.runtime.collecting import Collected
    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker.elements")

#: Of an element; `uncertain` is also a claim whose answer was lost.
OUTCOMES = ("processed", "failed", "skipped", "uncertain")


class Tally:
    """How many elements ended how; each that was seen is counted once. Safe to use from any thread."""

    def __init__(self) -> None:
        self._watchers: list[Callable[[str, int], None]] = []
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, outcome: str, number: int = 1, *, element_id: str | None = None) -> None:  # noqa: ARG002 - for those that tell others
        """Add to a count.

        Args:
            outcome: One of `OUTCOMES`.
            number: How many.
            element_id: The element, where it is one.
        """
        with self._lock:
            self._counts[outcome] += number
        for watch in self._watchers:
            watch(outcome, number)

    def watch(self, watcher: Callable[[str, int], None]) -> None:
        """Tell somebody else, too, of all that is counted from now on."""
        self._watchers.append(watcher)

    def settle(self, state: State, element_id: str) -> None:
        """An element ended in a state."""
        self.count("processed" if state is State.PROCESSED else "failed", element_id=element_id)

    def __getitem__(self, outcome: str) -> int:
        return self._counts[outcome]

    @property
    def elements(self) -> int:
        return self._counts.total()


class Summary(NamedTuple):
    """A run in numbers; the first is the sum of the next four.

    Attributes:
        elements: All that were seen, and claims whose answer was lost.
        processed: Those that user code and the reports succeeded for.
        failed: Those that ended in error.
        skipped: Those that another process has.
        uncertain: Claims and reports that Arkindex may or may not have acted upon.
        seconds: How long the run took.
        exit_code: That of the process.
        phases: Seconds by phase; those of threads side by side are added up.
        metrics: What the worker recorded: value and unit by name.
    """

    elements: int
    processed: int
    failed: int
    skipped: int
    uncertain: int
    seconds: float
    exit_code: int
    phases: Mapping[str, float] = FrozenDict()
    metrics: Mapping[str, Mapping[str, Any]] = FrozenDict()

    def as_data(self) -> dict[str, Any]:
        data = self._asdict()
        if not self.metrics:
            del data["metrics"]
        return data

    def line(self, noun: str) -> str:
        """All on one line, with what the run worked on: `element` or `set`."""
        things = noun if self.elements == 1 else f"{noun}s"
        return (
            f"{self.elements} {things} in {self.seconds:.1f} s: {self.processed} processed, {self.failed} failed, "
            f"{self.skipped} skipped, {self.uncertain} uncertain"
        )


class ElementsError(ArkworkerError):
    """A run over elements that did not succeed; the message is its summary, the exit code says how it ended."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message, exit_code)

    def __str__(self) -> str:
        return str(self.args[0])


class Outcome:
    """How a run goes: counted and grouped while it lasts, summed up and written when its elements are over.

    Args:
        stopping: Knows of a signal, which goes before all that it caused.
        path: Gives the file of the summary, as soon as it is known; None where none is wanted.
        tally: Counts what became of each element; one of its own by default.
        failures: Told of those that failed; likewise.

    Attributes:
        tally: See above.
        failures: See above.
        collected: Told of all that a report shows; None where none is wanted.
        ended_by: What made the run a failure whatever its elements say; for its last line.
    """

    ended_by = ""

    def __init__(
        self,
        stopping: Stopping,
        path: Callable[[], str | None] = lambda: None,
        *,
        tally: Tally | None = None,
        failures: Failures | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.failures = failures or Failures()
        self._stopping = stopping
        self._path = path
        self.collected: Collected | None = None
        self._start: float | None = None
        self._noun = "element"
        self._lock = threading.Lock()
        self._written: Summary | None = None

    def report_to(self, collected: Collected) -> None:
        """Tell a report, too, from now on."""
        self.collected = collected
        self.tally.watch(collected.count)

    def start(self, noun: str = "element") -> None:
        """The elements begin, or what else the noun says: their time counts from here."""
        self._start = time.monotonic()
        self._noun = noun

    @contextmanager
    def summarized(self) -> Iterator[None]:
        """However the run ends, its summary says so: before the first element, at the last, or after all of them."""
        self._stopping.call_at_stop(self._note_stop)
        try:
            yield
        except ElementsError:
            raise
        except ArkworkerError as error:
            number = self._stopping.signal_number
            code = int(error.exit_code) if number is None else 128 + number
            with self._lock:
                if self._written is None:
                    self._write(self._summary(code))
                else:
                    self._correct(self._written, code)
            raise
        finally:
            self._note_stop()

    def sum_up(
        self,
        ended_by: int | None,
        *,
        strict: bool,
        phases: Mapping[str, float] | None = None,
        metrics: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Summary:
        """The run in numbers, and its exit code: what ended it early, if anything did, else what the numbers say.

        Args:
            ended_by: The exit code of what ended the run early; None where nothing did.
            strict: Whether one element that failed is a failure of the run.
            phases: Seconds by phase.
            metrics: What the worker recorded.
        """
        code = ended_by
        if code is None and self.tally["failed"] and (strict or not self.tally["processed"]):
            code = ExitCode.FAILED
        elif code is None:
            code = ExitCode.UNCERTAIN if self.tally["uncertain"] else ExitCode.OK
        return self._summary(code, phases=phases or {}, metrics=metrics or {})

    def _summary(self, exit_code: int, **measured: Any) -> Summary:
        counts: dict[str, Any] = {name: self.tally[name] for name in OUTCOMES}
        seconds = 0.0 if self._start is None else round(time.monotonic() - self._start, 3)
        return Summary(sum(counts.values()), **counts, seconds=seconds, exit_code=exit_code, **measured)

    def record(self, summary: Summary) -> None:
        """Log how a run went that cannot be concluded as usual, and write its summary and report."""
        self._tell(summary)
        logger.error("%s", self._last_line(summary))
        if self.collected is not None:
            self.collected.write()

    def conclude(self, summary: Summary) -> None:
        """Log how the run went, write its summary, and say the last line.

        Raises:
            ElementsError: The exit code is not 0; the last line is its message.
        """
        self._tell(summary)
        if summary.exit_code != ExitCode.OK:
            raise ElementsError(self._last_line(summary), summary.exit_code)
        logger.log(logging.WARNING if summary.failed else logging.INFO, "%s", summary.line(self._noun))

    def _last_line(self, summary: Summary) -> str:
        reason = f"stopped by signal {summary.exit_code - 128}" if summary.exit_code > 128 else self.ended_by
        line = summary.line(self._noun)
        return f"{reason}; {line}" if reason else line

    def _tell(self, summary: Summary) -> None:
        self.failures.report()
        if self.collected is not None:
            self.collected.end(summary.as_data(), [asdict(group) for group in self.failures.groups])
        if summary.uncertain:
            logger.warning(
                "%d claims or reports may have been lost on the way: look for elements that remain started on Arkindex",
                summary.uncertain,
            )
        with self._lock:
            self._write(summary)

    def _note_stop(self) -> None:
        """A signal may come between the end of the elements and that of the process."""
        number = self._stopping.received
        with self._lock:
            if number is not None and self._written is not None and self._written.exit_code <= 128:
                self._correct(self._written, 128 + number)

    def _correct(self, written: Summary, exit_code: int) -> None:
        """The process ends with another exit code than was written; what has gone through a pipe stays as it is."""
        path = self._path()
        with contextlib.suppress(OSError):
            if path is not None and not files.is_stream(path):
                self._write(written._replace(exit_code=exit_code))

    def _write(self, summary: Summary) -> None:
        """Whole or not at all."""
        self._written = summary
        path = self._path()
        if path is None:
            return
        try:
            files.replace(path, json.dumps(summary.as_data()).encode() + b"\n")
        except OSError as error:
            logger.error("%s: the summary cannot be written: %s", path, error.strerror)  # noqa: TRY400 - one line will do
