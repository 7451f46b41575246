"""The life of an element, from where it comes from to its end; and a run over all of them.

```
 worklist      a queue that is claimed from, or a list: ids, pages of a process, sets, a cache, images, what a killed
    │          run had in hand
    ▼
  intake       ahead, in threads: started (unless a claim did that) and retrieved; noted as in hand
    │
    ▼
   work        the main thread: user code, with a session of the cache; guarded by the grace time and the time limit
    │
    ▼
   ends        behind, in threads: results published, then the state reported, or both recorded
    │          (records); what fails is tried again, and counted as uncertain in the end
    ▼
  outcome      counted once, summed up; the exit code
```

An element that was claimed or started always ends: what user code never got, because the run was stopped, in error.
"""

from __future__ import annotations

import logging
import signal
import threading
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime import log_lines
from arkworker.runtime.failures import described
from arkworker.runtime.loop.assignment import activities_of, make_ends, prepared
from arkworker.runtime.loop.clients import CUT
from arkworker.runtime.loop.ends import LEFT_BEFORE, ROUNDS, Ending, end_left, leaves_doubt
from arkworker.runtime.loop.guard import Guard
from arkworker.runtime.loop.in_hand import Stage
from arkworker.runtime.loop.intake import Halt, Intake, Retrieval
from arkworker.runtime.loop.threads import Timing
from arkworker.runtime.stopping import Interruption, try_to_start
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.elements.model import Element
    from arkworker.runtime.handover import ElementCode, Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.clients import Clients
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.runtime.loop.worklist import Job

logger = logging.getLogger("arkworker.elements")

LATE = 0.6  # seconds for what was cut off to be noticed
RECORDING = 0.2  # seconds for the summary, when the process ends at a given moment
BATCHES_AHEAD = 2  # how many are claimed and retrieved while user code works on one
INTERRUPTED = "interrupted"


def process_elements(code: ElementCode, run: Handover, finish: Callable[[Any], None] | None) -> None:
    """Put every element through user code.

    Args:
        code: User code.
        run: What the lifecycle hands over.
        finish: User code for after the last element, with a session of the cache.

    Raises:
        ElementsError: It did not succeed; the exit code says how.
        ConfigurationError: The elements cannot be chosen, or the summary cannot be written.
        ApiError: The sets that elements are in cannot be listed.
    """
    with prepared(run) as (clients, assignment):
        run.outcome.conclude(ElementRun(code, run, clients, assignment, run.outcome.record).perform(finish))


