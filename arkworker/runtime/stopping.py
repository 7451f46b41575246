"""Stopping in two steps: the first signal asks for an orderly end, the second ends the process.

The handler sets a flag; what it interrupts is user code only, never our own commits, renames or reports. A thread
watches beside it: Python runs handlers in the main thread alone, which may sit in a long computation or a request.
The thread hears of a signal in two ways, by the wake-up descriptor as soon as it comes, and by what the handler notes:
loops of asyncio, uvloop and trio take the descriptor for themselves, and put handlers back to what ends the process.
"""

from __future__ import annotations

import functools
import logging
import os
import select
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self

from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger("arkworker")

#: The two that people and supervisors send; they are taken back even where user code has handlers of its own.
SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"}  # of the code itself
#: They end nothing; Ctrl-T of macOS is one of them.
_HARMLESS = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGINFO"}
_UNCATCHABLE = {"SIGKILL", "SIGSTOP"}
#: What a process sends to itself, as profilers and time limits do, with a handler of its own, which may have been put
#: back by the time that the thread looks: these are no requests to stop but where our handler gets them.
_TIMERS = {getattr(signal, name, 0) for name in ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO")}
#: Sent by the watching thread to the main thread: ends a wait, and has the handlers looked after.
_NUDGE = getattr(signal, "SIGRTMAX", signal.SIGWINCH)
_BY_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
#: Without what makes an enumeration of each answer: some forty handlers are looked at, a hundred times a second.
_handler_of: Callable[[int], Any] = getattr(signal.getsignal, "__wrapped__", signal.getsignal)

STEP = 0.1  # seconds that a loop of asyncio has to come to the end of a step, before that is interrupted
_GLANCE = 10  # milliseconds between looks of the thread at the handlers
_FIRST_GLANCE = 100  # the same before user code, which may take them, has begun
_SAME_KEY = 0.05  # seconds in which signals are one: what is sent to a group comes to a process once or twice
_SAME_JOB = 2.0  # seconds in which a process that the same terminal signalled may pass the signal on
_OF_A_TERMINAL = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
_HANDED_ON = {signal.SIGTERM, signal.SIGHUP}


def endings() -> tuple[int, ...]:
    """Every signal that would end the process, can be caught and says nothing of the code."""
    left_out = {getattr(signal, name, 0) for name in _FAULTS | _HARMLESS | _UNCATCHABLE} | {_NUDGE}
    return tuple(sorted({*SIGNALS} | (signal.valid_signals() - left_out)))


class Interruption(KeyboardInterrupt):
    """Raised in user code by a signal; no `except Exception` there catches it.

    Loops of asyncio let this kind of exception through; others they log, or keep as the result of a task, and go on.
    """


def call_in_loop(callback: Callable[[], None]) -> bool:
    """Let the asyncio loop of this thread call a function between two steps; answers whether one is running.

    What a handler raises in the middle of a step can lose a task, which the loop then waits for without end.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop().call_soon_threadsafe(callback)
    except RuntimeError:  # none is running, or it has just been closed
        return False
    return True


#: Called before this process ends at once, whatever it is doing; may neither wait nor raise.
last_acts: list[Callable[[], None]] = []


def end_at_once(exit_code: int) -> NoReturn:
    """End this process, from any thread, and leave no more than the last acts behind."""
    for act in tuple(last_acts):
        act()
    os._exit(exit_code)


def try_to_start(thread: threading.Thread) -> bool:
    """Start a thread; False where the system gives no more of them, as user code may have taken all that there are."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


class Stopping:
    """Watches for signals while it is entered; handlers are put back after it, and in child processes.

    Outside the main thread, where Python sets no handlers, it watches nothing. A signal that is ignored when it is
    entered, as SIGHUP under nohup, and one that has a handler already stay as they are, but for SIGTERM and SIGINT.

    Args:
        is_led: Whether another process of the run hands signals on, and ends the run at a second one: what comes from
            there and to the whole group is not a request to end at once.

    Attributes:
        signal_number: The signal that came; None while there was none.
        received: The same, known before the main thread could handle it.
    """

    def __init__(self, *, is_led: bool = False) -> None:
        self._is_led = is_led
        self.signal_number: int | None = None
        self.received: int | None = None
        self._is_interruptible = False
        self._has_begun = False  # user code
        self._has_interrupted = False
        self._deadline: float | None = None  # by which a loop of user code should have interrupted it
        self._callbacks: list[Callable[[], None]] = []
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._writer = -1
        self._pipe = 0
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._told: list[int] = []  # by the wake-up descriptor; each signal is in one of the two, or in both
        self._handled: list[int] = []
        self._heard = 0
        self._first_at = 0.0
        self._acting: threading.Thread | None = None
        self._main = threading.main_thread().ident or 0
        self._process = os.getpid()
        self._insists = False  # whether signals of user code are heard, too: a run over elements has begun
        self._borrowed: dict[int, Any] = {}  # handlers of user code that are called after ours

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            reader, self._writer = os.pipe()
            self._pipe = os.fstat(reader).st_ino
            os.set_blocking(self._writer, False)
            self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            taken = [n for n in endings() if n in SIGNALS or signal.getsignal(n) in _BY_DEFAULT]
            self._before = {_NUDGE: _set(_NUDGE, self._tend)}
            self._before |= {number: _set(number, self._handle) for number in taken}
            self._thread = threading.Thread(target=self._watch, args=(reader,), name="arkworker-signals", daemon=True)
            self._thread.start()
            _active.append(self)
            signal.signal = _set_but_for_defaults  # type: ignore[assignment] # the same signature, without overloads
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._is_over = True
            signal.set_wakeup_fd(self._wakeup_before)  # before nobody reads what is written there
            if self._is_pipe(self._writer):
                with suppress(BrokenPipeError):  # the thread was faster
                    os.write(self._writer, b"\0")
            self._thread.join()
            self.release()
            if self._is_pipe(self._writer):
                os.close(self._writer)
            if self.signal_number is not None and self.received is None:
                self._hear(self.signal_number)  # the main thread was faster
            if self._acting is not None:
                self._acting.join()

    @contextmanager
    def interruptible(self, *, although_stopped: bool = False) -> Iterator[None]:
        """Where the first signal interrupts at once.

        Args:
            although_stopped: Whether the block is run after a signal, too: cleaning up.

        Raises:
            StoppedError: A signal came, before or meanwhile; whatever user code made of the interruption.
        """
        self._has_interrupted, self._deadline = False, None
        self._has_begun = True
        try:
            self._is_interruptible = True
            if not although_stopped:
                self.check()  # a signal from now on interrupts; one that came before does it here
            yield
            self.leave_child(None)
        except BaseException as error:
            self.leave_child(error)
            if self._has_interrupted:
                raise StoppedError(self.signal_number or 0) from (None if isinstance(error, Interruption) else error)
            raise
        finally:
            self._is_interruptible, self._deadline = False, None
        if self._has_interrupted and not although_stopped:
            self.check()  # user code swallowed the interruption: its work was cut all the same

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, the first signal calls a function, from a thread: to end waits and requests."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    def call_at_stop(self, callback: Callable[[], None]) -> None:
        """Call a function, from a thread, at a first signal that comes from now on until the end of the process."""
        self._callbacks.append(callback)

    @property
    def known(self) -> int | None:
        """The signal that came, as soon as it is known in any thread."""
        return self.received or self.signal_number

    def check(self) -> None:
        """A safe point.

        Raises:
            StoppedError: A signal came.
        """
        if self.signal_number is not None:
            raise StoppedError(self.signal_number) from None

    def leave_child(self, error: BaseException | None) -> None:
        """End a child that user code forked and that returned to arkworker's code: the run belongs to its parent."""
        if os.getpid() != self._process:
            if isinstance(error, Exception):
                logger.error("a process that user code forked failed", exc_info=error)
            code = error.code if isinstance(error, SystemExit) else int(error is not None)
            os._exit(code if isinstance(code, int) else int(code is not None))

    def look(self) -> bool:
        """Between two pieces of user code: take back what user code took. Answers whether the run is to stop.

        From the first call on, a signal that user code has a handler for stops the run, too, beside what the handler
        does: elements must not stay started because a library wanted to know of SIGTERM.
        """
        self._insists = True
        if self._thread is not None and threading.get_ident() == self._main:
            for number in SIGNALS:
                self._borrowed.pop(number, None)
                if _handler_of(number) != self._handle:
                    _set(number, self._handle)
            self._tend()
            if self._is_pipe(self._writer):
                taken = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
                if taken not in (-1, self._writer):
                    signal.set_wakeup_fd(taken)  # of a loop that goes on: the handlers tell the thread, too
        return self.known is not None

    def release(self) -> None:
        """Put the handlers back."""
        if self in _active:
            _active.remove(self)
        if not _active and signal.signal is _set_but_for_defaults:
            signal.signal = _set
        for number, handler in self._before.items():
            if number not in _TIMERS or _handler_of(number) == self._handle:  # one may be going on
                _set(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)

    def is_kept(self, number: int, handler: Any) -> bool:
        """Whether our handler of a signal stays although somebody sets this one: a default, which ends the process."""
        if number not in self._before or number == _NUDGE or handler not in _BY_DEFAULT:
            return False
        self._borrowed.pop(number, None)
        return True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._handled.append(number)
        is_first = self.signal_number is None
        if is_first:
            self.signal_number = number
        if number in self._borrowed:
            self._borrowed[number](number, frame)
        if is_first:
            self._begin(number)

    def _begin(self, number: int) -> None:
        """The first signal, in the main thread."""
        self.signal_number = number
        if not self._is_interruptible:
            return
        self._deadline = time.monotonic() + STEP
        if not call_in_loop(functools.partial(self._interrupt, self._deadline)):
            self._interrupt(self._deadline)

    def _interrupt(self, deadline: float) -> None:
        """In the main thread: interrupt user code, unless that was done, or another block has begun."""
        if self._deadline == deadline:
            self._deadline, self._has_interrupted = None, True
            raise Interruption

    def _tend(self, *_: object) -> None:
        """In the main thread: take back what user code took, or what its library put back to the default."""
        for number in filter(self._is_lost, self._before):
            found = _set(number, self._handle)
            if found in _BY_DEFAULT:
                self._borrowed.pop(number, None)
            else:
                self._borrowed[number] = found
        if self.received is not None and self.signal_number is None:  # it came to a handler of user code alone
            self._begin(self.received)
        if (deadline := self._deadline) is not None and time.monotonic() >= deadline:
            self._interrupt(deadline)

    def _is_pipe(self, descriptor: int) -> bool:
        """Whether our pipe is still there: user code may close every file, and open others under the same numbers."""
        try:
            return os.fstat(descriptor).st_ino == self._pipe
        except OSError:
            return False

    def _is_lost(self, number: int) -> bool:
        """Whether a signal is no longer heard, and should be: handlers of user code are its business in a plain run."""
        found = _handler_of(number)
        if number == _NUDGE or found == self._handle:
            return False
        return found in _BY_DEFAULT or (self._insists and number in SIGNALS and callable(found))

    def _watch(self, reader: int) -> None:
        """In a thread: one byte a signal, written before the handler runs; and a look at the handlers."""
        signals = select.poll()
        signals.register(reader, select.POLLIN)
        while not self._is_over:
            content = b""
            if signals.poll(_GLANCE if self._has_begun else _FIRST_GLANCE):
                if self._is_pipe(reader):
                    content = os.read(reader, 64)
                if not content:  # user code closed the pipe
                    signals.unregister(reader)
            # Where user code has put a handler of its own, the signal is its business.
            self._told += [n for n in content if n in self._before and self._is_ours(n)]
            for number in max(self._told, self._handled, key=len)[self._heard :]:
                self._heard += 1
                self._hear(number)
            is_pending = self._told and self.signal_number is None and self._is_interruptible
            is_late = (deadline := self._deadline) is not None and time.monotonic() >= deadline
            if not content and (is_pending or is_late or any(map(self._is_lost, self._before))):
                # It ends a wait that began just after a signal had come, too: handlers run between two instructions.
                signal.pthread_kill(self._main, _NUDGE)
        if self._is_pipe(reader):
            os.close(reader)

    def _is_ours(self, number: int) -> bool:
        return number not in {_NUDGE, *_TIMERS} and (self._insists or _handler_of(number) == self._handle)

    def _hear(self, number: int) -> None:
        now = time.monotonic()
        if self.received is None:
            self.received, self._first_at = number, now
            acting = threading.Thread(target=self._call_back, name="arkworker-stop", daemon=True)
            if try_to_start(acting):
                self._acting = acting
            else:
                self._call_back()
        elif not self._is_led and not self._is_one_with(self.received, number, now - self._first_at):
            end_at_once(128 + number)

    @staticmethod
    def _is_one_with(first: int, number: int, seconds: float) -> bool:
        """Whether a signal is not a second request: the same key of a terminal, or a limit that repeats each second."""
        is_told_again = number == first == getattr(signal, "SIGXCPU", -1)
        is_handed_on = first in _OF_A_TERMINAL and number in _HANDED_ON and seconds < _SAME_JOB
        return is_told_again or is_handed_on or seconds < _SAME_KEY

    def _call_back(self) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback()
            except Exception:  # the others must hear of the signal all the same
                logger.exception("what a signal should end did not end as it should")


_active: list[Stopping] = []
_set = signal.signal


def _set_but_for_defaults(number: int, handler: Any) -> Any:
    """`signal.signal` while signals are watched; asyncio, for one, puts handlers back to what would end the process.

    The thread notices that, too, but a signal may come before it looks.
    """
    return _set(number, _active[-1]._handle if _active and _active[-1].is_kept(number, handler) else handler)  # noqa: SLF001 - of this module


def _release_in_child() -> None:
    # A child of user code, such as a pool's process, is to be stopped by signals as any other.
    for stopping in tuple(_active):
        stopping.release()


os.register_at_fork(after_in_child=_release_in_child)
