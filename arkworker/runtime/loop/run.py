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
   ends        behind, in threads: results published, then the state reported (reports), or both recorded
    │          (results_file); what fails is tried again, and counted as uncertain in the end
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
from time import monotonic
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError
from arkworker.runtime.loop import outcome
from arkworker.runtime.loop.assignment import activities_of, make_ends, prepared
from arkworker.runtime.loop.clients import CUT
from arkworker.runtime.loop.ends import LEFT_BEFORE, ROUNDS, end_left
from arkworker.runtime.loop.guard import Guard
from arkworker.runtime.loop.intake import Halt, Intake, Retrieval
from arkworker.runtime.loop.outcome import Summary, exit_code_of
from arkworker.runtime.loop.threads import Timing
from arkworker.runtime.loop.work import Work, call_finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.elements import Element
    from arkworker.runtime.handover import ElementCode, Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.clients import Clients
    from arkworker.runtime.loop.worklist import Job

logger = logging.getLogger("arkworker.elements")

LATE = 0.6  # seconds for what was cut off to be noticed
RECORDING = 0.2  # seconds for the summary, when the process ends at a given moment
BATCHES_AHEAD = 2  # how many are claimed and retrieved while user code works on one


def process_elements(code: ElementCode, run: Handover) -> None:
    """Put every element through user code.

    Args:
        code: User code.
        run: What the lifecycle hands over.

    Raises:
        ElementsError: It did not succeed; the exit code says how.
        ConfigurationError: The elements cannot be chosen, or the summary cannot be written.
        ApiError: The sets that elements are in cannot be listed.
    """
    with prepared(run) as (clients, assignment):

        def record(summary: Summary) -> None:
            outcome.record(summary, assignment.failures, run.settings.summary, run.collected)

        summary = ElementRun(code, run, clients, assignment, record).perform()
        outcome.conclude(summary, assignment.failures, run.settings.summary, run.collected)


class ElementRun:
    """The parts of one run in one process, and who tells whom.

    Args:
        code: User code for elements.
        run: What the lifecycle hands over.
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
        self._given = assignment
        self._record = record
        self._start = monotonic()
        self._timing = Timing()
        self._halt = Halt()
        self._dismissing = threading.Lock()
        self._retrieval = Retrieval(
            clients.intake,
            activities_of(run, assignment, clients.intake),
            context.bind_element,
            self._halt,
            assignment.in_hand,
            is_late=context.is_developer_mode and context.use_cache,
        )
        # Of batches, the next ones whole: a batch that had to wait for its elements would hide nothing.
        self._batch = code.batch_size if code.process_batch is not None and code.batch_size > 1 else 0
        ahead = max(settings.prefetch, BATCHES_AHEAD * self._batch)
        self._intake = Intake(assignment.worklist, self._retrieval, self._halt, self._timing, ahead)
        self._ends = make_ends(run, clients, assignment, self._timing, self._halt, max(settings.prefetch, self._batch))
        self._guard = Guard(
            run.stopping,
            grace=settings.grace,
            limit=settings.element_timeout,
            on_stop=self._stop,
            on_abandon=self._abandon,
        )
        self._work = Work(
            code,
            run,
            assignment,
            self._retrieve_late,
            intake=self._intake,
            halt=self._halt,
            ends=self._ends,
            guard=self._guard,
            timing=self._timing,
        )

    def perform(self) -> Summary:
        """Work, stop, and end what is left."""
        with self._guard:
            with self._given.progress:
                self._perform()
            is_stopped = self._run.stopping.look()  # the guard may not have heard of a signal that has just come
            if self._code.finish is not None and self.ended_by is None and not is_stopped:
                call = partial(self._guard.call, elements=0)
                self._work.ended_by = call_finish(self._code.finish, self._run, call)
        return self._summary(self.ended_by)

    def _perform(self) -> None:
        try:
            end_left(self._given.left.stages, LEFT_BEFORE, self._ends, self._given.failures)
            self._work.run()
        except KeyboardInterrupt:  # of a handler that user code has put there
            self._work.ended_by = 128 + signal.SIGINT
        except Exception as error:
            logger.exception("the run over elements failed")
            self._halt.give_up(error)
        finally:
            self._end()

    def _end(self) -> None:
        """Nothing new, and everything that is ours is ended."""
        if self._work.ended_by is not None:  # by user code: there is no hurry, and what is on its way may arrive
            self._stop(self._work.ended_by, self._run.settings.grace)
        self._dismiss()
        self._intake.close()
        self._ends.close(rounds=1 if self._halt.error else ROUNDS)

    def _dismiss(self, within: float | None = None) -> None:
        with self._dismissing:
            self._work.dismiss(self._intake.give_back(within))

    def _stop(self, number: int, within: float = CUT) -> None:
        """The first signal, in another thread; or user code that ends the run."""
        self._halt.stop()
        self._clients.stop(number, within)
        # At once, in a thread: user code may take all of the grace time, and the sender of the signal may not wait.
        threading.Thread(target=self._dismiss, args=(within + LATE,), name="dismissal", daemon=True).start()

    def _abandon(self, exit_code: int, seconds: float) -> None:
        """User code does not come back: end its element and all others from here; the process ends after it."""
        end = monotonic() + seconds - RECORDING
        self._stop(exit_code)
        self._clients.end_reports_after(end - CUT / 2 - monotonic())
        self._work.abandon()
        self._dismiss()
        self._ends.close(rounds=1, within=end - monotonic())
        self._record(self._summary(exit_code))

    @property
    def ended_by(self) -> int | None:
        """The exit code of what ended the run early: a signal, then Arkindex, then user code."""
        if self._guard.exit_code is not None:
            return self._guard.exit_code
        if self._halt.error is not None:
            error = self._halt.error
            return int(error.exit_code) if isinstance(error, ArkworkerError) else 1
        return self._work.ended_by

    def _summary(self, ended_by: int | None) -> Summary:
        tally = self._given.tally
        code = exit_code_of(tally, ended_by=ended_by, strict=self._run.settings.strict)
        metrics = self._run.context.services.metrics.as_data()
        return Summary.of(tally, monotonic() - self._start, code, self._timing.as_data(), metrics)

    def _retrieve_late(self, job: Job) -> Element:
        found = self._run.context.services.element_access.find_cached(job.id)
        if found is not None:
            return found
        if job.answer is None and not self._run.context.connection_is_given:
            raise ArkworkerError("it is not in the cache, and the address of Arkindex is not set: set ARKINDEX_API_URL")
        return self._retrieval.retrieve(job.id, job.answer)
