"""How a run over elements went: the outcome of each, one line, a file, and an error where it did not succeed."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.errors import ArkworkerError, ConfigurationError, ExitCode, Problem
from arkworker.storage import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from arkworker.runtime.collecting import Collected
    from arkworker.runtime.loop.failures import Failures
    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker.elements")


class Tally:
    """How many elements ended how; each that was seen is counted once. Safe to use from any thread.

    Args:
        collected: Told of each, for a report.
    """

    def __init__(self, collected: Collected | None = None) -> None:
        self._collected = collected
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, outcome: str, number: int = 1, *, element_id: str | None = None) -> None:  # noqa: ARG002 - for those that tell others
        """Add to `processed`, `failed`, `skipped` or `uncertain`.

        Args:
            outcome: One of these.
            number: How many.
            element_id: The element, where it is one.
        """
        with self._lock:
            self._counts[outcome] += number
        if self._collected is not None:
            self._collected.count(outcome, number)

    def settle(self, state: State, element_id: str) -> None:
        """An element ended in a state."""
        self.count("processed" if state is State.PROCESSED else "failed", element_id=element_id)

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
    phases: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tally: Tally,
        seconds: float,
        exit_code: int,
        phases: Mapping[str, float] | None = None,
        metrics: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Summary:
        counts = {name: tally[name] for name in ("processed", "failed", "skipped", "uncertain")}
        return cls(
            elements=sum(counts.values()),
            **counts,
            seconds=round(seconds, 3),
            exit_code=exit_code,
            phases=phases or {},
            metrics=metrics or {},
        )

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        if not self.metrics:
            del data["metrics"]
        return data

    def told(self) -> str:
        """The last line of a run."""
        return (f"stopped by signal {self.exit_code - 128}; " if self.exit_code > 128 else "") + str(self)

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


class ElementsError(ArkworkerError):
    """A run over elements that did not succeed; the message is its summary, the exit code says how it ended."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message, exit_code)

    def __str__(self) -> str:
        return str(self.args[0])


def prepare(path: str | None) -> None:
    """Forget the summary of a run before: a run that is killed leaves an empty file.

    Raises:
        ConfigurationError: It cannot be written.
    """
    if path is None:
        return
    try:
        if Path(path).exists() and not files.is_stream(path):
            files.replace(path, b"")
    except OSError as error:
        problem = Problem("summary", "command line", "--summary", f"cannot be written: {error.strerror}")
        raise ConfigurationError([problem]) from None


@contextmanager
def summed_up_before(path_of: Callable[[], str | None], stopping: Stopping) -> Iterator[Callable[[], None]]:
    """A run that ends before its loop begins, in `setup` for one, leaves no summary that says otherwise.

    Args:
        path_of: The file of the summary, as soon as it is known.
        stopping: Knows of a signal, which goes before all that it caused.

    Yields:
        To be called when the loop begins: `summed_up` tells the rest.
    """
    begun = threading.Event()
    try:
        yield begun.set
    except ArkworkerError as error:
        if not begun.is_set():
            number = stopping.signal_number
            code = int(error.exit_code) if number is None else 128 + number
            write(Summary.of(Tally(), 0.0, code), path_of())
        raise


@contextmanager
def summed_up(path: str | None, tally: Tally, stopping: Stopping) -> Iterator[None]:
    """However a run ends, its summary says so: also when it ends before the first element, or is stopped at its end."""
    started = time.monotonic()
    try:
        yield
    except ElementsError:
        raise
    except ArkworkerError as error:
        write(Summary.of(tally, time.monotonic() - started, int(error.exit_code)), path)
        raise
    finally:
        stopping.call_at_stop(lambda: _note_stop(path, stopping))
        if stopping.received is not None:
            _note_stop(path, stopping)


def _note_stop(path: str | None, stopping: Stopping) -> None:
    """A signal between the end of the elements and that of the process: the exit code says so, hence the summary."""
    if path is None or stopping.received is None:
        return
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = {} if files.is_stream(path) else json.loads(Path(path).read_text(encoding="utf-8"))
        if found and found["exit_code"] <= 128:
            write(Summary(**(found | {"exit_code": 128 + stopping.received})), path)


def record(summary: Summary, failures: Failures, path: str | None, collected: Collected | None = None) -> None:
    """Log how a run went that cannot be concluded as usual, and write its summary and report."""
    _record(summary, failures, path, collected)
    logger.error("%s", summary.told())
    if collected is not None:
        collected.write()


def _record(summary: Summary, failures: Failures, path: str | None, collected: Collected | None) -> None:
    failures.report()
    if collected is not None:
        collected.end(summary.as_data(), [asdict(group) for group in failures.groups])
    if summary.uncertain:
        logger.warning(
            "%d claims or reports may have been lost on the way: look for elements that remain started on Arkindex",
            summary.uncertain,
        )
    write(summary, path)


def conclude(summary: Summary, failures: Failures, path: str | None, collected: Collected | None = None) -> None:
    """Log how a run went, write its summary, and say the last line.

    Args:
        summary: The run in numbers.
        failures: What went wrong.
        path: The file of the summary.
        collected: What a report shows, and needs these for; it is written when the run has ended.

    Raises:
        ElementsError: The exit code is not 0; the last line is its message.
    """
    _record(summary, failures, path, collected)
    if summary.exit_code != ExitCode.OK:
        raise ElementsError(summary.told(), summary.exit_code)
    logger.log(logging.WARNING if summary.failed else logging.INFO, "%s", summary)


def write(summary: Summary, path: str | None) -> None:
    """Write a summary, whole or not at all."""
    if path is None:
        return
    try:
        files.replace(path, json.dumps(summary.as_data()).encode() + b"\n")
    except OSError as error:
        logger.error("%s: the summary cannot be written: %s", path, error.strerror)  # noqa: TRY400 - one line will do