class ElementRun:
    """A run over elements in one process: user code gets one element or one batch after the other, in the main thread.

    Args:
        code: User code for elements.
        run: What the lifecycle hands over; its sessions are committed when user code has succeeded, rolled back when it
            has not.
        clients: What requests are sent with.
        assignment: What there is to do.
        record: Told how it went where user code does not come back: the process ends after it.
    """

    def __init__(
        self,
        code: ElementCode,
        run: Handover,
        clients: Clients,
        assignment: Assignment,
        record: Callable[[Summary], None],
    ) -> None:
        context, settings = run.context, run.settings
        self._code = code
        self._run = run
        self._clients = clients
        self._assignment = assignment
        self._record = record
        self._timing = Timing()
        self._halt = Halt()
        self._ended_by_user_code: int | None = None  # the exit code, where it ended the run
        self._current: dict[str, Job] = {}  # what user code has
        self._ending = threading.Lock()  # an element is ended once: by the main thread, or by who leaves it behind
        self._dismissing = threading.Lock()
        self._retrieval = Retrieval(
            clients.intake,
            activities_of(run, assignment, clients.intake),
            context.bind_element,
            self._halt,
            assignment.in_hand,
            is_late=context.is_developer_mode and context.use_cache,
        )
        self._batch_size = code.batch_size if code.process_batch is not None else 1
        # Of batches, the next ones whole: a batch that had to wait for its elements would hide nothing.
        batch = self._batch_size if self._batch_size > 1 else 0
        ahead = max(settings.prefetch, BATCHES_AHEAD * batch)
        self._intake = Intake(assignment.worklist, self._retrieval, self._halt, self._timing, ahead)
        self._ends = make_ends(run, clients, assignment, self._timing, self._halt, max(settings.prefetch, batch))
        self._guard = Guard(
            run.stopping,
            grace=settings.grace,
            limit=settings.element_timeout,
            on_stop=self._stop,
            on_abandon=self._abandon,
        )

    def perform(self, finish: Callable[[Any], None] | None = None) -> Summary:
        """Work, stop, and end what is left; where nothing ended the run early, call what comes after the last."""
        with self._guard:
            with self._assignment.progress:
                self._perform()
            is_stopped = self._run.stopping.look()  # the guard may not have heard of a signal that has just come
            if finish is not None and self.ended_by is None and not is_stopped:
                self._ended_by_user_code = self._run.call_finish(finish, partial(self._guard.call, elements=0))
        return self._sum_up(self.ended_by)

    def _perform(self) -> None:
        try:
            end_left(self._assignment.left.stages, LEFT_BEFORE, self._ends, self._run.outcome.failures)
            self._work()
        except KeyboardInterrupt:  # of a handler that user code has put there
            self._ended_by_user_code = 128 + signal.SIGINT
        except Exception as error:
            logger.exception("the run over elements failed")
            self._halt.give_up(error)
        finally:
            self._end()

    def _end(self) -> None:
        """Nothing new, and everything that is ours is ended."""
        if self._ended_by_user_code is not None:  # there is no hurry, and what is on its way may arrive
            self._stop(self._ended_by_user_code, self._run.settings.grace)
        self._dismiss()
        self._intake.close()
        self._ends.close(rounds=1 if self._halt.error else ROUNDS)

    def _stop(self, number: int, within: float = CUT) -> None:
        """The first signal, in another thread; or user code that ends the run."""
        self._halt.stop()
        self._clients.stop(number, within)
        # At once, in a thread: user code may take all of the grace time, and the sender of the signal may not wait.
        try_to_start(threading.Thread(target=self._dismiss, args=(within + LATE,), name="dismissal", daemon=True))

    def _dismiss(self, within: float | None = None) -> None:
        """End what user code never got, because the run ends."""
        with self._dismissing:
            for job in self._intake.give_back(within):
                self._turn_away(job)

    def _abandon(self, exit_code: int, seconds: float) -> None:
        """User code does not come back: end its element and all others from here; the process ends after it."""
        end = monotonic() + seconds - RECORDING
        self._stop(exit_code)
        self._clients.end_reports_after(end - CUT / 4 - monotonic())
        with self._ending:
            left, self._current = self._current, {}
        for job in left.values():
            self._fail(job, self._interruption)
        self._dismiss()
        self._ends.close(rounds=1, within=end - monotonic())
        self._record(self._sum_up(exit_code))

    @property
    def ended_by(self) -> int | None:
        """The exit code of what ended the run early: a signal, then Arkindex, then user code."""
        if self._guard.exit_code is not None:
            return self._guard.exit_code
        if self._halt.error is not None:
            error = self._halt.error
            return int(error.exit_code) if isinstance(error, ArkworkerError) else 1
        return self._ended_by_user_code

    def _sum_up(self, ended_by: int | None) -> Summary:
        metrics = self._run.context.services.metrics.as_data()
        phases = self._timing.as_data()
        return self._run.outcome.sum_up(ended_by, strict=self._run.settings.strict, phases=phases, metrics=metrics)

    def _work(self) -> None:
        """Until there are no more elements, or the run is to end."""
        while self._ended_by_user_code is None and (batch := self._gather()):
            self._ends.settle()  # what came in while this thread was waiting
            self._process(batch)
            self._ends.settle()
            self._assignment.progress.advance()

    def _gather(self) -> list[Job]:
        """The next elements for user code; none when there are none left or the run is being stopped."""
        batch: list[Job] = []
        start = perf_counter()
        while len(batch) < self._batch_size and (job := self._intake.next()) is not None:
            if job.is_taken or job.failure is not None:
                self._turn_away(job)
                self._assignment.progress.advance()
            else:
                batch.append(job)
        self._timing.spend("waiting", perf_counter() - start)
        self._guard.look()
        if not self._halt.is_stopped:
            return batch
        for job in batch:
            self._turn_away(job)
        return []

    def _turn_away(self, job: Job) -> None:
        """An element that user code is not asked about: another process has it, it failed on its way, the run ends."""
        if job.is_taken:
            logger.info(
                "element %s is skipped: it was processed earlier, or another process has it", printable(job.id, 60)
            )
            self._run.outcome.tally.count("skipped", element_id=job.id)
        elif job.failure is not None:
            self._end_failed(job, job.failure, traced=False)
        elif job.is_held:
            self._fail(job, INTERRUPTED)

    def _process(self, jobs: Sequence[Job], *, alone: bool = False) -> None:
        self._current.update({job.id: job for job in jobs})
        elements = self._elements_of(jobs)
        jobs = [job for job in jobs if job.id in elements]
        if not jobs:
            return
        for job in jobs:
            logger.debug("Processing %s", elements[job.id])
            self._assignment.in_hand.note(job.id, Stage.WORKING)
        reason = ""
        try:
            results = self._ask([elements[job.id] for job in jobs], alone=alone)
        except BaseException as error:  # noqa: BLE001 - of user code: whatever it is, it is these elements' failure
            if len(jobs) > 1 and isinstance(error, Exception | Interruption):
                reason = self._interruption if isinstance(error, Interruption) else described(error)
            else:
                self._note_failure(jobs, error)
        else:
            uncached = self._ends.settle([job.id for job in jobs])
            for job, found in zip(jobs, results, strict=True):
                self._release(job)
                if (failure := uncached.get(job.id)) is not None:
                    self._end_failed(job, failure, traced=False)
                else:
                    self._ends.submit(Ending(job.id, State.PROCESSED, elements[job.id], found))
        if reason:  # only now: what is raised while an error is handled is shown with that error
            self._try_each(jobs, reason)

    def _elements_of(self, jobs: Sequence[Job]) -> dict[str, Element]:
        """By id; what cannot be retrieved is ended here."""
        elements: dict[str, Element] = {}
        for job in jobs:
            try:
                job.element = job.element or self._retrieve_late(job)
                elements[job.id] = job.element
            except ArkworkerError as error:
                self._release(job)
                self._end_failed(job, error, traced=False)
        return elements

    def _retrieve_late(self, job: Job) -> Element:
        found = self._run.context.services.element_access.find_cached(job.id)
        if found is not None:
            return found
        if job.answer is None and not self._run.context.connection_is_given:
            raise ArkworkerError("it is not in the cache, and the address of Arkindex is not set: set ARKINDEX_API_URL")
        return self._retrieval.retrieve(job.id, job.answer)

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
            with self._run.sessions() as cache:
                if batch is not None:
                    found = self._guard.call(lambda: batch(elements, cache), elements=len(elements))
                else:
                    with log_lines.about(elements[0].id):
                        found = [self._guard.call(lambda: self._code.process(elements[0], cache))]
            return found
        finally:
            seconds = perf_counter() - start
            self._timing.spend("work", seconds)
            collected = self._run.outcome.collected
            if collected is not None and (found or len(elements) == 1):  # else each is tried again
                collected.worked(elements, found, seconds)

    def _note_failure(self, jobs: Sequence[Job], error: BaseException) -> None:
        """User code failed, or left."""
        is_interrupted = isinstance(error, Interruption)
        for job in jobs:
            self._release(job)
            if is_interrupted:
                self._fail(job, self._interruption)
            else:
                self._end_failed(job, error, traced=True)
        # `sys.exit` and Ctrl-C end the run, too; never as a success.
        if isinstance(error, KeyboardInterrupt) and not is_interrupted:
            self._ended_by_user_code = 128 + signal.SIGINT
        elif isinstance(error, SystemExit):
            self._ended_by_user_code = ExitCode.FAILED

    def _try_each(self, jobs: Sequence[Job], reason: str) -> None:
        """A batch failed: each element is tried by itself, for one alone may be what it failed on."""
        if not self._guard.has_stopped:
            logger.warning("a batch of %d elements failed, trying each by itself: %s", len(jobs), reason)
        for job in jobs:
            if self._ended_by_user_code is None and not self._guard.has_stopped:
                self._process([job], alone=True)
            else:
                self._release(job)
                self._fail(job, INTERRUPTED)

    def _release(self, job: Job) -> None:
        """Take an element back from user code, to be ended by this thread.

        Where user code was left behind, another thread has ended it, and this one waits for the end of the process.
        """
        with self._ending:
            is_ours = self._current.pop(job.id, None) is not None
        if not is_ours:
            threading.Event().wait()

    @property
    def _interruption(self) -> str:
        return INTERRUPTED if self._guard.has_stopped else "time limit passed"

    def _fail(self, job: Job, reason: str) -> None:
        self._run.outcome.failures.add_reason(job.id, reason)
        self._ends.submit(Ending(job.id, State.ERROR, reason=reason, is_held=job.is_held))

    def _end_failed(self, job: Job, error: BaseException, *, traced: bool) -> None:
        self._run.outcome.failures.add(job.id, error, traced=traced)
        is_doubtful = traced and leaves_doubt(error)  # of what user code has published itself
        ending = Ending(job.id, State.ERROR, reason=described(error), is_held=job.is_held, is_doubtful=is_doubtful)
        self._ends.submit(ending)
