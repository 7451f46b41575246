"""A share of a run, wherever an engine places it: ids travel there, and what became of them comes back.

```
 the caller (shares) ──► the engine ──► carry_out, in a process of the engine's
                                            │  ▲
                                     share  │  │  counts, failures, lines of the log, what was found
                                            ▼  │
                                        a process of arkworker: `jobs`, with one process below it
```

The process of the engine's is only a go-between: it may run several tasks in threads, may not have children of its own
(as those of Dask), and must outlive user code that dies. When it is killed itself, the processes below end in good
order, as after a signal.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import spawn
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.runtime.loop import attempts
from arkworker.runtime.loop.attempts import KeptChannel
from arkworker.runtime.loop.channel import Channel, Inbox, Say, ToldRecorder, send
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.in_hand import InHand, new_path
from arkworker.runtime.loop.job_process import answering, shielded, tell_figures, telling, unpacked
from arkworker.runtime.loop.worklist import Listing, Queue, Resumed
from arkworker.runtime.named_files import current_folder
from arkworker.runtime.target import load_target
from arkworker.storage.recording.lines import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.job_process import Terms
    from arkworker.runtime.loop.worklist import Job, Worklist
    from arkworker.storage.recording.lines import Entry

GLANCE = 0.5  # seconds between looks whether the run is to stop
DASK_TRIMS = ("MALLOC_TRIM_THRESHOLD_", "65536")
START = "from arkworker.runtime.lifecycle import run_share; run_share({})"


STOP = "stop"  # the mark that the run is to stop


class Marks(Protocol):
    """What a run and its jobs mark for each other, wherever they are: that it is to stop, and which shares are begun.

    Both methods raise whatever the engine does.
    """

    def set(self, name: str) -> None:
        """Make a mark."""

    def is_set(self, name: str) -> bool:
        """Whether it was made, by whomever."""


def is_marked(marks: Marks, name: str, *, otherwise: bool = False) -> bool:
    """Whether a mark was made; `otherwise` where the engine does not say."""
    try:
        return marks.is_set(name)
    except Exception:  # noqa: BLE001 - whatever an engine raises; its scheduler is gone, for one
        return otherwise


@dataclass(frozen=True)
class Share:
    """What an engine is given; all of it travels.

    Attributes:
        number: Of its job, from 1.
        terms: What its processes are told of the run.
        main: How to import the script that the worker is in, where that was started itself.
        jobs: Elements of a list; or of a queue, what is ours already, before more are claimed.
        marks: Asked whether the run is to stop; told that the share is begun.
        attempts: The folder for what attempts at it tell; used where it exists.
        patience: Seconds that an attempt may take to end, once its job has been killed.
        attempt: The file of this attempt; an empty text where there is none.
    """

    number: int
    terms: Terms
    main: dict[str, str]
    jobs: tuple[Job, ...] = field(repr=False)
    marks: Marks
    attempts: str
    patience: float
    attempt: str = ""


@dataclass(frozen=True)
class Carried:
    """What comes back from an engine.

    Attributes:
        messages: All that the process below has said, pickled.
        code: Its exit code.
        attempt: The file that has the same; an empty text where there is none.
        is_again: Whether the share had been begun before.
    """

    messages: list[bytes] = field(default_factory=lambda: [pickle.dumps((Say.DONE, None))])
    code: int = 0
    attempt: str = ""
    is_again: bool = False


def carry_out(share: Share, start: str = START) -> Carried:
    """What an engine runs, in any thread of any process; perhaps again, where it has lost the process of an attempt.

    Args:
        share: What is to be done.
        start: The code of the process that does it, with a place for the number of its pipe.
    """
    if is_marked(share.marks, STOP):  # it waited for its turn meanwhile
        return Carried()
    is_again = is_marked(share.marks, str(share.number))
    with contextlib.suppress(Exception):  # of an engine; or machines do not share the folder
        share.marks.set(str(share.number))
    jobs = _open_jobs(share)
    if share.jobs and not jobs and not share.terms.is_queue:
        return Carried(is_again=True)
    share = replace(share, jobs=jobs, attempt=attempts.begin(share.attempts, share.number))
    return replace(_carry_out(share, start), attempt=share.attempt, is_again=is_again)


def _open_jobs(share: Share) -> tuple[Job, ...]:
    """What attempts before this one have not ended, once they are over."""
    earlier = attempts.attempts_at(share.attempts, share.number)
    end = monotonic() + share.patience
    while not all(map(attempts.is_over, earlier)) and monotonic() < end and not is_marked(share.marks, STOP):
        time.sleep(GLANCE)
    ended = set[str]().union(*map(attempts.ended, earlier))
    return tuple(job for job in share.jobs if job.id not in ended)


def _carry_out(share: Share, start: str) -> Carried:
    ours, theirs = socket.socketpair()
    known = share.terms.folder
    folder = known if known and Path(known).is_dir() else current_folder()
    share = replace(share, terms=replace(share.terms, folder=folder))
    with ours:
        with theirs, shielded():
            descriptor = theirs.fileno()
            command = [sys.executable, "-c", start.replace("{}", str(descriptor))]
            process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.DEVNULL, pass_fds=[descriptor], cwd=folder or None, env=_environment()
            )
        try:
            with contextlib.suppress(OSError):  # it was killed meanwhile
                send(ours, share)
            with _handing_on(process):
                heard = _listen(Inbox(ours), process, share.marks)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        return Carried(heard, process.wait())


def _environment() -> dict[str, str]:
    """What the process of the engine has, without what Dask sets for the memory of its own processes.

    Under that setting of glibc's, each array of a few hundred kilobytes is mapped and unmapped again: numpy takes three
    times as long.
    """
    return {name: value for name, value in os.environ.items() if (name, value) != DASK_TRIMS}


@contextlib.contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A signal that would end a process of the engine is passed to what is below it, so that outcomes are reported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    defaults: dict[int, Any] = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    taken = [number for number, handler in defaults.items() if signal.getsignal(number) == handler]
    for number in taken:
        signal.signal(number, lambda *_: process.terminate())
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, defaults[number])


def _listen(inbox: Inbox, process: subprocess.Popen[bytes], marks: Marks) -> list[bytes]:
    """All that a process sends until it has ended; it is told to stop as soon as the run is."""
    heard: list[bytes] = []
    next_look, is_told = 0.0, False
    while inbox.is_open:
        is_over = process.poll() is not None
        if wait([inbox.connection], 0 if is_over else GLANCE):
            heard += inbox.read()
        elif is_over:  # others hold open what its end would close
            break
        if not is_told and monotonic() >= next_look:  # also where it has much to say
            next_look = monotonic() + GLANCE
            if is_told := is_marked(marks, STOP):
                process.terminate()
    return heard


class _SentRecorder(ToldRecorder):
    """Sends what was found, to be written when all of it has come."""

    def write(self, entry: Entry) -> None:
        dump(entry)  # what no line can hold is refused here
        self._channel.say(Say.WRITE, entry)


def work_on(descriptor: int, start: Callable[[socket.socket], None]) -> None:
    """Put the share that comes through a pipe through processes of this machine.

    Args:
        descriptor: The pipe to the process that gave the share, which is told all that happens, failures included.
        start: What a process below does.
    """
    connection = socket.socket(fileno=descriptor)
    share = Channel(connection).receive()
    if share is None:
        return
    channel = KeptChannel(connection, share.attempt)
    with (
        answering(channel, share.terms, connection) as stopping,
        tempfile.TemporaryDirectory(prefix="arkworker-") as folder,
    ):
        spawn.prepare(share.main)  # what was pickled in a script is found in it again
        load_target(share.terms.target)  # it has the classes that the context is made of
        with unpacked(share.terms, channel, stopping, partial(_settled, folder=folder)) as run:
            _work(share, run, channel, start)


def _work(share: Share, run: Handover, channel: Channel, start: Callable[[socket.socket], None]) -> None:
    """Tell how it went."""
    from arkworker.runtime.loop.jobs import Jobs

    notes = new_path(run.context.work_dir) if share.terms.reports_states else None
    with (
        tempfile.TemporaryDirectory(prefix="arkworker-share-") as folder,
        contextlib.closing(Clients(run.context.api)) as clients,
        contextlib.closing(InHand(notes, share.terms.owner)) as in_hand,
    ):
        source: Worklist = Queue(clients.intake, run.outcome.tally, in_hand) if share.terms.is_queue else Listing(())
        worklist = Resumed(share.jobs, {job.id for job in share.jobs}, source)
        assignment = telling(run, share.terms, worklist, in_hand, partial(_SentRecorder, channel))
        jobs = Jobs(run, clients, assignment, start, Path(folder))
        tell_figures(channel, run, jobs.perform(None))
        channel.say(Say.DONE, jobs.accounts.ended_by)


def main_of(target: str) -> dict[str, str]:
    """How another process is to import the script that the worker is in; empty where it is a module of its own."""
    if not target.startswith("__main__:"):
        return {}
    known = spawn.get_preparation_data("")
    return {name: str(value) for name, value in known.items() if name.startswith("init_main_from_")}


def _settled(context: WorkerContext[Any], folder: str) -> WorkerContext[Any]:
    """The context, with a working directory that exists on this machine."""
    try:
        context.work_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        return replace(context, work_dir=Path(folder))
    return context
