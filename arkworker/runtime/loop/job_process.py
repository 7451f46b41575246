"""One process of a run of several: the same loop, on elements that its parent hands out, telling it all that happens.

The parent is `jobs`; between them is one pipe. What goes through it is small: ids, counts, lines of the log, and with
`--results` what was found.
"""

from __future__ import annotations

import contextlib
import enum
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

from arkworker.clock import SystemClock
from arkworker.errors import ArkworkerError, StoppedError
from arkworker.runtime import logs
from arkworker.runtime.cache_sessions import shared_cache
from arkworker.runtime.handover import Handover
from arkworker.runtime.loop.assignment import Assignment
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.failures import Failures
from arkworker.runtime.loop.guard import INTERRUPT
from arkworker.runtime.loop.in_hand import InHand, Left, Stage
from arkworker.runtime.loop.outcome import Summary, Tally
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.runtime.loop.run import ElementRun
from arkworker.runtime.loop.worklist import Job, Queue
from arkworker.runtime.stopping import SIGNALS, Stopping
from arkworker.runtime.target import load_target
from arkworker.settings.platform import Settings
from arkworker.storage.recording.writing import RecordingError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.handover import ElementCode
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.runtime.worker import ElementsWorker
    from arkworker.storage.recording.lines import Entry

logger = logging.getLogger("arkworker.elements")


class Say(enum.Enum):
    """What a process tells its parent; the first two are answered."""

    TAKE = "the next element, please"
    WRITE = "a line for the results file"
    COUNT = "an element has ended, or a claim was lost"
    FAILURE = "an element has failed"
    EXAMPLE = "the traceback of the first failure of a kind"
    LOG = "a line of the log"
    READY = "setup is over"
    BROKEN = "what ended this process before or beside its elements"
    FIGURES = "what this process measured, before its end"
    LEFT = "user code does not come back: this process ends, and not the run"
    DONE = "this process has no more elements"


#: What a process needs of the settings of the run.
SETTINGS = ("element_timeout", "grace", "no_worker_activity", "prefetch", "report", "results", "strict")
#: The parent's answer where elements are claimed: each process does that for itself.
CLAIM = "claim"


@dataclass(frozen=True)
class Order:
    """What a process is started with.

    Attributes:
        number: Of the process, from 1.
        target: The worker, as the person who started it named it.
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
    data: bytes
    notes: Path
    owner: str
    lock: Path
    is_queue: bool
    reports_states: bool
    is_recorded: bool
    level: int


class Channel:
    """The way to the parent; from any thread. Where it is no more, nothing is told and no element comes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()

    def say(self, what: Say, *parts: Any) -> None:
        with self._whole(), contextlib.suppress(OSError):
            self._connection.send((what, *parts))

    def ask(self, what: Say, *parts: Any) -> Any:
        """As `say`, and the parent's answer; None where there is no parent."""
        with self._whole():
            try:
                self._connection.send((what, *parts))
                return self._connection.recv()
            except (OSError, EOFError):
                return None

    def say_broken(self, error: ArkworkerError) -> None:
        """What keeps this process from its work."""
        trace = getattr(error, "trace", None)
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - whatever keeps it from travelling
            plain = ArkworkerError(str(error))
            plain.exit_code = error.exit_code
            error = plain
        self.say(Say.BROKEN, error, trace)

    def log(self, record: logging.LogRecord) -> None:
        self.say(Say.LOG, record)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """No half message: not even user code that logs is interrupted in the middle of one."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (*SIGNALS, INTERRUPT))
        try:
            with self._lock:
                yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


class ToldTally(Tally):
    """Tells the parent, who counts."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def count(self, outcome: str, number: int = 1, *, element_id: str | None = None) -> None:
        super().count(outcome, number, element_id=element_id)
        self._channel.say(Say.COUNT, outcome, number, element_id)


