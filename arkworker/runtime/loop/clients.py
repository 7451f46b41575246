"""The two clients of a run: one for what lies ahead, which ends with the first signal, and one for the reports."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client import Client
from arkworker.arkindex.client.attempts import RetryBudget
from arkworker.clock import SystemClock
from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.client import Connection
    from arkworker.arkindex.client.attempts import Outcome

#: A claim or retrieval under way at the first signal may still come within this time; then it is cut off.
CUT = 0.4  # seconds
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


class OutageBudget(RetryBudget):
    """How many repeats may follow one another without a single success: an outage ends in minutes, noise does not."""

    def __init__(self, limit: int = 200) -> None:
        super().__init__(limit)

    def refill(self) -> None:
        self._taken = itertools.count(1)


class LoopClient(Client):
    """A client whose successes refill the budget of repeats."""

    def __init__(
        self,
        connection: Connection,
        clock: Any,
        budget: OutageBudget,
        *,
        read_only: bool = False,
        careful: bool = False,
    ) -> None:
        super().__init__(connection, read_only=read_only, clock=clock, budget=budget, careful=careful)
        self._outage_budget = budget

    def request_with_outcome(self, *args: Any, **kwargs: Any) -> Outcome:
        outcome = super().request_with_outcome(*args, **kwargs)
        self._outage_budget.refill()
        return outcome


class Clients:
    """Both of them, over one connection and one budget."""

    def __init__(self, connection: Connection, *, read_only: bool) -> None:
        budget = OutageBudget()
        self.intake_clock, self._report_clock = LoopClock(), LoopClock(HURRIED)
        self.intake = LoopClient(connection, self.intake_clock, budget, read_only=read_only)
        self.reports = LoopClient(connection, self._report_clock, budget, read_only=read_only)
        self._timer: threading.Timer | None = None

    def stop(self, number: int) -> None:
        """Let nothing wait that lies ahead, cut off what does not come shortly, and hurry the reports."""
        if self._timer is not None:
            return
        self.intake_clock.stop(number)
        self._report_clock.stop(number)
        self._timer = _after(CUT, self.intake.end)

    def end_reports_after(self, seconds: float) -> None:
        """Cut off reports that do not come through in that time, so that they can be counted."""
        _after(seconds, self.reports.end)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.intake.close()
        self.reports.close()


def _after(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer
