"""A run over elements on an engine: shares of the work are handed to its jobs as they are finished.

Of a queue, each job claims for itself until nothing is left; of a list, each gets ids. What became of elements is known
when their job has ended. What a job had told that was killed is in files, where machines share the working directory
(see `attempts`); what it had in hand is ended by `_Shares._end_lost`.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import pickle
import signal
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.errors import ApiError, ArkworkerError, ConfigurationError, Problem
from arkworker.runtime.failures import described
from arkworker.runtime.loop import attempts, engines
from arkworker.runtime.loop.accounts import FAREWELL, MOST_IN_VAIN, Accounts, telling_traces
from arkworker.runtime.loop.assignment import activities_of, make_ends, prepared
from arkworker.runtime.loop.channel import Say
from arkworker.runtime.loop.ends import LEFT_BEFORE, Ending, end_left
from arkworker.runtime.loop.in_hand import Stage, recover
from arkworker.runtime.loop.intake import PATIENCE, Halt, take_listed
from arkworker.runtime.loop.job_process import Terms
from arkworker.runtime.loop.share_process import GLANCE, STOP, Carried, Share, carry_out, is_marked, main_of
from arkworker.runtime.loop.threads import Timing
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.clients import Clients
    from arkworker.runtime.loop.engines import Engine
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.runtime.loop.worklist import Job

logger = logging.getLogger("arkworker.elements")

MOST_AT_ONCE = 2000  # elements of a share
FEWEST = 100  # of a share, where it is not the only one of its job
FEW = 200  # of them, where the number of elements is unknown


def process_elements_on_engine(run: Handover, finish: Callable[[Any], None] | None) -> None:
    """Put every element through user code, in jobs of an engine.

    Args:
        run: What the lifecycle hands over.
        finish: User code for after the last element, with a session of the cache; it is called here.

    Raises:
        ElementsError: It did not succeed; the exit code says how.
        ArkworkerError: As for one process; or a job could not be set up, or the engine is out of reach.
    """
    if run.context.use_cache and run.context.cache_path is not None:
        message = "a cache belongs to one machine, and jobs of an engine may run on others"
        raise ConfigurationError([Problem("executor", "command line", "--executor", message, "use --jobs")])
    with prepared(run) as (clients, assignment):
        with engines.opened(run.settings.executor or "", run.context.work_dir) as engine, telling_traces():
            summary = _Shares(run, clients, assignment, engine).perform(finish)
        run.outcome.conclude(summary)


@dataclass(eq=False)
class _Submitted:
    """A share that an engine has, and what was heard of it.

    Attributes:
        number: Of its job, from 1.
        open: Its elements that have not ended, as far as is known.
        is_done: Its job has told how it ended.
        has_told: It has told of an element.
        reason: Why its job has ended without telling.
        lost: Files of attempts at it that the engine has lost.
        is_again: Whether there were such attempts, with a file or without.
        until: When what is below those has ended at the latest.
    """

    number: int
    open: dict[str, Job]
    is_done: bool = False
    has_told: bool = False
    reason: str = ""
    lost: list[Path] = field(default_factory=list)
    is_again: bool = False
    until: float = 0.0


@dataclass
class _Lost:
    """What is known of elements of jobs that were lost.

    Attributes:
        reasons: Why they ended, by the elements that were not told of.
        told: Elements that were.
        doubtful: What was told of elements that notes on disk may know better: those that could not be reported, and
            those that another process had, perhaps that of an attempt before.
        until: When what is below such jobs has ended at the latest.
        is_any: Whether there were such jobs.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    doubtful: dict[str, str] = field(default_factory=dict)
    until: float = 0.0
    is_any: bool = False


