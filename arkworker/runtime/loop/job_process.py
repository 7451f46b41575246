"""One process of a run of several: the same loop, on elements that its parent hands out, telling it all that happens.

The parent is `jobs`; what they say to each other is in `channel`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, StoppedError
from arkworker.runtime import logs
from arkworker.runtime.cache_sessions import shared_cache
from arkworker.runtime.failures import described
from arkworker.runtime.handover import Handover
from arkworker.runtime.left_running import wait_for_left_running
from arkworker.runtime.loop.assignment import Assignment, owner_of
from arkworker.runtime.loop.channel import Channel, Say, ToldFailures, ToldRecorder, ToldTally
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.in_hand import InHand, Left, Stage
from arkworker.runtime.loop.outcome import Outcome
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.runtime.loop.run import ElementRun
from arkworker.runtime.loop.worklist import Job, Queue
from arkworker.runtime.stopping import Stopping
from arkworker.runtime.target import load_target
from arkworker.settings.platform import Settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.runtime.worker import ElementsWorker

logger = logging.getLogger("arkworker.elements")


#: The parent's answer where elements are claimed: each process does that for itself.
CLAIM = "claim"
#: What other processes need of the settings of the run.
_SETTINGS = ("element_timeout", "grace", "no_worker_activity", "prefetch", "report", "results", "strict")


@dataclass(frozen=True)
class Terms:
    """What each process of a run is told of it; all of it travels, and only the token in `data` is a secret.

    Attributes:
        target: The worker, as the person who started it named it.
        folder: Where that was, wherever user code has moved since; used where it exists.
        data: The pickled context and settings: they can be read once the worker's module is imported.
        owner: The run that notes on disk make sense to.
        is_queue: Whether elements are claimed.
        reports_states: Whether their states are reported to Arkindex.
        is_recorded: Whether results go to a file, which another process writes.
        level: The lowest level of what is logged.
        is_json: Whether it is logged as JSON.
    """

    target: str
    folder: str
    data: bytes = field(repr=False)
    owner: str
    is_queue: bool
    reports_states: bool
    is_recorded: bool
    level: int
    is_json: bool

    @classmethod
    def of(cls, run: Handover, assignment: Assignment) -> Terms:
        """Those of a run.

        Raises:
            ArkworkerError: Something in the configuration cannot be sent.
        """
        try:
            data = pickle.dumps((run.context, {name: getattr(run.settings, name) for name in _SETTINGS}))
        except Exception as error:
            raise ArkworkerError(f"the context cannot be sent to other processes: {described(error)}") from error
        return cls(
            run.target,
            run.folder,
            data,
            owner_of(run),
            assignment.worklist.is_queue,
            assignment.reports_states,
            assignment.recorder is not None,
            logging.getLogger().level,
            logs.is_json(),
        )


@dataclass(frozen=True)
class Order:
    """What a process is started with.

    Attributes:
        terms: What it is told of the run.
        notes: The file of what it has in hand.
        lock: A file that is locked while types and classes are created, so that only one process does.
    """

    terms: Terms
    notes: Path
    lock: Path


class SharedWorklist:
    """Elements that the parent hands out; where it says so, those of the queue."""

    count: int | None = None

    def __init__(self, channel: Channel, in_hand: InHand, queue: Queue | None) -> None:
        self.is_queue = queue is not None
        self._channel = channel
        self._in_hand = in_hand
        self._queue = queue

    def take_left(self) -> Job | None:
        return None  # the parent has those

    def take(self) -> Job | None:
        answer = self._channel.ask(Say.TAKE)
        if answer == CLAIM and self._queue is not None:
            return self._queue.take()
        if answer is None:
            return None
        element_id, details, is_held, is_perhaps_held = answer
        if is_held:
            self._in_hand.note(element_id, Stage.HELD)
        return Job(element_id, details, is_held=is_held, is_perhaps_held=is_perhaps_held)


@contextlib.contextmanager
def watching_parent(stopping: Stopping, connection: socket.socket | None = None) -> Iterator[None]:
    """While the block lasts, the end of the parent stops this process, as a signal does; signals count from now on.

    Args:
        stopping: Knows whether it was stopped already.
        connection: To a parent that has said all, where it was not `multiprocessing` that started this process.
    """
    is_over, over = os.pipe()
    starter = multiprocessing.parent_process()
    parent: Any = connection or (over if starter is None else starter.sentinel)

    def watch() -> None:
        if parent not in wait([parent, is_over]):
            return
        if stopping.received is None:
            os.kill(os.getpid(), signal.SIGTERM)
        elif connection is None:  # a second signal has ended the parent, and is to end the run at once
            os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, name="parent", daemon=True)
    thread.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        os.write(over, b"\0")  # to close it is not enough where a process that user code has forked lives on
        thread.join()
        os.close(over)
        os.close(is_over)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """While the block lasts, processes are started that Ctrl-C does not reach before they have a handler for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """While the block lasts, no other process of the run is in such a block; a killed one does not keep others out."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class JoinedJob:
    """A process of several that is ready for its worker's `setup`.

    Attributes:
        worker: The worker.
        handover: The run.
        order: What the parent wants.
        channel: The way to the parent.
    """

    worker: ElementsWorker[Any]
    handover: Handover
    order: Order
    channel: Channel

    def perform(self, run: Handover) -> None:
        """Put elements through user code, once `setup` is over, until there are no more or something ends the process.

        Args:
            run: The run, with what `setup` has declared.
        """
        channel, terms = self.channel, self.order.terms
        channel.say(Say.READY)
        code = self.worker._code(run.context)  # noqa: SLF001 - hidden from authors
        clients = Clients(run.context.api)
        with contextlib.closing(clients), contextlib.closing(InHand(self.order.notes, terms.owner)) as in_hand:
            queue = Queue(clients.intake, run.outcome.tally, in_hand) if terms.is_queue else None
            worklist: Worklist = SharedWorklist(channel, in_hand, queue)
            assignment = telling(run, terms, worklist, in_hand, partial(ToldRecorder, channel))

            def tell(summary: Summary) -> None:
                tell_figures(channel, run, summary)
                is_stopped = summary.exit_code > 128
                channel.say(Say.DONE if is_stopped else Say.LEFT, summary.exit_code)

            part = ElementRun(code, run, clients, assignment, tell)
            tell_figures(channel, run, part.perform())
            channel.say(Say.DONE, part.ended_by)


@contextlib.contextmanager
def answering(channel: Channel, terms: Terms, connection: socket.socket | None = None) -> Iterator[Stopping]:
    """While the block lasts, another process hears of the log and of what ends this one; its own end ends this, too.

    Args:
        channel: The way to it.
        terms: What there is to know of the run.
        connection: As for `watching_parent`.
    """
    logs.hand_over(channel.log, terms.level, "json" if terms.is_json else "text")
    try:
        with Stopping(is_led=True) as stopping, watching_parent(stopping, connection):
            yield stopping
    except StoppedError as error:
        channel.say(Say.DONE, int(error.exit_code))
    except ArkworkerError as error:
        channel.say_broken(error)
    if told := wait_for_left_running():
        logger.warning(told)


def join(connection: socket.socket, work: Callable[[JoinedJob], None]) -> None:
    """Join a run as one of its processes; what ends it there, also before the work, is reported to the parent.

    Args:
        connection: The way to the parent, which may be gone.
        work: Told what to do.
    """
    channel = Channel(connection)
    order = channel.receive()
    if order is None:
        return
    with answering(channel, order.terms) as stopping:
        with contextlib.suppress(OSError):  # it is gone, or is not known
            os.chdir(order.terms.folder)
        worker: Any = load_target(order.terms.target)
        with unpacked(order.terms, channel, stopping) as handover:
            work(JoinedJob(worker, handover, order, channel))


@contextlib.contextmanager
def unpacked(
    terms: Terms,
    channel: Channel,
    stopping: Stopping,
    settled: Callable[[WorkerContext[Any]], WorkerContext[Any]] = lambda context: context,
) -> Iterator[Handover]:
    """The run as another process has packed it; its worker's module has been imported.

    Args:
        terms: What there is to know of it.
        channel: The way to the process that is told what becomes of elements.
        stopping: Knows of signals.
        settled: Makes the context one of this machine.
    """
    context, settings = pickle.loads(terms.data)  # noqa: S301 - of the run
    context = settled(context)
    with shared_cache(context) as sessions:
        known = Settings.model_construct(**settings)
        outcome = Outcome(stopping, tally=ToldTally(channel), failures=ToldFailures(channel))
        made = Handover(context, known, sessions, stopping, terms.target, outcome, folder=terms.folder)
        if known.report is not None:  # which the parent writes
            from arkworker.runtime.collecting import Collected

            made.report_to(Collected())
        yield made.with_outbox()


def telling(
    run: Handover,
    terms: Terms,
    worklist: Worklist,
    in_hand: InHand,
    recorder: Callable[[str], ToldRecorder],
) -> Assignment:
    """What a process works on that tells another one what becomes of it."""
    told: Any = recorder(run.settings.results or "") if terms.is_recorded else None
    bar = ProgressDisplay(run.outcome.tally, None, is_shown=False)
    return Assignment(worklist, terms.reports_states, in_hand, Left(), told, bar)


def tell_figures(channel: Channel, run: Handover, summary: Summary) -> None:
    """What this process measured."""
    collected = run.outcome.collected
    highlights = collected.highlights if collected is not None else None
    channel.say(Say.FIGURES, summary.phases, summary.metrics, highlights)
