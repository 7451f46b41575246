"""The clients of a run: one for what lies ahead, which ends with the first signal, and those for results and states."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from arkworker.arkindex.client import RetryBudget
from arkworker.clock import SystemClock
from arkworker.errors import ApiError, StoppedError
from arkworker.runtime.stopping import try_to_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.arkindex.client import Client
    from arkworker.runtime.stopping import Stopping

#: A claim or retrieval under way at the first signal may still come within this time; then it is cut off.
CUT = 0.4  # seconds
LAST_STATES = 0.2  # seconds for states, once publications have been cut off
HURRIED = 0.25  # seconds: the longest wait between two attempts at a report once the run is stopped


class LoopClock(SystemClock):
    """Waits between attempts, until the run is stopped.

    Args:
        hurried: The longest wait after that, in seconds; None where nothing is attempted again.
    """

    def __init__(self, hurried: float | None = None) -> None:
        super().__init__()
        self._hurried = hurried
        self._signal_number: int | None = None
        self._never = threading.Event()

    def sleep(self, seconds: float) -> None:
        if self._signal_number is None:
            super().sleep(seconds)
        elif self._hurried is not None:
            self._never.wait(min(seconds, self._hurried))
        if self._signal_number is not None and self._hurried is None:
            raise StoppedError(self._signal_number)

    def stop(self, signal_number: int) -> None:
        self._signal_number = signal_number
        self.wake()

    def end(self) -> None:
        """Let nothing wait any more, not even in a hurry."""
        self._never.set()


class Clients:
    """All of them, with one budget; twins of the client of the run.

    Attributes:
        intake: For claims, and for what elements are.
        reports: For results.
        states: For what becomes of elements; a publication that is cut off does not take that with it.
    """

    def __init__(self, api: Client) -> None:
        budget = RetryBudget(in_a_row=True)
        self.intake_clock, self._report_clock = LoopClock(), LoopClock(HURRIED)
        self.intake, self.reports = api.twin(self.intake_clock, budget), api.twin(self._report_clock, budget)
        self.states = self.reports.twin()
        self._timers: list[threading.Timer] = []

    def stop(self, number: int, within: float = CUT) -> None:
        """Let nothing wait that lies ahead, cut off what does not come in that many seconds, and hurry the reports."""
        self.intake_clock.stop(number)
        self._report_clock.stop(number)
        self._timers.append(_after(within, self.intake.end))

    @contextlib.contextmanager
    def ending_with(self, stopping: Stopping) -> Iterator[None]:
        """While the block lasts, a signal ends what lies ahead.

        Raises:
            StoppedError: It ended a request, which says nothing about Arkindex.
        """
        with stopping.calling(lambda: self.stop(stopping.received or 0)):
            try:
                yield
            except ApiError:
                stopping.check()
                raise

    def end_reports_after(self, seconds: float) -> None:
        """Cut off reports that do not come through in that time, so that they can be counted; publications before."""
        _after(seconds - LAST_STATES, self._end_reports)
        _after(seconds, self.states.end)

    def _end_reports(self) -> None:
        self.reports.end()
        self._report_clock.end()

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.intake.close()
        self.reports.close()
        self.states.close()


def _after(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    try_to_start(timer)  # else it ends by its own limits
    return timer
