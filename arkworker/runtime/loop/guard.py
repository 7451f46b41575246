"""Watches the clock for a run: the grace time after a signal, and the time limit of an element.

It interrupts user code with a signal that the process sends to itself, which ends a sleep or a wait, too. Code that
does not end even then, deep in a library or catching everything, is left behind: its element ends in error, then the
process.
"""

from __future__ import annotations

import functools
import logging
import signal
import threading
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TypeVar

from arkworker.errors import ExitCode
from arkworker.runtime import logs
from arkworker.runtime.stopping import STEP, Interruption, call_in_loop, end_at_once, try_to_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker.elements")

T = TypeVar("T")

# Ignored by default, and hardly anybody's; the runtime of Go interrupts itself with the same.
INTERRUPT = signal.SIGURG
INSISTENCE = 0.5  # seconds between interruptions of user code that does not end
PATIENCE = 0.6  # seconds that interrupted user code has, before it is left behind
TOLERANCE = 3.0  # the same, past the limit of an element: there is no hurry
GLANCE = 0.02  # seconds between looks at the signals
FAREWELL = 0.9  # seconds for the last reports after that, when a signal stops the run


@dataclass(slots=True)
class _Deadline:
    """When user code is interrupted, when it is left behind, the exit code then, and the time for the last reports."""

    interrupt: float
    abandon: float
    exit_code: int
    farewell: float


class Guard:
    """Guards the thread that makes and enters it, which should be the main one: others cannot be interrupted.

    Args:
        stopping: Knows the signals.
        grace: Seconds that user code has after the first signal.
        limit: Seconds that one element may take; None for any.
        on_stop: Called at the first signal with its number, in another thread.
        on_abandon: Called with the exit code and the seconds that are left when the run does not end in time, in
            another thread; the process ends after it.
    """

    def __init__(
        self,
        stopping: Stopping,
        *,
        grace: float,
        limit: float | None,
        on_stop: Callable[[int], None],
        on_abandon: Callable[[int, float], None],
    ) -> None:
        self._stopping = stopping
        self._grace = grace
        self._limit = limit
        self._on_stop = on_stop
        self._on_abandon = on_abandon
        self._main = threading.get_ident()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._in_user_code = False
        self._has_interrupted = False
        self._interrupted_at = 0.0
        self._calls = 0
        self._asked: int | None = None  # the call whose loop has been asked to interrupt it
        self._next_look = 0.0
        self._stop: _Deadline | None = None
        self._element: _Deadline | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._before: Any = None
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        self._calling = stopping.calling(self._begin_stop)

    def __enter__(self) -> Self:
        if self._is_main:
            self._before = signal.signal(INTERRUPT, self._interrupt)
        self._thread.start()
        self._calling.__enter__()
        if self._stopping.known is not None:  # it came before anybody was called
            self._begin_stop()
        return self

    def __exit__(self, *_: object) -> None:
        self._calling.__exit__(None, None, None)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()
        if self._is_main:
            signal.signal(INTERRUPT, self._before)

    def call(self, code: Callable[[], T], *, elements: int = 1) -> T:
        """Call user code.

        Args:
            code: It.
            elements: How many it works on, each of which may take the limit; with 0 there is none.

        Raises:
            Interruption: The grace time is over, or the limit was passed.
        """
        is_limited = self._limit is not None and elements > 0
        if self._limit is not None and is_limited:
            end = monotonic() + self._limit * elements
            self._watch_element(_Deadline(end, end + TOLERANCE, ExitCode.FAILED, max(FAREWELL, self._grace)))
        self._has_interrupted, self._asked = False, None
        self._calls += 1
        try:
            return self._call(code)
        except BaseException as error:
            self._stopping.leave_child(error)
            if self._has_interrupted and not isinstance(error, Interruption):
                raise Interruption from error  # what user code made of it
            raise
        finally:
            if is_limited:
                self._watch_element(None)

    def _call(self, code: Callable[[], T]) -> T:
        try:
            self._in_user_code = True
            result = code()
        finally:
            self._in_user_code = False
            logs.keep_streams()
        self._stopping.leave_child(None)
        if self._has_interrupted:
            raise Interruption  # user code swallowed it: its work was cut all the same
        return result

    def look(self) -> None:
        """Between elements: take back what user code took of the signals, not more often than it could matter.

        A signal that the main thread has handled stops the run at once, also where the thread that is to tell it has
        not had its turn.
        """
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + GLANCE
            self._stopping.look()
        if self._stopping.signal_number is not None:
            self._begin_stop()

    @property
    def has_stopped(self) -> bool:
        """Whether a signal came."""
        return self._stop is not None

    @property
    def exit_code(self) -> int | None:
        """That of a run that a signal stopped; None where none came."""
        return None if self._stop is None else self._stop.exit_code

    def _watch_element(self, deadline: _Deadline | None) -> None:
        with self._changed:
            self._element = deadline
            self._changed.notify_all()

    def _begin_stop(self) -> None:
        with self._changed:
            if self._stop is not None:
                return
            number = self._stopping.known or signal.SIGTERM
            end = monotonic() + self._grace
            self._stop = _Deadline(end, end + PATIENCE, 128 + number, FAREWELL)
            self._changed.notify_all()
            self._on_stop(number)  # with the lock: who looks meanwhile goes on when all is stopped

    def _interrupt(self, *_: object) -> None:
        """The handler of our own signal. A loop in user code is asked first; at the next signal it has had its time."""
        if not self._in_user_code:
            return
        if self._asked is None:
            self._asked = self._calls
            if call_in_loop(functools.partial(self._raise, self._calls)):
                return
        self._raise(self._calls)

    def _raise(self, call: int) -> None:
        """In user code: interrupt it, unless that was another call of it."""
        if self._in_user_code and call == self._calls:
            self._asked, self._has_interrupted = None, True
            self._interrupted_at = monotonic()
            raise Interruption

    def _watch(self) -> None:
        with self._changed:
            while not self._is_over:
                self._act(monotonic())
                self._changed.wait(self._timeout())

    def _deadlines(self) -> list[_Deadline]:
        return [deadline for deadline in (self._stop, self._element) if deadline is not None]

    def _timeout(self) -> float | None:
        times = [min(deadline.interrupt, deadline.abandon) for deadline in self._deadlines()]
        return max(0.0, min(times) - monotonic()) if times else None

    def _act(self, now: float) -> None:
        for deadline in self._deadlines():
            if now >= deadline.abandon:
                self._abandon(deadline)
            if now < deadline.interrupt:
                continue
            if self._has_interrupted and now < self._interrupted_at + INSISTENCE:
                deadline.interrupt = self._interrupted_at + INSISTENCE
                continue
            deadline.interrupt = now + STEP
            if self._in_user_code and self._is_main:
                signal.pthread_kill(self._main, INTERRUPT)

    def _abandon(self, deadline: _Deadline) -> None:
        arguments = deadline.exit_code, deadline.farewell
        last = threading.Thread(target=self._on_abandon, args=arguments, name="farewell", daemon=True)
        try:
            if try_to_start(last):
                last.join(deadline.farewell)
            else:
                self._on_abandon(*arguments)
        finally:
            end_at_once(deadline.exit_code)
