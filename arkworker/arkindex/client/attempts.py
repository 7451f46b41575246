"""The retry contract: five attempts, waits of 3, 4, 8 and 16 seconds, each announced before it starts.

What an attempt came to, what that means for the next one, and what the caller learns in the end.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from arkworker.errors import ApiResponseError, StoppedError
from arkworker.transport.failures import Fault

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from arkworker.clock import Clock
    from arkworker.errors import ApiError

logger = logging.getLogger("arkworker.api")

#: Seconds between attempts, which are one more; other retries wait as long.
WAITS = (3.0, 4.0, 8.0, 16.0)
ATTEMPTS = len(WAITS) + 1
LONGEST_WAIT = 60.0  # seconds, whatever the server asks for


_ALWAYS_REPEATED = frozenset({Fault.NOT_SENT, Fault.BUSY, Fault.FAILED})
_POSSIBLY_APPLIED = frozenset({Fault.FAILED, Fault.LOST, Fault.GARBLED})


class Attempt(NamedTuple):
    """One attempt.

    Attributes:
        value: What a success brought.
        error: What a failure will raise if it is the last one.
        fault: How it failed; None is a success.
        delay: Seconds that the server asked to wait (`Retry-After`).
    """

    value: Any = None
    error: ApiError | None = None
    fault: Fault | None = None
    delay: float = 0.0


class Job(NamedTuple):
    """What is attempted.

    Attributes:
        name: The operation id, or method and address of a file.
        writes: Whether it changes something.
        repeatable: Whether it may be done again when the answer was lost.
        careful: Whether it is never done again once it may have been applied: the caller looks first.
    """

    name: str
    writes: bool
    repeatable: bool
    careful: bool = False


class Outcome(NamedTuple):
    """A success, and what it may have left behind.

    Attributes:
        value: The parsed answer; None when the server sent none.
        attempts: How many it took, from 1.
        uncertain: How many earlier attempts the server may have acted upon although its answer was lost.
            Always 0 for what only reads.
    """

    value: Any
    attempts: int = 1
    uncertain: int = 0


class RetryBudget:
    """How many repeats a whole run may make, so that an outage ends in minutes; shared by its clients.

    Args:
        limit: The most that it may make.
        in_a_row: Whether each success starts the count anew: a run of days meets a failure now and then.
    """

    def __init__(self, limit: int = 200, *, in_a_row: bool = False) -> None:
        self._limit = limit
        self._in_a_row = in_a_row
        self._taken = itertools.count(1)  # next() is atomic: no lock that a fork could leave held

    def take(self) -> bool:
        """Take one repeat; False when there is none left."""
        taken = next(self._taken)
        if taken == self._limit + 1:
            told = "%d requests have been repeated in this run: later ones will not be"
            if self._in_a_row:
                told = "%d repeats in a row have failed: no request is repeated until one succeeds"
            logger.error(told, self._limit)
        return taken <= self._limit

    def note_success(self) -> None:
        """A request has come through."""
        if self._in_a_row:
            self._taken = itertools.count(1)


class Retries(NamedTuple):
    """How a client repeats: the run's budget, its clock, the jitter (seconds), and whether it was told to end."""

    clock: Clock
    budget: RetryBudget
    jitter: float
    ended: threading.Event

    def perform(self, attempt: Callable[[], Attempt], job: Job) -> Outcome:
        """Attempt until it succeeds or may not be repeated.

        Raises:
            ApiError: The last failure, as it is; its `uncertain` counts the attempts that may have been applied.
        """
        attempts = [attempt()]
        if is_repeated(attempts[0], job):
            with contextlib.suppress(StoppedError):  # the clock ended a wait: what is known must reach the caller
                self._repeat(attempts, attempt, job)
        last = attempts[-1]
        uncertain = sum(job.writes and is_possibly_applied(each) for each in attempts)
        if last.error is not None:
            last.error.uncertain = uncertain
            raise last.error
        self.budget.note_success()
        return Outcome(last.value, len(attempts), uncertain)

    def _repeat(self, attempts: list[Attempt], attempt: Callable[[], Attempt], job: Job) -> None:
        """Attempt again, after the first attempt has failed; all are in `attempts`, which holds that one already."""
        # The first attempt nearly always succeeds: only a failure pays for importing this.
        from tenacity import RetryCallState, Retrying, retry_if_result, wait_chain, wait_fixed, wait_random

        def last(state: RetryCallState) -> Attempt:
            result: Attempt = state.outcome.result()  # type: ignore[union-attr] # there has been an attempt
            return result

        contract, jitter = wait_chain(*map(wait_fixed, WAITS)), wait_random(0, self.jitter)
        retrying = Retrying(
            retry=retry_if_result(lambda result: is_repeated(result, job)),
            stop=lambda state: state.attempt_number >= ATTEMPTS or self.ended.is_set() or not self.budget.take(),
            wait=lambda state: min(LONGEST_WAIT, max(contract(state), last(state).delay)) + jitter(state),
            before_sleep=lambda state: _announce(job, last(state), state.attempt_number, state.upcoming_sleep),
            sleep=self.clock.sleep,
            retry_error_callback=last,
        )

        def results() -> Iterator[Attempt]:
            yield attempts[0]
            while True:
                if not self.ended.is_set():
                    attempts.append(attempt())
                yield attempts[-1]

        retrying(next, results())


def is_repeated(attempt: Attempt, job: Job) -> bool:
    """Whether another attempt should follow."""
    if job.careful and is_possibly_applied(attempt):
        return False
    return attempt.fault in _ALWAYS_REPEATED or (job.repeatable and attempt.fault in (Fault.LOST, Fault.GARBLED))


def is_possibly_applied(attempt: Attempt) -> bool:
    """Whether the server may have acted although the attempt failed."""
    return attempt.fault in _POSSIBLY_APPLIED


def _announce(job: Job, last: Attempt, number: int, wait: float) -> None:
    reason = last.error.message if last.error is not None else ""
    if isinstance(last.error, ApiResponseError):
        reason = f"status {last.error.status}"
    applied = "; it may have been applied" if job.writes and is_possibly_applied(last) else ""
    logger.warning(
        "%s: %s, attempt %d of %d%s; trying again in %g s", job.name, reason, number, ATTEMPTS, applied, wait
    )
