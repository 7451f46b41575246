"""Watches the clock for a run: the grace time after a signal, and the time limit of an element.

It interrupts user code with a signal that the process sends to itself, which ends a sleep or a wait, too. Code that
does not end even then, deep in a library or catching everything, is left behind: its element ends in error, then the
process.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from arkworker.errors import ExitCode
from arkworker.runtime.clock import SystemClock
from arkworker.runtime.stopping import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.clock import Clock
    from arkworker.runtime.stopping import Stopping

T = TypeVar("T")

# Ignored by default, and hardly anybody's; the runtime of Go interrupts itself with the same.
INTERRUPT = signal.SIGURG
INSISTENCE = 0.5  # seconds between interruptions of user code that does not end
PATIENCE = 0.7  # seconds that interrupted user code has, before it is left behind
FAREWELL = 0.7  # seconds for the last reports after that


@dataclass(slots=True)
class _Deadline:
    """When user code is interrupted, when it is left behind, and the exit code then."""

    interrupt: float
    abandon: float
    exit_code: int


class Guard:
    """Guards the thread that makes and enters it, which should be the main one: others cannot be interrupted.

    Args:
        stopping: Knows the signals.
        grace: Seconds that user code has after the first signal.
        limit: Seconds that one element may take; None for any.
        on_stop: Called at the first signal with its number, in another thread.
        on_abandon: Called with the exit code when the run does not end in time, in another thread; the process ends
            after it.
        clock: Tells the time.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that it does
        self,
        stopping: Stopping,
        *,
        grace: float,
        limit: float | None,
        on_stop: Callable[[int], None],
        on_abandon: Callable[[int], None],
        clock: Clock | None = None,
    ) -> None:
        self._stopping = stopping
        self._grace = grace
        self._limit = limit
        self._on_stop = on_stop
        self._on_abandon = on_abandon
        self._clock = clock or SystemClock()
        self._main = threading.get_ident()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._in_user_code = False
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
        if self._stopping.signal_number is not None:  # it came before anybody was called
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

    def call(self, code: Callable[[], T]) -> T:
        """Call user code.

        Raises:
            Interruption: The grace time is over, or the limit was passed.
        """
        if self._limit is not None:
            now = self._clock.now()
            self._watch_element(_Deadline(now + self._limit, now + self._limit + PATIENCE, ExitCode.FAILED))
        try:
            self._in_user_code = True
            return code()
        except Interruption:
            self._in_user_code = False
            raise
        finally:
            self._in_user_code = False
            if self._limit is not None:
                self._watch_element(None)

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
            number = self._stopping.received or self._stopping.signal_number or signal.SIGTERM
            end = self._clock.now() + self._grace
            self._stop = _Deadline(end, end + PATIENCE, 128 + number)
            self._changed.notify_all()
        self._on_stop(number)

    def _interrupt(self, *_: object) -> None:
        if self._in_user_code:
            raise Interruption

    def _watch(self) -> None:
        with self._changed:
            while not self._is_over:
                self._act(self._clock.now())
                self._changed.wait(self._timeout())

    def _deadlines(self) -> list[_Deadline]:
        return [deadline for deadline in (self._stop, self._element) if deadline is not None]

    def _timeout(self) -> float | None:
        times = [min(deadline.interrupt, deadline.abandon) for deadline in self._deadlines()]
        return max(0.0, min(times) - self._clock.now()) if times else None

    def _act(self, now: float) -> None:
        for deadline in self._deadlines():
            if now >= deadline.abandon:
                self._abandon(deadline.exit_code)
            if now >= deadline.interrupt:
                deadline.interrupt = now + INSISTENCE
                if self._in_user_code and self._is_main:
                    signal.pthread_kill(self._main, INTERRUPT)

    def _abandon(self, exit_code: int) -> None:
        last = threading.Thread(target=self._on_abandon, args=(exit_code,), name="farewell", daemon=True)
        last.start()
        last.join(FAREWELL)
        os._exit(exit_code)