class _Shares:
    """The jobs of a run, and what is still to be handed out."""

    def __init__(self, run: Handover, clients: Clients, assignment: Assignment, engine: Engine) -> None:
        self._run = run
        self._clients = clients
        self._assignment = assignment
        self._engine = engine
        self._halt = Halt()  # nothing more is handed out
        self._accounts = Accounts(run, assignment, self._halt)
        self._ends = make_ends(run, clients, assignment, Timing(), self._halt, 0)
        self._terms = Terms.of(run, assignment)
        self._main = main_of(run.target)
        jobs = run.settings.jobs
        self._width = jobs if "jobs" in run.origins and jobs != "auto" else engine.width
        self._sizes = self._sizes_of_shares()
        self._futures: dict[Future[Carried], _Submitted] = {}
        self._ending: list[_Submitted] = []  # their jobs were killed, and what is below them still ends elements
        self._patience = run.settings.grace + FAREWELL
        self._queues = self._width  # jobs that are still to be started on a queue
        self._lost = _Lost()
        self._vain = 0  # jobs in a row that died before anything was heard of an element
        self._numbers = itertools.count(1)
        self._deadline: float | None = None

    def perform(self, finish: Callable[[Any], None] | None) -> Summary:
        """Work, stop, and end what is left.

        Raises:
            ArkworkerError: A job could not be set up, or the engine takes none.
        """
        stopping = self._run.stopping
        with self._assignment.progress, stopping.calling(self._halt.stop):
            if stopping.look():
                self._halt.stop()
            end_left(self._assignment.left.stages, LEFT_BEFORE, self._ends, self._run.outcome.failures)
            self._hand_out()
            while self._futures or self._ending:
                self._step()
            self._end_lost()
        self._ends.close()
        return self._accounts.conclude(finish)

    def _hand_out(self) -> None:
        """Give the engine as many shares as it runs at once."""
        while len(self._futures) < self._width and not self._halt.is_stopped:
            jobs = self._next()
            if jobs is None:
                return
            number = next(self._numbers)
            share = Share(
                number, self._terms, self._main, jobs, self._engine.marks, str(self._engine.folder), self._patience
            )
            submitted = _Submitted(number, {job.id: job for job in jobs})
            try:
                self._futures[self._engine.submit(carry_out, share)] = submitted
            except engines.EngineError as error:
                logger.error("%s", error)  # noqa: TRY400 - one line will do
                self._halt.give_up(error)
                self._note_lost(submitted, str(error), until=monotonic())

    def _sizes_of_shares(self) -> Iterator[int]:
        """How many elements each share of a list has: most of them first, the rest to who is done early.

        Each share is set up anew, which takes seconds: a list of few is not cut further than by the width.
        """
        count, width = self._assignment.worklist.count, self._width
        if count is None:
            yield from itertools.repeat(FEW)
            return
        parts = 1 if self._engine.is_queueing or count < 4 * FEWEST * width else 4
        rest = min(MOST_AT_ONCE, max(1, -(-count // (parts * width))))
        yield from itertools.repeat(min(MOST_AT_ONCE, rest * max(1, parts - 1)), width)
        yield from itertools.repeat(rest)

    def _next(self) -> tuple[Job, ...] | None:
        """The elements of the next share; None when there is none left."""
        if self._halt.is_over:
            return None
        if self._assignment.worklist.is_queue:
            if not self._queues:
                return None
            self._queues -= 1
            return tuple(iter(self._assignment.worklist.take_left, None))
        return tuple(take_listed(self._assignment.worklist, next(self._sizes), self._halt)) or None

    def _step(self) -> None:
        """Hear of the jobs that have ended, and replace them."""
        if self._futures:
            done, _ = wait(self._futures, GLANCE, FIRST_COMPLETED)
            for future in done:
                self._settle(self._futures.pop(future), future)
        else:
            time.sleep(GLANCE)
        if self._halt.is_stopped and self._deadline is None:
            self._deadline = monotonic() + self._patience + PATIENCE
            self._clients.stop(self._run.stopping.known or signal.SIGTERM)
            self._stop_jobs()
        if self._deadline is not None and monotonic() > self._deadline:
            for submitted in self._futures.values():
                submitted.lost = attempts.attempts_at(str(self._engine.folder), submitted.number)
                self._lose(submitted, "its job did not end within the grace time")
            self._futures.clear()
            for submitted in self._ending:
                submitted.until = 0.0
        for submitted in tuple(self._ending):
            if monotonic() > submitted.until or all(map(attempts.is_over, submitted.lost)):
                self._ending.remove(submitted)
                self._hear_lost(submitted)
        self._hand_out()

    def _stop_jobs(self) -> None:
        """Let those that run come to their end."""
        try:
            self._engine.marks.set(STOP)  # not `cancel`: Dask takes that for jobs that run, too, and then tells nothing
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, this run ends all the same
            logger.warning("the jobs of the engine cannot be told to stop: %s", described(error))

    def _settle(self, submitted: _Submitted, future: Future[Carried]) -> None:
        """A job has ended: count what it tells; what attempts at it told that were lost is heard when they are over."""
        carried = Carried([])
        try:
            carried = future.result()
            code = carried.code
            reason = f"its job was killed by signal {-code}" if code < 0 else f"its job ended with exit code {code}"
        except BaseException as error:  # noqa: BLE001 - whatever an engine raises, CancelledError included
            reason = f"its job has ended: {described(error)}"
        submitted.lost = attempts.attempts_at(str(self._engine.folder), submitted.number, but=carried.attempt)
        submitted.is_again = carried.is_again or len(submitted.lost) > 1
        for message in carried.messages:
            self._note(submitted, *pickle.loads(message))  # noqa: S301 - of our own jobs
        if submitted.is_done and not submitted.is_again:
            self._vain = 0
        else:
            self._lose(submitted, reason)

    def _lose(self, submitted: _Submitted, reason: str) -> None:
        """A job was killed, once or for good."""
        submitted.reason = reason
        submitted.until = monotonic() + self._patience
        self._ending.append(submitted)

    def _hear_lost(self, submitted: _Submitted) -> None:
        """Count what attempts told that the engine has lost; what has not ended, and what is unknown."""
        is_known = bool(submitted.lost) and all(map(attempts.is_over, submitted.lost))
        is_unknown = not is_known and (submitted.is_again or not submitted.is_done) and self._is_begun(submitted)
        for message in itertools.chain.from_iterable(map(attempts.messages_of, submitted.lost)):
            is_cut_off = message[0] is Say.DONE and (message[1] or 0) > 128
            if not is_cut_off:
                self._note(submitted, *message, is_lost=True)
        until = monotonic() if is_known else submitted.until
        self._lost.is_any = True
        if is_unknown and (self._assignment.worklist.is_queue or submitted.is_done):
            self._run.outcome.tally.count("uncertain")
            logger.warning(
                "job %d did not tell all before it ended: elements that it processed may be missing from the counts of "
                "this run; look at their states on Arkindex",
                submitted.number,
            )
        self._vain = 0 if submitted.is_done or submitted.has_told else self._vain + 1
        if submitted.is_done:
            self._lost.until = max(self._lost.until, until)
            return
        logger.warning("a job of this run ended early: %s", submitted.reason)
        self._note_lost(submitted, submitted.reason, until=until)
        self._queues += 1
        if self._vain >= MOST_IN_VAIN and not self._halt.is_stopped:
            hopeless = ArkworkerError(f"{MOST_IN_VAIN} jobs in a row ended without a result: {submitted.reason}")
            self._note(submitted, Say.BROKEN, hopeless, None)

    def _is_begun(self, submitted: _Submitted) -> bool:
        return bool(submitted.lost) or is_marked(self._engine.marks, str(submitted.number), otherwise=True)

    def _note(self, submitted: _Submitted, what: Say, *parts: Any, is_lost: bool = False) -> None:
        if what is Say.COUNT:
            outcome, _, element_id = parts
            submitted.has_told = True
            submitted.open.pop(element_id, None)
            is_doubtful = (submitted.is_again and outcome == "skipped") or (is_lost and outcome == "uncertain")
            if element_id is not None and is_doubtful and self._assignment.reports_states:
                self._lost.doubtful[element_id] = outcome
                return
            if is_lost and element_id is not None:
                self._lost.told.add(element_id)
        self._accounts.take_down(submitted.number, what, *parts)
        if what is Say.WRITE:
            error = self._accounts.record(*parts)
            if isinstance(error, Exception) and self._halt.error is None:
                logger.error("%s", error)
                self._halt.give_up(error)
        elif what is Say.BROKEN:
            submitted.is_done = True
            self._halt.stop()
        elif what is Say.DONE:
            submitted.is_done = True
            if parts[0] is not None and not self._halt.is_stopped:
                self._note_ended(submitted, parts[0])

    def _note_ended(self, submitted: _Submitted, ended_by: int) -> None:
        """A job ended early, and said so: of a signal of its own machine, of Arkindex, or of user code."""
        if ended_by > 128:
            self._note_lost(submitted, f"its job was stopped by signal {ended_by - 128}", until=monotonic())
            self._queues += 1
            return
        self._accounts.codes.append(ended_by)
        self._halt.stop()

    def _note_lost(self, submitted: _Submitted, reason: str, *, until: float) -> None:
        self._lost.is_any = True
        self._lost.reasons |= dict.fromkeys(submitted.open, reason)
        self._lost.until = max(self._lost.until, until)
        submitted.open = {}

    def _end_lost(self) -> None:
        """End what ended jobs still had in hand, as far as it is known.

        Where states are reported, what is below such a job first gets its time to end what it has in hand, and what it
        noted in a working directory that is shared says how far it was. Where Arkindex refuses the end of an element,
        it has not begun or has ended: that is counted as uncertain.
        """
        lost = self._lost
        reasons = {name: reason for name, reason in lost.reasons.items() if name not in lost.told}
        if not self._assignment.reports_states:
            for name, reason in reasons.items():
                self._run.outcome.failures.add_reason(name, reason)
                self._ends.submit(Ending(name, State.ERROR, reason=reason))
            return
        if not lost.is_any:
            return
        time.sleep(max(0.0, min(lost.until, self._deadline or lost.until) - monotonic()))
        stages = self._recover()
        for name in lost.doubtful.keys() - lost.told - stages.keys():
            self._run.outcome.tally.count(lost.doubtful[name], element_id=name)
        activities = activities_of(self._run, self._assignment, self._clients.reports)
        for name in reasons.keys() - stages.keys() - lost.doubtful.keys():
            with contextlib.suppress(ApiError):
                if activities is not None:
                    activities.end(name, State.ERROR)
                    self._run.outcome.failures.add_reason(name, reasons[name])
                    self._run.outcome.tally.settle(State.ERROR, name)
                    continue
            self._run.outcome.tally.count("uncertain", element_id=name)
            logger.warning(
                "element %s: %s; it was not started, or has already ended", printable(name, 60), reasons[name]
            )

    def _recover(self) -> dict[str, Stage]:
        """End what killed processes had noted in a working directory that is shared; how far it was."""
        left = recover(self._run.context.work_dir, self._terms.owner, self._assignment.in_hand)
        if left.uncertain:
            self._run.outcome.tally.count("uncertain", left.uncertain)
        for name in self._lost.told & left.stages.keys():
            self._assignment.in_hand.forget(name)
            del left.stages[name]
        begun = {
            name: Stage.WORKING if stage in {Stage.HELD, Stage.STARTING} else stage
            for name, stage in left.stages.items()
        }
        end_left(begun, "its job has ended", self._ends, self._run.outcome.failures)
        return left.stages
