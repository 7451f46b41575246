"""What the processes of a run say to each other: one set of messages, however they are started.

```
 a process that works                                      the one that shares out
   ToldTally, ToldFailures, ToldRecorder ──► Channel ════════► Inbox ──► accounts
                                                     ◄════════ the order; answers to TAKE and WRITE
```

Messages are small: ids, counts, lines of the log, and with `--results` what was found.
"""

from __future__ import annotations

import contextlib
import enum
import os
import pickle
import signal
import struct
import threading
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError
from arkworker.runtime.failures import Failures
from arkworker.runtime.loop.guard import INTERRUPT
from arkworker.runtime.loop.outcome import Tally
from arkworker.runtime.stopping import SIGNALS
from arkworker.storage.recording.writing import RecordingError

if TYPE_CHECKING:
    import logging
    import socket
    from collections.abc import Hashable, Iterator, Sequence

    from arkworker.storage.recording.lines import Entry

_LENGTH = struct.Struct("!Q")  # before each message
_MOST = 1 << 16  # bytes that are read at once


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


def framed(message: Any) -> bytes:
    """A message as it is sent, with its length before it."""
    content = pickle.dumps(message)
    return _LENGTH.pack(len(content)) + content


def take_whole(begun: bytearray) -> list[bytes]:
    """Take the messages that are whole, pickled, out of what has come so far."""
    found = []
    while len(begun) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(begun)[0]
        if len(begun) < end:
            break
        found.append(bytes(begun[_LENGTH.size : end]))
        del begun[:end]
    return found


def send(connection: socket.socket, message: Any) -> None:
    """Send all of a message.

    Raises:
        OSError: The other end is gone.
    """
    connection.sendall(framed(message))


class Inbox:
    """Messages of a process that may die in the middle of one, while others hold its end of the socket open.

    Only what has come is read, so that half a message does not block the reader.

    Args:
        connection: The socket.

    Attributes:
        connection: The socket, to be waited for.
        is_open: Whether more may come.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(None)  # user code may have set one for all sockets, when it was imported
        self.connection = connection
        self.is_open = True
        self._begun = bytearray()

    def read(self) -> Sequence[bytes]:
        """The messages that are whole now, pickled; waits where nothing at all has come."""
        try:
            content = self.connection.recv(_MOST)
        except OSError:
            content = b""
        self.is_open = bool(content)
        self._begun += content
        return take_whole(self._begun)


class Channel:
    """The way to the parent; from any thread. When it is gone, nothing is sent and no element arrives.

    The same holds in a process that user code has forked: it would get between what this process says, and its lock may
    never be free there.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = Inbox(connection)
        self._lock = threading.RLock()
        self._process = os.getpid()

    def receive(self) -> Any:
        """What the parent says next; None where there is no parent."""
        while self._answers.is_open:
            for content in self._answers.read():  # one at most: it says the next when it is asked
                return pickle.loads(content)  # noqa: S301 - of the parent
        return None

    def say(self, what: Say, *parts: Any) -> None:
        """Tell the parent."""
        if os.getpid() != self._process:
            return
        with self._whole(), contextlib.suppress(OSError):
            self._send(framed((what, *parts)))

    def _send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def ask(self, what: Say, *parts: Any) -> Any:
        """As `say`, and the parent's answer; None where there is no parent."""
        if os.getpid() != self._process:
            return None
        with self._whole():
            try:
                send(self._connection, (what, *parts))
            except OSError:
                return None
            return self.receive()

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
        """Have the parent write a line of the log."""
        self.say(Say.LOG, record)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """No half message: not even user code that logs is interrupted in the middle of one."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            # Inside: a handler that is due raises here, where signals are blocked already.
            signal.pthread_sigmask(signal.SIG_BLOCK, (*SIGNALS, INTERRUPT))
            with self._lock:
                yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ToldTally(Tally):
    """Tells the parent, who counts."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def count(self, outcome: str, number: int = 1, *, element_id: str | None = None) -> None:
        """As `Tally`."""
        super().count(outcome, number, element_id=element_id)
        self._channel.say(Say.COUNT, outcome, number, element_id)


class ToldFailures(Failures):
    """Tells the parent, who groups them."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def note(self, element_id: str, kind: Hashable, text: str) -> bool:
        """As `Failures`."""
        self._channel.say(Say.FAILURE, element_id, repr(kind), text)  # a class of user code may not travel
        return super().note(element_id, kind, text)

    def illustrate(self, kind: Hashable, trace: str) -> None:
        """As `Failures`."""
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
            RecordingError: The disk refuses it, or the parent is gone.
        """
        answer = self._channel.ask(Say.WRITE, entry)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise RecordingError("the process that writes the results file has ended")
