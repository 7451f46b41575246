"""What an attempt came to, what that means for the next one, and what the caller is told in the end."""

from __future__ import annotations

import enum
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from arkworker.clock import Clock
    from arkworker.errors import ApiError

logger = logging.getLogger("arkworker.api")


class Fault(enum.Enum):
    """How an attempt failed, and what the server may have done."""

    NOT_SENT = "nothing reached the server: refused, no route, unknown name, TLS"
    BUSY = "429, or 503 with Retry-After: the server did nothing"
    FAILED = "another 5xx: the server may have acted"
    LOST = "reset or timed out after sending: the server may have acted"
    GARBLED = "a success whose body is cut or not what was promised: the server has acted"
    REFUSED = "another answer: final"


_ALWAYS_REPEATED = frozenset({Fault.NOT_SENT, Fault.BUSY, Fault.FAILED})
_POSSIBLY_APPLIED = frozenset({Fault.FAILED, Fault.LOST, Fault.GARBLED})


@dataclass(frozen=True, slots=True)
class Attempt:
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


@dataclass(frozen=True, slots=True)
class Task:
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


@dataclass(frozen=True, slots=True)
class Outcome:
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
    """How many repeats a whole run may make, so that an outage ends in minutes; shared by its clients."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._taken = itertools.count(1)  # next() is atomic: no lock that a fork could leave held

    def take(self) -> bool:
        """Take one repeat; False when there is none left."""
        taken = next(self._taken)
        if taken == self._limit + 1:
            logger.error("%d requests have been repeated in this run: from now on none is", self._limit)
        return taken <= self._limit


@dataclass(frozen=True, slots=True)
class Retries:
    """How a client repeats: the run's budget, its clock, the jitter (seconds), and whether it was told to end."""

    clock: Clock
    budget: RetryBudget
    jitter: float
    ended: threading.Event

    def perform(self, attempt: Callable[[], Attempt], task: Task) -> Outcome:
        """Attempt until it succeeds or may not be repeated.

        Raises:
            ApiError: The last failure, as it is; its `uncertain` counts the attempts that may have been applied.
        """
        attempts = uncertain = 0

        def count() -> Attempt:
            nonlocal attempts, uncertain
            result = attempt()
            attempts += 1
            uncertain += task.writes and result.fault in _POSSIBLY_APPLIED
            return result

        last = count()
        if is_repeated(last, task):
            # The first attempt nearly always succeeds: only a failure pays for importing tenacity.
            from arkworker.arkindex.client.retrying import repeat

            last = repeat(last, count, self, task)
        if last.error is not None:
            last.error.uncertain = uncertain
            raise last.error
        return Outcome(last.value, attempts, uncertain)


def is_repeated(attempt: Attempt, task: Task) -> bool:
    """Whether another attempt should follow."""
    if task.careful and is_possibly_applied(attempt):
        return False
    return attempt.fault in _ALWAYS_REPEATED or (task.repeatable and attempt.fault in (Fault.LOST, Fault.GARBLED))


def is_possibly_applied(attempt: Attempt) -> bool:
    """Whether the server may have acted although the attempt failed."""
    return attempt.fault in _POSSIBLY_APPLIED
