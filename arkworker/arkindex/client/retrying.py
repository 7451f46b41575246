"""The retry contract: five attempts, waits of 3, 4, 8 and 16 seconds, each announced before it starts."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)
from tenacity.stop import stop_base

from arkworker.arkindex.client.attempts import Attempt, is_possibly_applied, is_repeated
from arkworker.errors import ApiResponseError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.client.attempts import Retries, RetryBudget, Task

logger = logging.getLogger("arkworker.api")

ATTEMPTS = 5
CONTRACT = wait_exponential(multiplier=2, min=3)
LONGEST_WAIT = 60.0  # seconds, whatever the server asks for


class _stop_when_spent(stop_base):  # noqa: N801 - named as tenacity names its own
    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, _state: RetryCallState) -> bool:
        return not self._budget.take()


def repeat(first: Attempt, attempt: Callable[[], Attempt], retries: Retries, task: Task) -> Attempt:
    """Go on after a first attempt that failed; the last attempt, success or not."""
    last = first
    attempts = itertools.chain([lambda: first], itertools.repeat(attempt))

    def next_attempt() -> Attempt:
        nonlocal last
        if not retries.ended.is_set():
            last = next(attempts)()
        return last

    def announce(state: RetryCallState) -> None:
        wait = state.next_action.sleep if state.next_action else 0.0
        _announce(task, last, state.attempt_number, wait)

    retrying = Retrying(
        retry=retry_if_result(lambda result: is_repeated(result, task)),
        stop=stop_any(
            stop_after_attempt(ATTEMPTS), stop_when_event_set(retries.ended), _stop_when_spent(retries.budget)
        ),
        wait=lambda state: min(LONGEST_WAIT, max(CONTRACT(state), last.delay)) + wait_random(0, retries.jitter)(state),
        before_sleep=announce,
        sleep=retries.clock.sleep,
        retry_error_callback=lambda _: last,
    )
    try:
        return retrying(next_attempt)
    except StoppedError:
        return last  # the clock ended the wait: what is known about the attempts must reach the caller


def _announce(task: Task, last: Attempt, number: int, wait: float) -> None:
    reason = last.error.message if last.error is not None else ""
    if isinstance(last.error, ApiResponseError):
        reason = f"status {last.error.status}"
    applied = "; it may have been applied" if task.writes and is_possibly_applied(last) else ""
    logger.warning(
        "%s: %s, attempt %d of %d%s; trying again in %g s", task.name, reason, number, ATTEMPTS, applied, wait
    )
