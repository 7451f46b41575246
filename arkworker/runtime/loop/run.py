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

import contextlib
import functools
import logging
import signal
import threading
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import WITHOUT_ACTIVITIES, Activities
from arkworker.clock import SystemClock
from arkworker.errors import ApiError, ArkworkerError, ExitCode
from arkworker.runtime.loop import outcome, results_file
from arkworker.runtime.loop.clients import CUT, Clients
from arkworker.runtime.loop.ends import ROUNDS
from arkworker.runtime.loop.failures import Failures
from arkworker.runtime.loop.guard import Guard
from arkworker.runtime.loop.in_hand import InHand, Left, recover
from arkworker.runtime.loop.intake import Halt, Intake, Job, Retrieval
from arkworker.runtime.loop.outcome import Summary, Tally, exit_code_of
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.runtime.loop.reports import Reports
from arkworker.runtime.loop.results_file import ResultsFile
from arkworker.runtime.loop.timing import Timing
from arkworker.runtime.loop.work import Work
from arkworker.runtime.loop.worklist import Choice, Resumed, initial_ids, not_begun
from arkworker.runtime.services import LatePublisher
from arkworker.runtime.stopping import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.arkindex.client import Client
    from arkworker.elements import Element
    from arkworker.runtime.handover import ElementCode, Handover
    from arkworker.runtime.loop.ends import Ends
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.storage.recording.writing import Recorder

logger = logging.getLogger("arkworker.elements")

RECORDING = 0.2  # seconds for the summary, when the process ends at a given moment
BATCHES_AHEAD = 2  # how many are claimed and retrieved while user code works on one


@dataclass(frozen=True)
class Assignment:
    """What one process works on, and where it tells what became of it.

    Attributes:
        worklist: Where elements come from.
        reports_states: Whether the states of elements are reported to Arkindex.
        in_hand: Where it is noted what is in hand.
        left: What a run before had in hand when it was killed.
        recorder: The results file; None where results are published.
        tally: Counts what became of each element.
        failures: Told of those that failed.
    """

    worklist: Worklist
    reports_states: bool
    in_hand: InHand
    left: Left
    recorder: Recorder | None
    tally: Tally
    failures: Failures


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
        results_file.opened(run) as recorder,
        contextlib.closing(Clients(run.context.connection, read_only=run.context.is_read_only)) as clients,
        _assigned(run, clients, tally, recorder) as assignment,
    ):
        ElementRun(code, run, clients, assignment).perform()


@contextlib.contextmanager
def _assigned(run: Handover, clients: Clients, tally: Tally, recorder: Recorder | None) -> Iterator[Assignment]:
    """What there is to do; what a run before left behind is part of it."""
    context = run.context
    choice = Choice(
        run.settings,
        context.process,
        run.origins,
        functools.cache(lambda: initial_ids(run.sessions) if context.use_cache else []),
        context.connection_is_given or context.use_cache,
    )
    choice.check()
    reports_states = _reports_states(run, choice, recorder)
    owner = f"{context.worker_run_id} {context.task_id}"
    folder = context.work_dir if reports_states else None
    with contextlib.closing(InHand(folder, owner)) as in_hand:
        left = recover(folder, owner, in_hand) if folder is not None else Left()
        if left.uncertain:
            logger.warning("a run before was killed with %d claims that may have started an element", left.uncertain)
            tally.count("uncertain", left.uncertain)
        worklist = _choose(choice, run, clients, tally, in_hand)
        if recorder is not None:
            worklist = results_file.remaining(recorder, worklist)
            left.stages = {name: stage for name, stage in left.stages.items() if name not in recorder.found}
        if left.stages:
            worklist = Resumed(not_begun(left.stages), left.stages, worklist)
        yield Assignment(worklist, reports_states, in_hand, left, recorder, tally, Failures())


def _choose(choice: Choice, run: Handover, clients: Clients, tally: Tally, in_hand: InHand) -> Worklist:
    with run.stopping.calling(lambda: clients.stop(run.stopping.received or 0)):
        try:
            return choice.worklist(clients.intake, tally, in_hand)
        except ApiError:
            run.stopping.check()  # a request that a signal ended says nothing about Arkindex
            raise


def _reports_states(run: Handover, choice: Choice, recorder: Recorder | None) -> bool:
    process, settings = run.context.process, run.settings
    if choice.is_queue and settings.no_worker_activity:
        logger.warning("--no-worker-activity: elements of the queue will stay started, since no end is reported")
    if recorder is not None and not choice.is_queue:
        return False  # whoever publishes reports the states
    if process is None or run.context.worker_run_id is None or settings.no_worker_activity:
        return False
    return choice.is_queue or (process.activity_state == "ready" and process.mode not in WITHOUT_ACTIVITIES)


