"""What the processes of a run tell whoever shares its elements out: counted, recorded and summed up in one place."""

from __future__ import annotations

import contextlib
import logging
import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime import logs
from arkworker.runtime.loop import outcome
from arkworker.runtime.loop.assignment import assigned, recording
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.in_hand import Stage
from arkworker.runtime.loop.job_process import SETTINGS, Say
from arkworker.runtime.loop.outcome import Summary, Tally
from arkworker.runtime.loop.work import end_left
from arkworker.runtime.user_errors import described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from arkworker.runtime.collecting import Collected, Share
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.ends import Ends
    from arkworker.runtime.loop.failures import Failures
    from arkworker.storage.recording.lines import Entry

logger = logging.getLogger("arkworker.elements")

FAREWELL = 1.8  # seconds that a process has beside the grace time, for its last reports
MOST_IN_VAIN = 3  # processes in a row that die before they have an element
#: The codes of what ends a run before its elements do, the weightiest first.
_WEIGHT = (ExitCode.CONFIGURATION, ExitCode.UNAVAILABLE, ExitCode.FAILED)


@contextlib.contextmanager
def prepared(run: Handover) -> Iterator[tuple[Clients, Assignment]]:
    """What there is to do, for a run that shares it out; its lines of the log name their process.

    Raises:
        ConfigurationError: The elements cannot be chosen, or a file cannot be written.
        ApiError: The sets that elements are in cannot be listed.
    """
    path = run.settings.summary
    outcome.prepare(path)
    tally = Tally(run.collected)
    with (
        outcome.summed_up(path, tally, run.stopping),
        recording(run) as recorder,
        contextlib.closing(Clients(run.context.connection, read_only=run.context.is_read_only)) as clients,
        assigned(run, clients, tally, recorder) as assignment,
    ):
        yield clients, assignment


def owner_of(run: Handover) -> str:
    """The run that notes on disk make sense to."""
    return f"{run.context.worker_run_id} {run.context.task_id}"


def packed(run: Handover, **replaced: Any) -> bytes:
    """What other processes need of the run, the token included; and some settings in place of those of the run.

    Raises:
        ArkworkerError: Something in the configuration cannot be sent.
    """
    settings = {name: getattr(run.settings, name) for name in SETTINGS} | replaced
    try:
        return pickle.dumps((run.context, settings))
    except Exception as error:
        raise ArkworkerError(f"the context cannot be sent to other processes: {described(error)}") from error


def take_down(given: Assignment, what: Say, *parts: Any) -> None:
    """Take down what concerns the run as a whole."""
    if what is Say.LOG:
        logs.take_over(*parts)
    elif what is Say.FAILURE:
        given.failures.note(*parts)
    elif what is Say.EXAMPLE:
        given.failures.illustrate(*parts)


def traced(error: ArkworkerError, trace: str | None) -> ArkworkerError:
    """An error of another process, with the traceback of user code that it has there."""
    if trace is not None:
        vars(error)["trace"] = trace
    return error


def tell_trace(error: ArkworkerError) -> None:
    """Log the traceback of user code in another process, where that is what ends the run."""
    if (trace := getattr(error, "trace", None)) is not None:
        logger.error("The worker failed\n%s", trace)


def count(given: Assignment, name: str, number: int, element_id: str | None) -> None:
    """Count an element that ended, or a claim that was lost."""
    given.tally.count(name, number, element_id=element_id)
    if element_id is not None:
        given.in_hand.forget(element_id)
        given.progress.advance()


def record(given: Assignment, entry: Entry) -> Exception | bool:
    """Write a line of the results file; what came of it."""
    recorder = given.recorder
    assert recorder is not None  # noqa: S101 - else no process would ask
    place = recorder.found.get(entry.element.id)
    if place is not None and place.claimed:
        entry = entry.model_copy(update={"claimed": True})
    try:
        recorder.write(entry)
    except (ArkworkerError, ValueError) as error:
        return error
    return True


def end_held(ids: Iterable[str], reason: str, ends: Ends, failures: Failures) -> None:
    """End in error what is ours and will not be worked on."""
    end_left(dict.fromkeys(ids, Stage.WORKING), reason, ends, failures)


def weightiest(codes: Iterable[int], error: Exception | None) -> int | None:
    """The exit code of what ended a run early; None where nothing did.

    Args:
        codes: Those of processes that ended early.
        error: What made the run give up.
    """
    found = [*codes, *([int(error.exit_code)] if isinstance(error, ArkworkerError) else ())]
    return next((code for code in (*_WEIGHT, *found) if code in found), None)


class Sums:
    """What processes measured, added up.

    Args:
        collected: Told of it, for a report.
    """

    def __init__(self, collected: Collected | None) -> None:
        self._collected = collected
        self._phases: Counter[str] = Counter()
        self._metrics: dict[str, Any] = {}

    def count(self, process: int, outcome: str, number: int) -> None:
        """So many elements of a process ended so."""
        if self._collected is not None:
            self._collected.count_for(process, outcome, number)

    def add(
        self, process: int, phases: Mapping[str, float], metrics: Mapping[str, Any], share: Share | None = None
    ) -> None:
        """A process has come to its end, and has seen some elements."""
        if self._collected is not None:
            self._collected.add_share(process, phases, share)
        self._phases.update(phases)
        self._metrics |= metrics

    def summary(self, run: Handover, tally: Tally, seconds: float, code: int) -> Summary:
        """The run in numbers."""
        phases = {name: round(spent, 3) for name, spent in self._phases.items()}
        metrics = self._metrics | run.context.services.metrics.as_data()
        return Summary.of(tally, seconds, code, phases, metrics)
