"""User code: one element or one batch after the other, in the main thread."""

from __future__ import annotations

import logging
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.errors import ArkworkerError, ExitCode, StoppedError
from arkworker.runtime import log_lines
from arkworker.runtime.loop.ends import Ending, leaves_doubt
from arkworker.runtime.loop.in_hand import Stage
from arkworker.runtime.stopping import Interruption
from arkworker.runtime.user_errors import described
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.elements import Element
    from arkworker.runtime.handover import ElementCode, Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.ends import Ends
    from arkworker.runtime.loop.guard import Guard
    from arkworker.runtime.loop.intake import Halt, Intake
    from arkworker.runtime.loop.threads import Timing
    from arkworker.runtime.loop.worklist import Job

logger = logging.getLogger("arkworker.elements")

INTERRUPTED = "interrupted"


class Work:
    """Takes elements from the intake, hands them to user code, and leaves the rest to their ends.

    Args:
        code: User code.
        run: Has sessions of the cache, which are committed when user code has succeeded, rolled back when it has not.
        given: Where the outcomes of elements are reported.
        late: Retrieves the element of a job in this thread, where the intake did not; from the cache first.
        intake: Where elements come from.
        halt: Whether the run goes on.
        ends: Where they go.
        guard: Interrupts user code.
        timing: Told how long user code takes.

    Attributes:
        ended_by: The exit code of user code that ended the run.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        code: ElementCode,
        run: Handover,
        given: Assignment,
        late: Callable[[Job], Element],
        *,
        intake: Intake,
        halt: Halt,
        ends: Ends,
        guard: Guard,
        timing: Timing,
    ) -> None:
        self.ended_by: int | None = None
        self._code = code
        self._batch_size = code.batch_size if code.process_batch is not None else 1
        self._sessions = run.sessions
        self._collected = run.collected
        self._tally, self._failures = given.tally, given.failures
        self._progress, self._in_hand = given.progress, given.in_hand
        self._late = late
        self._intake = intake
        self._halt = halt
        self._ends = ends
        self._guard = guard
        self._timing = timing
        self._current: dict[str, Job] = {}
        self._ending = threading.Lock()  # an element is ended once: by the main thread, or by who leaves it behind

    def run(self) -> None:
        """Until there are no more elements, or the run is to end."""
        while self.ended_by is None and (batch := self._gather()):
            self._guard.look()
            self._ends.settle()  # what came in while this thread was waiting
            self._process(batch)
            self._ends.settle()
            self._progress.advance()

    def dismiss(self, jobs: Sequence[Job]) -> None:
        """End elements that user code never got, because the run ends."""
        for job in jobs:
            if job.is_taken or job.failure is not None:
                self._pass_over(job)
            elif job.is_held:
                self._fail(job, INTERRUPTED)

    def abandon(self) -> None:
        """End the elements that user code does not come back with; from another thread. The process ends after it."""
        with self._ending:
            left, self._current = self._current, {}
        for job in left.values():
            self._fail(job, self._interruption)

    def _gather(self) -> list[Job]:
        """The next elements for user code; none when there are none left or the run is being stopped."""
        batch: list[Job] = []
        start = perf_counter()
        while len(batch) < self._batch_size and (job := self._intake.next()) is not None:
            if job.is_taken or job.failure is not None:
                self._pass_over(job)
                self._progress.advance()
            else:
                batch.append(job)
        self._timing.spend("waiting", perf_counter() - start)
        if self._halt.is_stopped and batch:
            self.dismiss(batch)
            return []
        return batch

    def _pass_over(self, job: Job) -> None:
        """An element that user code is not asked about."""
        if job.is_taken:
            logger.info("element %s is skipped: another process has it", printable(job.id, 60))
            self._tally.count("skipped", element_id=job.id)
        elif job.failure is not None:
            self._end(job, job.failure, traced=False)

    def _process(self, jobs: Sequence[Job], *, alone: bool = False) -> None:
        self._current.update({job.id: job for job in jobs})
        elements = self._elements_of(jobs)
        jobs = [job for job in jobs if job.id in elements]
        if not jobs:
            return
        for job in jobs:
            logger.debug("Processing %s", elements[job.id])
            self._in_hand.note(job.id, Stage.WORKING)
        try:
            results = self._ask([elements[job.id] for job in jobs], alone=alone)
        except BaseException as error:  # noqa: BLE001 - of user code: whatever it is, it is these elements' failure
            self._note_failure(jobs, error)
        else:
            uncached = self._ends.settle([job.id for job in jobs])
            for job, found in zip(jobs, results, strict=True):
                self._release(job)
                if (failure := uncached.get(job.id)) is not None:
                    self._end(job, failure, traced=False)
                else:
                    self._ends.submit(Ending(job.id, State.PROCESSED, elements[job.id], found))

    def _elements_of(self, jobs: Sequence[Job]) -> dict[str, Element]:
        """By id; what cannot be retrieved is ended here."""
        elements: dict[str, Element] = {}
        for job in jobs:
            try:
                job.element = job.element or self._late(job)
                elements[job.id] = job.element
            except ArkworkerError as error:
                self._release(job)
                self._end(job, error, traced=False)
        return elements

    def _ask(self, elements: Sequence[Element], *, alone: bool) -> list[tuple[Any, ...]]:
        """What user code finds on each element.

        Raises:
            Interruption: The grace time is over, or the time limit.
            BaseException: Whatever user code raises, or the commit after it.
        """
        start = perf_counter()
        batch = None if alone else self._code.process_batch
        found: list[tuple[Any, ...]] = []
        self._ends.begin(elements)
        try:
            with self._sessions() as cache:
                if batch is not None:
                    found = self._guard.call(lambda: batch(elements, cache), elements=len(elements))
                else:
                    with log_lines.about(elements[0].id):
                        found = [self._guard.call(lambda: self._code.process(elements[0], cache))]
            return found
        finally:
            seconds = perf_counter() - start
            self._timing.spend("work", seconds)
            if self._collected is not None and (found or len(elements) == 1):  # else each is tried again
                self._collected.worked(elements, found, seconds)

    def _note_failure(self, jobs: Sequence[Job], error: BaseException) -> None:
        """User code failed: of a batch, each element is tried by itself, for one alone may be what it failed on."""
        is_interrupted = isinstance(error, Interruption)
        if len(jobs) > 1 and isinstance(error, Exception | Interruption):
            self._try_each(jobs, self._interruption if is_interrupted else described(error))
            return
        for job in jobs:
            self._release(job)
            if is_interrupted:
                self._fail(job, self._interruption)
            else:
                self._end(job, error, traced=True)
        # `sys.exit` and Ctrl-C end the run, too; never as a success.
        if isinstance(error, KeyboardInterrupt) and not is_interrupted:
            self.ended_by = 128 + 2
        elif isinstance(error, SystemExit):
            self.ended_by = ExitCode.FAILED

    def _try_each(self, jobs: Sequence[Job], reason: str) -> None:
        if not self._guard.has_stopped:
            logger.warning("a batch of %d elements failed, trying each by itself: %s", len(jobs), reason)
        for job in jobs:
            if self.ended_by is None and not self._guard.has_stopped:
                self._process([job], alone=True)
            else:
                self._release(job)
                self._fail(job, INTERRUPTED)

    def _release(self, job: Job) -> None:
        """The main thread ends this element; it stays here where another has done so, until the process ends."""
        with self._ending:
            is_ours = self._current.pop(job.id, None) is not None
        if not is_ours:
            threading.Event().wait()

    @property
    def _interruption(self) -> str:
        return INTERRUPTED if self._guard.has_stopped else "time limit passed"

    def _fail(self, job: Job, reason: str) -> None:
        self._failures.add_reason(job.id, reason)
        self._ends.submit(Ending(job.id, State.ERROR, reason=reason, is_held=job.is_held))

    def _end(self, job: Job, error: BaseException, *, traced: bool) -> None:
        self._failures.add(job.id, error, traced=traced)
        is_doubtful = traced and leaves_doubt(error)  # of what user code has published itself
        ending = Ending(job.id, State.ERROR, reason=described(error), is_held=job.is_held, is_doubtful=is_doubtful)
        self._ends.submit(ending)


def call_finish(
    finish: Callable[[Any], None], run: Handover, call: Callable[[Callable[[], None]], None] | None = None
) -> int | None:
    """What a worker does after the last of its work; the exit code, where it failed.

    Args:
        finish: User code, which gets a session of the cache.
        run: The run.
        call: Calls it, and raises Interruption when it takes too long after a signal; else the first signal interrupts
            it.

    Raises:
        StoppedError: The first signal came meanwhile.
    """
    log_lines.note(phase="finish")
    try:
        with run.sessions() as cache:
            if call is not None:
                call(lambda: finish(cache))
            else:
                with run.stopping.interruptible():
                    finish(cache)
    except StoppedError:
        raise
    except Interruption:
        logger.warning("The worker's finish was interrupted")
    except BaseException as error:
        # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
        logger.error("The worker's finish failed", exc_info=error)  # noqa: TRY400 - the same, for any exception
        return ExitCode.FAILED
    return None
