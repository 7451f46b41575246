"""What processes report to the one that shares the elements out: counted, recorded and summed up in one place."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime import logs
from arkworker.runtime.loop.channel import Say
from arkworker.runtime.loop.ends import end_left
from arkworker.runtime.loop.in_hand import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from arkworker.runtime.collecting import Highlights
    from arkworker.runtime.failures import Failures
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.ends import Ends
    from arkworker.runtime.loop.intake import Halt
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.storage.recording.lines import Entry

logger = logging.getLogger("arkworker.elements")

FAREWELL = 1.8  # seconds that a process has beside the grace time, for its last reports
MOST_IN_VAIN = 3  # processes in a row that die before they have an element
#: The codes of what ends a run before its elements do, the weightiest first.
_WEIGHT = (ExitCode.CONFIGURATION, ExitCode.UNAVAILABLE, ExitCode.FAILED)


def end_held(ids: Iterable[str], reason: str, ends: Ends, failures: Failures) -> None:
    """End in error what is ours and will not be worked on."""
    end_left(dict.fromkeys(ids, Stage.WORKING), reason, ends, failures)


@contextlib.contextmanager
def telling_traces() -> Iterator[None]:
    """While the block lasts, user code in another process may end the run: its traceback is logged."""
    try:
        yield
    except ArkworkerError as error:
        if (trace := getattr(error, "trace", None)) is not None:
            logger.error("The worker failed\n%s", trace)  # noqa: TRY400 - it is that of the other process
        raise


class Accounts:
    """What the processes of a run tell, taken down in one place, and how the run ends after all of it.

    Args:
        run: What the lifecycle hands over.
        assignment: What there was to do.
        halt: Whether the run goes on.

    Attributes:
        codes: The exit codes of processes that ended early.
        broken: The error of the first process that could not be set up.
        ended_by: The exit code of what ended the run early; None where nothing did.
    """

    def __init__(self, run: Handover, assignment: Assignment, halt: Halt) -> None:
        self.codes: list[int] = []
        self.broken: ArkworkerError | None = None
        self.ended_by: int | None = None
        self._run = run
        self._assignment = assignment
        self._halt = halt
        self._phases: Counter[str] = Counter()
        self._metrics: dict[str, Any] = {}

    def take_down(self, process: int, what: Say, *parts: Any) -> None:
        """Take down what concerns the run as a whole; what concerns the process alone is nothing to this.

        Args:
            process: Its number, from 1.
            what: What it says.
            parts: The particulars.
        """
        notes: dict[Say, Callable[..., Any]] = {
            Say.LOG: logs.take_over,
            Say.FAILURE: self._run.outcome.failures.note,
            Say.EXAMPLE: self._run.outcome.failures.illustrate,
            Say.COUNT: partial(self._count, process),
            Say.FIGURES: partial(self._add, process),
            Say.BROKEN: self._note_broken,
        }
        if what in notes:
            notes[what](*parts)

    def record(self, entry: Entry) -> Exception | bool:
        """Write a line of the results file; what came of it."""
        recorder = self._assignment.recorder
        assert recorder is not None  # noqa: S101 - else no process would ask
        place = recorder.found.get(entry.element.id)
        if place is not None and place.claimed:
            entry = entry.model_copy(update={"claimed": True})
        try:
            recorder.write(entry)
        except (ArkworkerError, ValueError) as error:
            return error
        return True

    def conclude(self, finish: Callable[[Any], None] | None) -> Summary:
        """The run in numbers, once no process is left; where nothing ended it early, after `finish`.

        Args:
            finish: User code for after the last element, with a session of the cache.

        Raises:
            ArkworkerError: A process could not be set up.
        """
        signal = self._run.stopping.known
        if self.broken is not None and signal is None:
            raise self.broken
        self.ended_by = 128 + signal if signal is not None else self._weightiest()
        if finish is not None and self.ended_by is None:
            self.ended_by = self._run.call_finish(finish)
        phases = {name: round(spent, 3) for name, spent in self._phases.items()}
        metrics = self._metrics | self._run.context.services.metrics.as_data()
        strict = self._run.settings.strict
        return self._run.outcome.sum_up(self.ended_by, strict=strict, phases=phases, metrics=metrics)

    def _count(self, process: int, outcome: str, number: int, element_id: str | None) -> None:
        """Elements have ended, or claims were lost."""
        self._run.outcome.tally.count(outcome, number, element_id=element_id)
        if self._run.outcome.collected is not None:
            self._run.outcome.collected.count_for(process, outcome, number)
        if element_id is not None:
            self._assignment.in_hand.forget(element_id)
            self._assignment.progress.advance()

    def _add(
        self,
        process: int,
        phases: Mapping[str, float],
        metrics: Mapping[str, Any],
        highlights: Highlights | None = None,
    ) -> None:
        """A process has come to its end, and has seen some elements."""
        if self._run.outcome.collected is not None:
            self._run.outcome.collected.add_process(process, phases, highlights)
        self._phases.update(phases)
        self._metrics |= metrics

    def _note_broken(self, error: ArkworkerError, trace: str | None) -> None:
        """What would happen in every process: the first is reported, with the traceback of its user code."""
        if self.broken is None and not self._halt.is_stopped:
            if trace is not None:
                vars(error)["trace"] = trace
            self.broken = error

    def _weightiest(self) -> int | None:
        """The exit code of what ended the run early; None where nothing did."""
        error = self._halt.error
        found = [*self.codes, *([int(error.exit_code)] if isinstance(error, ArkworkerError) else ())]
        return next((code for code in (*_WEIGHT, *found) if code in found), None)
