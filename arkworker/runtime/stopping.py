"""Stopping in two steps: the first signal asks for an orderly end, the second ends the process.

Handlers set a flag; what they interrupt is user code only, never our own commits, renames or reports.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption(BaseException):
    """Raised in user code by a signal; no `except Exception` there catches it."""


class Stopping:
    """Watches for signals while a run lasts; handlers are put back after it."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._in_user_code = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def user_code(self) -> Iterator[None]:
        """Where a signal may interrupt.

        Raises:
            StoppedError: A signal came, before or meanwhile.
        """
        self.check()
        try:
            self._in_user_code = True
            yield
        except Interruption:
            pass
        finally:
            self._in_user_code = False
        self.check()

    def check(self) -> None:
        """A safe point.

        Raises:
            StoppedError: A signal came.
        """
        if self.signal_number is not None:
            raise StoppedError(self.signal_number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number is not None:
            os._exit(128 + number)
        self.signal_number = number
        if self._in_user_code:
            raise Interruption
