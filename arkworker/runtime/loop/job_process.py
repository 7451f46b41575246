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
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, StoppedError
from arkworker.runtime import logs
from arkworker.runtime.cache_sessions import shared_cache
from arkworker.runtime.handover import Handover
from arkworker.runtime.loop.assignment import Assignment
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
    from arkworker.runtime.handover import ElementCode
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.runtime.worker import ElementsWorker

logger = logging.getLogger("arkworker.elements")


#: The parent's answer where elements are claimed: each process does that for itself.
CLAIM = "claim"


@dataclass(frozen=True)
class Order:
    """What a process is started with.

    Attributes:
        number: Of the process, from 1.
        target: The worker, as the person who started it named it.
        folder: Where that was; user code may have moved this process's parent since.
        data: The pickled context and settings: they can be read once the worker's module is imported.
        notes: The file of what it has in hand.
        owner: The run that these notes make sense to.
        lock: A file that is locked while types and classes are created, so that only one process does.
        is_queue: Whether it claims its elements.
        reports_states: Whether it reports their states to Arkindex.
        is_recorded: Whether results go to the parent's file.
        level: The lowest level of what is logged.
    """

    number: int
    target: str
    folder: str
    data: bytes
    notes: Path
    owner: str
    lock: Path
    is_queue: bool
    reports_states: bool
    is_recorded: bool
    level: int


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
        os.close(over)
        thread.join()
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

    def end(self) -> None:
        """End requests under way."""
        self.handover.context.services.api.end()

    def perform(self, handover: Handover) -> None:
        """Work, once `setup` is over."""
        self.channel.say(Say.READY)
        code = self.worker._code(handover.context)  # noqa: SLF001 - hidden from authors
        work(code, handover, self.order, self.channel)


@contextlib.contextmanager
def joined(connection: socket.socket) -> Iterator[JoinedJob | None]:
    """Join a run as one of its processes; what ends it there is reported to the parent, not raised.

    Yields:
        What to do; None where the parent is gone.
    """
    channel = Channel(connection)
    order = channel.receive()
    if order is None:
        yield None
        return
    logs.hand_over(channel.log, order.level)
    try:
        with Stopping(is_led=True) as stopping, watching_parent(stopping):
            with contextlib.suppress(OSError):  # it is gone, or is not known
                os.chdir(order.folder)
            worker: Any = load_target(order.target)
            with unpacked(order.data, channel, stopping, order.target, order.folder) as handover:
                yield JoinedJob(worker, handover, order, channel)
    except StoppedError as error:
        channel.say(Say.DONE, int(error.exit_code))
    except ArkworkerError as error:
        channel.say_broken(error)


@contextlib.contextmanager
def unpacked(  # noqa: PLR0913, PLR0917 - the parts of a run
    data: bytes,
    channel: Channel,
    stopping: Stopping,
    target: str,
    folder: str,
    settled: Callable[[WorkerContext[Any]], WorkerContext[Any]] = lambda context: context,
) -> Iterator[Handover]:
    """The run as another process has packed it; its worker's module has been imported.

    Args:
        data: The pickled context and settings.
        channel: The way to the process that is told what becomes of elements.
        stopping: Knows of signals.
        target: How the person who started the worker named it.
        folder: Where relative paths in that belong.
        settled: Makes the context one of this machine.
    """
    context, settings = pickle.loads(data)  # noqa: S301 - of the run
    context = settled(context)
    with shared_cache(context) as sessions:
        known = Settings.model_construct(**settings)
        outcome = Outcome(stopping, tally=ToldTally(channel), failures=ToldFailures(channel))
        yield Handover(context, known, sessions, stopping, target, outcome, folder=folder).with_outbox().with_report()


def telling(
    run: Handover, worklist: Worklist, in_hand: InHand, *, reports_states: bool, recorder: ToldRecorder | None
) -> Assignment:
    """What a process works on that tells another one what becomes of it."""
    told: Any = recorder
    bar = ProgressDisplay(run.outcome.tally, None, is_shown=False)
    return Assignment(worklist, reports_states, in_hand, Left(), told, run.outcome, bar)


def tell_figures(channel: Channel, run: Handover, summary: Summary) -> None:
    """What this process measured."""
    highlights = run.collected.highlights if run.collected is not None else None
    channel.say(Say.FIGURES, summary.phases, summary.metrics, highlights)


def work(code: ElementCode, run: Handover, order: Order, channel: Channel) -> None:
    """Put elements through user code until the parent has none left, or something ends this process."""
    clients = Clients(run.context.api)
    with contextlib.closing(clients), contextlib.closing(InHand(order.notes, order.owner)) as in_hand:
        queue = Queue(clients.intake, run.outcome.tally, in_hand) if order.is_queue else None
        worklist: Worklist = SharedWorklist(channel, in_hand, queue)
        recorder = ToldRecorder(channel, run.settings.results or "") if order.is_recorded else None
        given = telling(run, worklist, in_hand, reports_states=order.reports_states, recorder=recorder)

        def tell(summary: Summary) -> None:
            tell_figures(channel, run, summary)
            is_stopped = summary.exit_code > 128
            channel.say(Say.DONE if is_stopped else Say.LEFT, summary.exit_code)

        code = replace(code, finish=None)  # the parent calls it
        part = ElementRun(code, run, clients, given, tell)
        summary = part.perform()
        tell_figures(channel, run, summary)
        channel.say(Say.DONE, part.ended_by)
