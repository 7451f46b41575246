"""Stopping in two steps: the first signal asks for an orderly end, the second ends the process.

The handler sets a flag; what it interrupts is user code only, never our own commits, renames or reports. A thread
watches beside it: Python runs handlers in the main thread alone, which may sit in a long computation or a request.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_END = b"\0"  # no signal has this number


class Interruption(BaseException):
    """Raised in user code by a signal; no `except Exception` there catches it."""


class Stopping:
    """Watches for signals while it is entered; handlers are put back after it, and in child processes.

    Outside the main thread, where Python sets no handlers, it watches nothing.

    Attributes:
        signal_number: The signal that came; None while there was none.
        received: The same, known before the main thread could handle it.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.received: int | None = None
        self._is_interruptible = False
        self._has_interrupted = False
        self._callbacks: list[Callable[[], None]] = []
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._writer = -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            reader, self._writer = os.pipe()
            os.set_blocking(self._writer, False)
            self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._watch, args=(reader,), name="arkworker-signals", daemon=True)
            self._thread.start()
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
            _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self.release()
            os.write(self._writer, _END)  # not the end of the pipe: a child may hold it open
            os.close(self._writer)
            self._thread.join()
            if self.signal_number is not None and self.received is None:
                self._act(self.signal_number, 1)  # the main thread was faster

    @contextmanager
    def interruptible(self, *, although_stopped: bool = False) -> Iterator[None]:
        """Where the first signal interrupts at once.

        Args:
            although_stopped: Whether the block is run after a signal, too: cleaning up.

        Raises:
            StoppedError: A signal came, before or meanwhile; whatever user code made of the interruption.
        """
        self._has_interrupted = False
        try:
            self._is_interruptible = True
            if not although_stopped:
                self.check()  # a signal from now on interrupts; one that came before does it here
            yield
        except BaseException as error:
            if self._has_interrupted:
                raise StoppedError(self.signal_number or 0) from (None if isinstance(error, Interruption) else error)
            raise
        finally:
            self._is_interruptible = False
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

    def check(self) -> None:
        """A safe point.

        Raises:
            StoppedError: A signal came.
        """
        if self.signal_number is not None:
            raise StoppedError(self.signal_number) from None

    def release(self) -> None:
        """Put the handlers back."""
        if self in _active:
            _active.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number is not None:
            os._exit(128 + number)
        self.signal_number = number
        if self._is_interruptible:
            self._has_interrupted = True
            raise Interruption

    def _watch(self, reader: int) -> None:
        # One byte a signal, written before the handler runs.
        count = 0
        with open(reader, "rb", buffering=0) as signals:
            while (content := signals.read(1)) != _END:
                number = content[0]
                # Where user code has put a handler of its own, the signal is its business.
                if number in SIGNALS and signal.getsignal(number) == self._handle:
                    count += 1
                    self._act(number, count)

    def _act(self, number: int, count: int) -> None:
        if count > 1:
            os._exit(128 + number)
        self.received = number
        for callback in tuple(self._callbacks):
            callback()


_active: list[Stopping] = []


def _release_in_child() -> None:
    # A child of user code, such as a pool's process, is to be stopped by signals as any other.
    for stopping in tuple(_active):
        stopping.release()


os.register_at_fork(after_in_child=_release_in_child)
