"""The loop itself: one element after the other through user code, in the main thread."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.elements.results import collect
from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime.loop.jobs import Ending, Job
from arkworker.runtime.loop.journal import Stage
from arkworker.runtime.stopping import Interruption
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arkworker.elements import Element
    from arkworker.runtime.loop.failures import Failures
    from arkworker.runtime.loop.guard import Guard
    from arkworker.runtime.loop.intake import Intake
    from arkworker.runtime.loop.journal import Journal
    from arkworker.runtime.loop.pace import Pace
    from arkworker.runtime.loop.progress import Progress
    from arkworker.runtime.loop.recording import Records
    from arkworker.runtime.loop.reports import Reports
    from arkworker.runtime.loop.tally import Tally

logger = logging.getLogger("arkworker.elements")

INTERRUPTED = "interrupted"


class ElementLoop:
    """Takes elements from the intake, hands them to user code, and leaves the rest to the reports.

    Args:
        call: User code, with an element and a session of the cache.
        sessions: Makes such sessions; committed when user code has succeeded.
        late: Retrieves the element of a job in this thread, where the intake did not; from the cache first.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        call: Callable[[Element, Any], Any],
        sessions: Callable[[], Any],
        late: Callable[[Job], Element],
        *,
        intake: Intake,
        reports: Reports | Records,
        guard: Guard,
        tally: Tally,
        failures: Failures,
        progress: Progress,
        pace: Pace,
        journal: Journal,
    ) -> None:
        self.ended_by: int | None = None  # the exit code of user code that ended the run
        self._call = call
        self._sessions = sessions
        self._late = late
        self._intake = intake
        self._reports = reports
        self._guard = guard
        self._tally = tally
        self._failures = failures
        self._progress = progress
        self._pace = pace
        self._journal = journal
        self._current: Job | None = None
        self._ending = threading.Lock()  # an element is ended once: by the main thread, or by who leaves it behind

    def run(self) -> None:
        """Until there are no more elements, or the run is to end."""
        with self._progress:
            while self.ended_by is None and (job := self._intake.next()) is not None:
                self._guard.look()
                self._reports.settle()  # what came in while this thread was waiting
                self._take(job)
                self._reports.settle()
                self._progress.advance()
                self._pace.note_element()

    def dismiss(self, jobs: list[Job]) -> None:
        """End elements that user code never got, because the run ends."""
        for job in jobs:
            if job.is_taken or job.failure is not None:
                self._take(job)
            elif job.is_held:
                self._fail(job, INTERRUPTED)

    def abandon(self) -> None:
        """End the element that user code does not come back with; from another thread. The process ends after it."""
        with self._ending:
            job, self._current = self._current, None
        if job is not None:
            self._fail(job, self._interruption)

    def _take(self, job: Job) -> None:
        if job.is_taken:
            logger.info("element %s is skipped: another process has it", printable(job.id, 60))
            self._tally.count("skipped")
        elif job.failure is not None:
            self._failures.add(job.id, job.failure, traced=False)
            self._end(job, State.ERROR)
        else:
            self._process(job)

    def _process(self, job: Job) -> None:
        self._current = job
        try:
            element = job.element or self._late(job)
        except ArkworkerError as error:
            self._release(job)
            self._failures.add(job.id, error, traced=False)
            self._end(job, State.ERROR)
            return
        logger.debug("Processing %s", element)
        if job.is_held:
            self._journal.note(job.id, Stage.WORKING)
        try:
            with self._sessions() as cache:
                results = self._guard.call(lambda: collect(self._call(element, cache)))
        except Interruption:
            self._release(job)
            self._fail(job, self._interruption)
        except BaseException as error:  # noqa: BLE001 - of user code: whatever it is, it is this element's failure
            self._release(job)
            self._failures.add(job.id, error, traced=True)
            self._end(job, State.ERROR)
            self._consider(error)
        else:
            failure = self._reports.settle(job.id)
            self._release(job)
            if failure is None:
                self._reports.submit(Ending(job.id, State.PROCESSED, element, results, is_held=True))
            else:
                self._failures.add(job.id, failure, traced=False)
                self._end(job, State.ERROR)

    def _release(self, job: Job) -> None:
        """The main thread ends this element; it stays here where another has done so, until the process ends."""
        with self._ending:
            is_ours, self._current = self._current is job, None
        if not is_ours:
            threading.Event().wait()

    @property
    def _interruption(self) -> str:
        return INTERRUPTED if self._guard.has_stopped else "time limit passed"

    def _consider(self, error: BaseException) -> None:
        """`sys.exit` and Ctrl-C end the run, too; never as a success."""
        if isinstance(error, KeyboardInterrupt):
            self.ended_by = 128 + 2
        elif isinstance(error, SystemExit):
            self.ended_by = ExitCode.FAILED

    def _fail(self, job: Job, reason: str) -> None:
        self._failures.add_reason(job.id, reason)
        self._end(job, State.ERROR)

    def _end(self, job: Job, state: State) -> None:
        self._reports.submit(Ending(job.id, state, is_held=job.is_held))

    def finish(self, found: Mapping[str, Stage]) -> None:
        """End what a run before had in hand when it was killed, but for what user code had not begun."""
        for element_id, stage in found.items():
            if stage is Stage.HELD:
                continue
            if stage is Stage.WORKING:
                self._failures.add_reason(element_id, "a run before ended while this element was worked on")
            state = State.PROCESSED if stage is Stage.PROCESSED else State.ERROR
            self._reports.submit(Ending(element_id, state, uncertain=1))  # it may have been reported just before
