"""A run over elements: put together, carried out, taken apart, summed up."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import Activities
from arkworker.clock import SystemClock
from arkworker.errors import ApiError, ArkworkerError, ExitCode, StoppedError
from arkworker.runtime.loop import cached, outcome, recording
from arkworker.runtime.loop.choosing import Choice
from arkworker.runtime.loop.clients import CUT, Clients
from arkworker.runtime.loop.failures import Failures
from arkworker.runtime.loop.guard import Guard
from arkworker.runtime.loop.intake import Intake
from arkworker.runtime.loop.journal import Journal, Stage, recover
from arkworker.runtime.loop.loop import ElementLoop
from arkworker.runtime.loop.pace import Pace
from arkworker.runtime.loop.progress import Progress
from arkworker.runtime.loop.recording import RecordedFailures, Records
from arkworker.runtime.loop.reports import ROUNDS, Reports
from arkworker.runtime.loop.retrieval import Retrieval
from arkworker.runtime.loop.sources import Resumed
from arkworker.runtime.loop.tally import Summary, Tally, exit_code_of
from arkworker.runtime.services import LatePublisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.publishing import Publisher
    from arkworker.elements import Element
    from arkworker.runtime.handover import ElementCode, Handover
    from arkworker.runtime.loop.jobs import Job
    from arkworker.runtime.loop.sources import Source
    from arkworker.storage.recording.writing import Recorder

logger = logging.getLogger("arkworker.elements")

RECORDING = 0.2  # seconds for the summary, when the process ends at a given moment
#: Modes in which Arkindex keeps no activities.
WITHOUT_ACTIVITIES = frozenset({"dataset", "export"})


def process_elements(code: ElementCode, run: Handover) -> None:
    """Put every element through user code.

    Args:
        code: User code.
        run: What the lifecycle hands over.

    Raises:
        ElementsError: It did not end well; the exit code says how.
        ConfigurationError: The elements cannot be chosen, or the summary cannot be written.
        ApiError: The sets that elements are in cannot be listed.
    """
    path = run.settings.summary
    outcome.prepare(path)
    tally = Tally()
    with (
        outcome.summed_up(path, tally, run.stopping),
        recording.opened(run) as recorder,
        contextlib.closing(Clients(run.context.connection, read_only=run.context.is_read_only)) as clients,
    ):
        source = _choose(run, clients, tally)
        publisher = LatePublisher(partial(run.context.services.make_publisher, clients.reports, run.outbox))
        _ElementRun(code, run, clients, source, tally, publisher, recorder).perform()


def _choose(run: Handover, clients: Clients, tally: Tally) -> Source:
    def initial_ids() -> list[str]:
        return cached.initial_ids(run.sessions) if run.context.use_cache else []

    with run.stopping.calling(lambda: clients.stop(run.stopping.received or 0)):
        try:
            is_reachable = run.context.connection_is_given or run.context.use_cache
            choice = Choice(run.settings, run.context.process, run.origins, initial_ids, is_reachable)
            return choice.source(clients.intake, tally)
        except ApiError:
            run.stopping.check()  # a request that a signal ended says nothing about Arkindex
            raise


class _ElementRun:
    """The parts of one run, and who tells whom."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it connects
        self,
        code: ElementCode,
        run: Handover,
        clients: Clients,
        source: Source,
        tally: Tally,
        publisher: Publisher,
        recorder: Recorder | None,
    ) -> None:
        context, settings = run.context, run.settings
        call: Callable[[Element, Any], Any] = code.process
        self._code = code
        self._run = run
        self._clients = clients
        self._clock = SystemClock()
        self._start = self._clock.now()
        self._tally = tally
        self._failures = Failures() if recorder is None else RecordedFailures()
        self._is_ending = False
        self._dismissing = threading.Lock()
        self._source = source
        self._records = self._record(recorder, publisher)
        context.services.publisher = self._records or publisher  # for what user code publishes in the middle, too
        if source.is_queue and settings.no_worker_activity:
            logger.warning("--no-worker-activity: elements of the queue will stay started, since no end is reported")
        self._journal, self._found = self._open_journal()
        if self._records is not None:
            call, source = self._records.entering(call), self._records.remaining()
            self._found = self._records.unrecorded(self._found)
        if self._found:
            held = [element_id for element_id, stage in self._found.items() if stage is Stage.HELD]
            source = Resumed(held, self._found, source)
        self._retrieval = Retrieval(
            clients.intake,
            self._activities(clients.intake),
            context.bind_element,
            lambda: self._is_ending,
            self._journal,
            is_late=context.is_developer_mode and context.use_cache,
        )
        self._intake = Intake(source, self._retrieval.prepare, settings.prefetch)
        clients.intake_clock.on_wait = self._intake.note_wait
        self._reports = self._records or Reports(
            self._activities(clients.reports),
            publisher,
            tally=self._tally,
            on_failure=lambda element_id, error: self._failures.add(element_id, error, traced=False),
            on_outage=self._intake.give_up,
            journal=self._journal,
            behind=settings.prefetch,
            outbox=run.outbox,
        )
        if self._records is not None:
            self._records.journal, self._records.on_broken = self._journal, self._intake.give_up
        self._guard = Guard(
            run.stopping,
            grace=settings.grace,
            limit=settings.element_timeout,
            on_stop=self._stop,
            on_abandon=self._abandon,
        )
        self._pace = Pace(self._begin_ahead, self._clock)
        self._loop = ElementLoop(
            call,
            run.sessions,
            self._retrieve_late,
            intake=self._intake,
            reports=self._reports,
            guard=self._guard,
            tally=self._tally,
            failures=self._failures,
            progress=Progress(self._tally, source.count, self._clock),
            pace=self._pace,
            journal=self._journal,
        )

    def perform(self) -> None:
        """Work, stop, end what is left, and say how it went.

        Raises:
            ElementsError: It did not end well.
        """
        with self._guard:
            self._pace.start()
            try:
                self._loop.finish(self._found)
                self._loop.run()
            except KeyboardInterrupt:  # of a handler that user code has put there
                self._loop.ended_by = 128 + signal.SIGINT
            except Exception as error:
                logger.exception("the run over elements failed")
                self._intake.give_up(error)
            finally:
                self._pace.stop()
                self._end()
                self._journal.close()
        self._finish()
        outcome.conclude(self._summary(self._ended_by()), self._failures, self._run.settings.summary)

    def _finish(self) -> None:
        """What the worker does after its last element, unless the run was ended early."""
        if self._code.finish is None or self._ended_by() is not None:
            return
        try:
            with self._run.sessions() as cache, self._run.stopping.interruptible():
                self._code.finish(cache)
        except StoppedError as error:
            self._loop.ended_by = error.exit_code
        except BaseException as error:
            # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
            logger.error("The worker's finish failed", exc_info=error)  # noqa: TRY400 - the same, for any exception
            self._loop.ended_by = ExitCode.FAILED

    def _begin_ahead(self) -> None:
        self._intake.go_ahead()
        self._reports.go_behind()

    def _end(self) -> None:
        """Nothing new, and everything that is ours is ended."""
        if self._loop.ended_by is not None:
            self._stop(self._loop.ended_by)
        self._dismiss()
        self._reports.close(rounds=1 if self._intake.error else ROUNDS)

    def _dismiss(self) -> None:
        with self._dismissing:
            self._loop.dismiss(self._intake.close())

    def _stop(self, number: int) -> None:
        """The first signal, in another thread; or user code that ends the run."""
        self._is_ending = True
        self._intake.stop()
        self._clients.stop(number)
        # At once, in a thread: user code may take all of the grace time, and whoever sent the signal may not wait.
        threading.Thread(target=self._dismiss, name="dismissal", daemon=True).start()

    def _abandon(self, exit_code: int, seconds: float) -> None:
        """User code does not come back: end its element and all others from here; the process ends after it."""
        end = self._clock.now() + seconds - RECORDING
        self._stop(exit_code)
        self._clients.end_reports_after(end - CUT / 2 - self._clock.now())
        self._loop.abandon()
        self._dismiss()
        self._reports.close(rounds=1, within=end - self._clock.now())
        outcome.record(self._summary(exit_code), self._failures, self._run.settings.summary)

    def _ended_by(self) -> int | None:
        """The exit code of what ended the run early: a signal, then Arkindex, then user code."""
        if self._guard.exit_code is not None:
            return self._guard.exit_code
        if self._intake.error is not None:
            error = self._intake.error
            return int(error.exit_code) if isinstance(error, ArkworkerError) else 1
        return self._loop.ended_by

    def _summary(self, ended_by: int | None) -> Summary:
        code = exit_code_of(self._tally, ended_by=ended_by, strict=self._run.settings.strict)
        return Summary.of(self._tally, self._clock.now() - self._start, code)

    def _open_journal(self) -> tuple[Journal, dict[str, Stage]]:
        """Notes of what is in hand, and what a run of this task that was killed had noted."""
        context = self._run.context
        if self._activities(self._clients.reports) is None:
            return Journal(None, ""), {}
        owner = f"{context.worker_run_id} {context.task_id}"
        journal = Journal(context.work_dir, owner)
        return journal, recover(context.work_dir, owner, journal)

    def _record(self, recorder: Recorder | None, publisher: Publisher) -> Records | None:
        if recorder is None or not isinstance(self._failures, RecordedFailures):
            return None
        outbox = self._run.outbox if self._run.context.is_read_only else None
        return Records(recorder, publisher, self._source, tally=self._tally, failures=self._failures, outbox=outbox)

    def _activities(self, client: Any) -> Activities | None:
        context = self._run.context
        process, settings = context.process, self._run.settings
        if self._records is not None and not self._source.is_queue:
            return None  # whoever publishes reports the states
        if process is None or context.worker_run_id is None or settings.no_worker_activity:
            return None
        if not self._source.is_queue and (process.activity_state != "ready" or process.mode in WITHOUT_ACTIVITIES):
            return None
        return Activities(client, context.worker_run_id, process.id)

    def _retrieve_late(self, job: Job) -> Element:
        found = self._run.context.services.element_access.find_cached(job.id)
        if found is not None:
            return found
        if job.answer is None and not self._run.context.connection_is_given:
            raise ArkworkerError("it is not in the cache, and nobody said where Arkindex is: set ARKINDEX_API_URL")
        return self._retrieval.retrieve(job.id, job.answer)