class ToldFailures(Failures):
    """Tells the parent, who groups them."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def note(self, element_id: str, kind: Hashable, text: str) -> bool:
        self._channel.say(Say.FAILURE, element_id, repr(kind), text)  # a class of user code may not travel
        return super().note(element_id, kind, text)

    def illustrate(self, kind: Hashable, trace: str) -> None:
        self._channel.say(Say.EXAMPLE, repr(kind), trace)


class ToldRecorder:
    """Has the parent write the results file, which belongs to one process."""

    def __init__(self, channel: Channel, path: str) -> None:
        self.path = path
        self.found: dict[str, Any] = {}  # the parent knows
        self._channel = channel

    def write(self, entry: Entry) -> None:
        """As `Recorder`.

        Raises:
            ResultError: No line can hold the results.
            RecordingError: The disk refuses it, or the parent is no more.
        """
        answer = self._channel.ask(Say.WRITE, entry)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise RecordingError("the process that writes the results file has ended")


@contextlib.contextmanager
def watching_parent(stopping: Stopping, connection: Connection | None = None) -> Iterator[None]:
    """While the block lasts, the end of the parent stops this process, as a signal does.

    Args:
        stopping: Knows whether it was stopped already.
        connection: To a parent that has said all, where it was not `multiprocessing` that started this process.
    """
    is_over, over = os.pipe()
    starter = multiprocessing.parent_process()
    parent: Any = connection or (over if starter is None else starter.sentinel)

    def watch() -> None:
        if parent in wait([parent, is_over]) and stopping.received is None:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch, name="parent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(over)
        thread.join()
        os.close(is_over)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """While the block lasts, no other process of the run is in such a block; a killed one keeps nobody out."""
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
def joined(order: Order, connection: Connection) -> Iterator[JoinedJob]:
    """Join a run as one of its processes; what ends it there is told to the parent, not raised."""
    channel = Channel(connection)
    logs.hand_over(channel.log, order.level)
    try:
        with Stopping() as stopping, watching_parent(stopping):
            worker: Any = load_target(order.target)
            with unpacked(order.data, stopping, order.target) as handover:
                yield JoinedJob(worker, handover, order, channel)
    except StoppedError as error:
        channel.say(Say.DONE, int(error.exit_code))
    except ArkworkerError as error:
        channel.say_broken(error)


@contextlib.contextmanager
def unpacked(
    data: bytes,
    stopping: Stopping,
    target: str,
    settled: Callable[[WorkerContext[Any]], WorkerContext[Any]] = lambda context: context,
) -> Iterator[Handover]:
    """The run as another process has packed it; its worker's module has been imported.

    Args:
        data: The pickled context and settings.
        stopping: Knows of signals.
        target: How the person who started the worker named it.
        settled: Makes the context one of this machine.
    """
    context, settings = pickle.loads(data)  # noqa: S301 - of the run
    context = settled(context)
    with shared_cache(context) as sessions:
        known = Settings.model_construct(**settings)
        yield Handover(context, known, sessions, stopping, target).with_outbox().with_report()


def work(code: ElementCode, run: Handover, order: Order, channel: Channel) -> None:
    """Put elements through user code until the parent has no more, or something ends this process."""
    clients = Clients(run.context.connection, read_only=run.context.is_read_only)
    tally = ToldTally(channel)
    with contextlib.closing(clients), contextlib.closing(InHand(order.notes, order.owner)) as in_hand:
        queue = Queue(clients.intake, tally, in_hand) if order.is_queue else None
        worklist: Worklist = SharedWorklist(channel, in_hand, queue)
        recorder: Any = ToldRecorder(channel, run.settings.results or "") if order.is_recorded else None
        assignment = Assignment(
            worklist,
            order.reports_states,
            in_hand,
            Left(),
            recorder,
            tally,
            ToldFailures(channel),
            ProgressDisplay(tally, None, SystemClock(), is_shown=False),
        )

        def tell_figures(summary: Summary) -> None:
            share = run.collected.share if run.collected is not None else None
            channel.say(Say.FIGURES, summary.phases, summary.metrics, share)

        def tell(summary: Summary) -> None:
            tell_figures(summary)
            is_stopped = summary.exit_code > 128
            channel.say(Say.DONE if is_stopped else Say.LEFT, summary.exit_code)

        code = replace(code, finish=None)  # the parent calls it
        part = ElementRun(code, run, clients, assignment, tell)
        summary = part.perform()
        tell_figures(summary)
        channel.say(Say.DONE, part.ended_by)