class ElementRun:
    """The parts of one run in one process, and who tells whom.

    Args:
        code: User code for elements.
        run: What the lifecycle hands over.
        clients: What requests are sent with.
        assignment: What there is to do.
    """

    def __init__(self, code: ElementCode, run: Handover, clients: Clients, assignment: Assignment) -> None:
        context, settings = run.context, run.settings
        self._code = code
        self._run = run
        self._clients = clients
        self._given = assignment
        self._start = monotonic()
        self._timing = Timing()
        self._halt = Halt()
        self._dismissing = threading.Lock()
        self._retrieval = Retrieval(
            clients.intake,
            self._activities(clients.intake),
            context.bind_element,
            self._halt,
            assignment.in_hand,
            is_late=context.is_developer_mode and context.use_cache,
        )
        # Of batches, the next ones whole: a batch that had to wait for its elements would hide nothing.
        self._batch = code.batch_size if code.process_batch is not None and code.batch_size > 1 else 0
        ahead = max(settings.prefetch, BATCHES_AHEAD * self._batch)
        self._intake = Intake(assignment.worklist, self._retrieval, self._halt, self._timing, ahead)
        self._ends = self._make_ends()
        self._guard = Guard(
            run.stopping,
            grace=settings.grace,
            limit=settings.element_timeout,
            on_stop=self._stop,
            on_abandon=self._abandon,
        )
        self._work = Work(
            code,
            run.sessions,
            self._retrieve_late,
            intake=self._intake,
            halt=self._halt,
            ends=self._ends,
            guard=self._guard,
            tally=assignment.tally,
            failures=assignment.failures,
            progress=ProgressDisplay(assignment.tally, assignment.worklist.count, SystemClock()),
            timing=self._timing,
            in_hand=assignment.in_hand,
        )

    def perform(self) -> None:
        """Work, stop, end what is left, and say how it went.

        Raises:
            ElementsError: It did not end well.
        """
        with self._guard:
            try:
                self._work.end_left(self._given.left.stages)
                self._work.run()
            except KeyboardInterrupt:  # of a handler that user code has put there
                self._work.ended_by = 128 + signal.SIGINT
            except Exception as error:
                logger.exception("the run over elements failed")
                self._halt.give_up(error)
            finally:
                self._end()
            is_stopped = self._run.stopping.look()  # the guard may not have heard of a signal that has just come
            if self._code.finish is not None and self._ended_by() is None and not is_stopped:
                self._finish(self._code.finish)
        outcome.conclude(self._summary(self._ended_by()), self._given.failures, self._run.settings.summary)

    def _end(self) -> None:
        """Nothing new, and everything that is ours is ended."""
        if self._work.ended_by is not None:
            self._stop(self._work.ended_by)
        self._dismiss()
        self._intake.close()
        self._ends.close(rounds=1 if self._halt.error else ROUNDS)

    def _finish(self, finish: Callable[[Any], None]) -> None:
        try:
            with self._run.sessions() as cache:
                self._guard.call(lambda: finish(cache), elements=0)
        except Interruption:
            logger.warning("The worker's finish was interrupted")
        except BaseException as error:
            # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
            logger.error("The worker's finish failed", exc_info=error)  # noqa: TRY400 - the same, for any exception
            self._work.ended_by = ExitCode.FAILED

    def _dismiss(self) -> None:
        with self._dismissing:
            self._work.dismiss(self._intake.give_back())

    def _stop(self, number: int) -> None:
        """The first signal, in another thread; or user code that ends the run."""
        self._halt.stop()
        self._clients.stop(number)
        # At once, in a thread: user code may take all of the grace time, and whoever sent the signal may not wait.
        threading.Thread(target=self._dismiss, name="dismissal", daemon=True).start()

    def _abandon(self, exit_code: int, seconds: float) -> None:
        """User code does not come back: end its element and all others from here; the process ends after it."""
        end = monotonic() + seconds - RECORDING
        self._stop(exit_code)
        self._clients.end_reports_after(end - CUT / 2 - monotonic())
        self._work.abandon()
        self._dismiss()
        self._ends.close(rounds=1, within=end - monotonic())
        summary = self._summary(exit_code)
        outcome.record(summary, self._given.failures, self._run.settings.summary)
        logger.error("%s", summary.told())

    def _ended_by(self) -> int | None:
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

    def _make_ends(self) -> Ends:
        """Where elements end; and where user code publishes in the middle of its work."""
        run, given, recorder = self._run, self._given, self._given.recorder
        publisher = LatePublisher(partial(run.context.services.make_publisher, self._clients.reports, run.outbox))

        def on_failure(element_id: str, error: Exception) -> None:
            given.failures.add(element_id, error, traced=False)

        if recorder is not None:
            recorded = ResultsFile(
                recorder,
                publisher,
                tally=given.tally,
                in_hand=given.in_hand,
                on_failure=on_failure,
                on_broken=self._halt.give_up,
                is_queue=given.worklist.is_queue,
                outbox=run.outbox if run.context.is_read_only else None,
            )
            run.context.services.publisher = recorded
            return recorded
        run.context.services.publisher = publisher
        return Reports(
            self._activities(self._clients.reports),
            publisher,
            tally=given.tally,
            timing=self._timing,
            in_hand=given.in_hand,
            on_failure=on_failure,
            on_outage=self._halt.give_up,
            behind=max(run.settings.prefetch, self._batch),
            outbox=run.outbox,
        )

    def _activities(self, client: Client) -> Activities | None:
        context = self._run.context
        if not self._given.reports_states or context.process is None or context.worker_run_id is None:
            return None
        return Activities(client, context.worker_run_id, context.process.id)

    def _retrieve_late(self, job: Job) -> Element:
        found = self._run.context.services.element_access.find_cached(job.id)
        if found is not None:
            return found
        if job.answer is None and not self._run.context.connection_is_given:
            raise ArkworkerError("it is not in the cache, and nobody said where Arkindex is: set ARKINDEX_API_URL")
        return self._retrieval.retrieve(job.id, job.answer)
