"""A run over elements in several processes of this machine: each does what a run of one process does.

```
            jobs: the worklist, the results file, the log, the bar, the summary; `finish`
             │  ▲
   elements  │  │  counts, failures, lines of the log
             ▼  │
   job_process, N times: setup once, then intake, work and ends as ever
```

A process that is killed is replaced. What it had in hand is known from its notes: what user code had ends in
error, what was ready goes to another process.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import tempfile
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime.loop.accounts import FAREWELL, MOST_IN_VAIN, Accounts, end_held, telling_traces
from arkworker.runtime.loop.assignment import make_ends, prepared
from arkworker.runtime.loop.channel import Inbox, Say, send
from arkworker.runtime.loop.ends import LEFT_BEFORE, end_left
from arkworker.runtime.loop.in_hand import SLOTS, Left, Stage, new_path, read
from arkworker.runtime.loop.intake import Halt, take_listed
from arkworker.runtime.loop.job_process import CLAIM, Order, Terms, shielded
from arkworker.runtime.loop.threads import Timing, cores
from arkworker.runtime.loop.worklist import Job, not_begun

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.assignment import Assignment
    from arkworker.runtime.loop.clients import Clients
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.settings.platform import Settings

logger = logging.getLogger("arkworker.elements")

GLANCE = 0.5  # seconds between looks whether a process lives, where others hold open what its end would close


def number_of_jobs(settings: Settings) -> int:
    """How many processes a run is to have."""
    return cores() if settings.jobs == "auto" else settings.jobs


@dataclass(eq=False)
class _Child:
    """A process, and what the parent knows of it."""

    number: int
    process: SpawnProcess
    connection: socket.socket
    inbox: Inbox
    notes: Path
    handed: dict[str, Job] = field(default_factory=dict)  # by their ids, what it was given and has not ended
    ended: deque[str] = field(default_factory=lambda: deque(maxlen=SLOTS))  # elements, the last ones
    is_ready: bool = False
    is_done: bool = False


def process_elements_in_jobs(
    run: Handover, start: Callable[[socket.socket], None], finish: Callable[[Any], None] | None
) -> None:
    """Put every element through user code, in processes.

    Args:
        run: What the lifecycle hands over.
        start: What a process does, with the way to its parent, who says first what the order is.
        finish: User code for after the last element, with a session of the cache; it is called here.

    Raises:
        ElementsError: It did not succeed; the exit code says how.
        ArkworkerError: As for one process; or a process could not be set up.
    """
    with prepared(run) as (clients, assignment), tempfile.TemporaryDirectory(prefix="arkworker-jobs-") as folder:
        with telling_traces():
            summary = Jobs(run, clients, assignment, start, Path(folder)).perform(finish)
        run.outcome.conclude(summary)


class Jobs:
    """The processes of a run, and what is still to be handed out.

    Args:
        run: What the lifecycle hands over.
        clients: What requests are sent with.
        assignment: What there is to do.
        start: What a process does, with the way to its parent, who says first what the order is.
        folder: For notes of processes, where no run after this one needs them.

    Attributes:
        accounts: What its processes have told.
    """

    def __init__(
        self,
        run: Handover,
        clients: Clients,
        assignment: Assignment,
        start: Callable[[socket.socket], None],
        folder: Path,
    ) -> None:
        self._run = run
        self._clients = clients
        self._assignment = assignment
        self._start_one = start
        self._folder = folder
        self._terms = Terms.of(run, assignment)
        self._halt = Halt()  # nothing more is handed out
        self.accounts = Accounts(run, assignment, self._halt)
        self._ends = make_ends(run, clients, assignment, Timing(), self._halt, 0)
        self._spawning = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # not within `shielded`, which its start would end
        self._children: list[_Child] = []
        self._started = 0
        self._left: deque[Job] = deque()  # of processes that were killed
        self._vain = 0  # processes in a row that were killed before they had an element
        self._deadline: float | None = None  # of processes that were told to end
        self._waking, self._wake = socket.socketpair()

    def perform(self, finish: Callable[[Any], None] | None) -> Summary:
        """Work, stop, and end what is left.

        Raises:
            ArkworkerError: A process could not be set up.
        """
        stopping = self._run.stopping
        with self._waking, self._wake, self._assignment.progress, stopping.calling(self._stop):
            try:
                if stopping.look():
                    self._stop()
                end_left(self._assignment.left.stages, LEFT_BEFORE, self._ends, self._run.outcome.failures)
                jobs, count = number_of_jobs(self._run.settings), self._assignment.worklist.count
                for _ in range(jobs if count is None else min(jobs, count)):
                    self._start()
                while self._children:
                    self._step()
            finally:
                self._kill()
        self._ends.close()
        return self.accounts.conclude(finish)

    def _start(self) -> None:
        """Start one more process, unless the run is to end."""
        if self._halt.is_stopped:
            return
        self._started += 1
        # This run reads the notes of a process that was killed, also where no later run will need them.
        notes = new_path(self._run.context.work_dir if self._assignment.in_hand.is_kept else self._folder)
        try:
            child = self._spawn(notes)
        except OSError as error:  # there is no memory, or too many files are open
            self._note_refused(error)
            return
        self._children.append(child)
        with contextlib.suppress(OSError):  # it was killed meanwhile
            send(child.connection, Order(self._terms, notes, self._folder / "lock"))

    def _spawn(self, notes: Path) -> _Child:
        ours, theirs = socket.socketpair()
        try:
            with theirs, shielded():
                process = self._spawning.Process(
                    target=self._start_one, args=(theirs,), name=f"job-{self._started}", daemon=False
                )
                process.start()
        except BaseException:
            ours.close()
            raise
        return _Child(self._started, process, ours, Inbox(ours), notes)

    def _note_refused(self, error: OSError) -> None:
        """The system gives no further processes: those at work go on; without any, the run ends."""
        reason = f"a process of this run cannot be started: {error.strerror or error}"
        if any(child.is_ready for child in self._children):
            logger.warning("%s", reason)
            return
        self.accounts.take_down(self._started, Say.BROKEN, ArkworkerError(f"{reason}; lower --jobs"), None)
        self._end_children()

    def _step(self) -> None:
        """Receive what a process has sent, or note that it has ended."""
        timeout = GLANCE if self._deadline is None else max(0.0, min(GLANCE, self._deadline - monotonic()))
        open_ones: list[Any] = [child.connection for child in self._children if child.inbox.is_open]
        ready = wait([*open_ones, *(child.process.sentinel for child in self._children), self._waking], timeout)
        if self._waking in ready:
            self._waking.recv(64)
            self._end_children()
        for child in tuple(self._children):
            if child.connection in ready:
                self._hear(child)
            if child.process.exitcode is not None:
                self._bury(child)
        if self._deadline is not None and monotonic() > self._deadline:
            self._kill()

    def _hear(self, child: _Child) -> None:
        """Take what a process has said."""
        for message in child.inbox.read():
            what, *parts = pickle.loads(message)  # noqa: S301 - of our own processes
            if what is Say.TAKE:
                self._answer(child, self._hand_out(child))
            elif what is Say.WRITE:
                self._answer(child, self.accounts.record(*parts))
            else:
                self._note(child, what, *parts)

    @staticmethod
    def _answer(child: _Child, answer: Any) -> None:
        with contextlib.suppress(OSError):  # it was killed meanwhile
            send(child.connection, answer)

    def _note(self, child: _Child, what: Say, *parts: Any) -> None:
        self.accounts.take_down(child.number, what, *parts)
        if what is Say.COUNT:
            _, _, element_id = parts
            if element_id is not None:
                child.handed.pop(element_id, None)
                child.ended.append(element_id)
        elif what is Say.READY:
            child.is_ready = True
        elif what is Say.BROKEN:
            child.is_done = True
            self._end_children()
        elif what is Say.DONE:
            self._note_done(child, *parts)

    def _note_done(self, child: _Child, ended_by: int | None) -> None:
        is_stopped_alone = ended_by == 128 + signal.SIGTERM and self._deadline is None
        child.is_done = not is_stopped_alone
        if ended_by is None or is_stopped_alone or self._deadline is not None:
            return
        self.accounts.codes.append(ended_by)
        # Else user code has left; that Arkindex is out of reach, others find for themselves.
        if ended_by != ExitCode.UNAVAILABLE:
            self._end_children()

    def _hand_out(self, child: _Child) -> Any:
        """The next element for a process; None when there is none left."""
        job = self._next()
        if not isinstance(job, Job):
            return job
        child.handed[job.id] = job
        return job.id, job.answer, job.is_held, job.is_perhaps_held

    def _next(self) -> Job | str | None:
        if self._halt.is_stopped:
            return None
        if self._left:
            return self._left.popleft()
        if self._halt.is_over:
            return None
        if self._assignment.worklist.is_queue:
            return self._assignment.worklist.take_left() or CLAIM
        return next(iter(take_listed(self._assignment.worklist, 1, self._halt)), None)

    def _bury(self, child: _Child) -> None:
        """A process has ended: what it has sent is received first."""
        while child.inbox.is_open and wait([child.connection], 0):
            self._hear(child)
        self._children.remove(child)
        child.connection.close()
        code = child.process.exitcode or 0
        if not child.is_done:
            reason = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._recover(child, f"its process was {reason}" if code < 0 else f"its process {reason}")
            is_hopeless = self._vain >= MOST_IN_VAIN and not any(other.is_ready for other in self._children)
            if is_hopeless and self._deadline is None:
                when = "while it was set up" if not child.is_ready else "before it had worked on an element"
                error = ArkworkerError(f"a process of this run was {reason} {when}")
                self.accounts.take_down(child.number, Say.BROKEN, error, None)
                self._end_children()
        child.process.close()
        if self._is_needed(child):
            self._start()

    def _is_needed(self, child: _Child) -> bool:
        """Whether another process is to replace one that has ended."""
        if self._left and not self._children:
            return True
        if self._vain >= MOST_IN_VAIN:  # there may be no memory for another: those that live go on
            return False
        return not child.is_done and (bool(self._left) or not self._halt.is_over)

    def _recover(self, child: _Child, reason: str) -> None:
        """End what a process had in hand, or give it to others."""
        try:
            left = read(child.notes, self._terms.owner, is_over=True)
        except (OSError, ValueError):  # it had nothing yet, or could note nothing: nobody knows how far it was
            left = Left(dict.fromkeys(child.handed, Stage.WORKING))
        left.stages = {name: stage for name, stage in left.stages.items() if name not in child.ended}
        in_hand = {**child.handed, **left.stages}
        self._vain = 0 if in_hand or child.ended else self._vain + 1
        if in_hand or not self._halt.is_stopped:  # else it was ended before it had begun, with the run
            logger.warning(
                "a process of this run has ended: %s; elements that it was working on: %d", reason, len(in_hand)
            )
        self._keep(left)
        with contextlib.suppress(OSError):
            child.notes.unlink()
        self._left += [job for name, job in child.handed.items() if name not in left.stages]
        for job in not_begun(left.stages):
            job.answer = child.handed[job.id].answer if job.id in child.handed else None
            self._left.append(job)
        end_left(left.stages, reason, self._ends, self._run.outcome.failures)
        self._assignment.progress.advance()
        if self._halt.is_stopped:
            self._dismiss()

    def _keep(self, left: Left) -> None:
        """Note it here first: this process may be killed, too."""
        for name, stage in left.stages.items():
            self._assignment.in_hand.note(name, stage)
        if left.uncertain:
            self._assignment.in_hand.note_lost(left.uncertain)
            self._run.outcome.tally.count("uncertain", left.uncertain)

    def _dismiss(self) -> None:
        """No process gets what is left."""
        held = [job.id for job in self._left if job.is_held or job.is_perhaps_held]
        self._left.clear()
        end_held(held, "interrupted", self._ends, self._run.outcome.failures)

    def _stop(self) -> None:
        """The first signal, in another thread."""
        self._halt.stop()
        self._clients.stop(self._run.stopping.known or signal.SIGTERM)
        with contextlib.suppress(OSError):  # the last process has just ended
            self._wake.send(b"\0")

    def _end_children(self) -> None:
        """Let every process come to its end, within the grace time."""
        self._halt.stop()
        if self._deadline is None:
            self._deadline = monotonic() + self._run.settings.grace + FAREWELL
            for child in self._children:
                if child.process.pid is not None and child.process.exitcode is None:
                    os.kill(child.process.pid, signal.SIGTERM)

    def _kill(self) -> None:
        """End what did not end in time."""
        self._halt.stop()  # else those that are killed would be replaced
        for child in tuple(self._children):
            child.process.kill()
            child.process.join()
            self._bury(child)
        if self._left:
            self._dismiss()
