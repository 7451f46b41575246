"""Threads beside the one of user code: as many as there is work for and the system gives, where they are worth it."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger("arkworker.elements")

T = TypeVar("T")

PHASES = ("waiting", "retrieving", "work", "publishing")
SLOW = 0.005  # seconds: a phase of one element that takes longer is worth a thread beside it
RECENT = 9  # phases, of three elements, that are looked at
FEW = 2  # of them may be slow for other reasons, such as a busy machine


def cores() -> int:
    """How many this process may use; all that there are, where the system does not say."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # of Linux
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


class Threads:
    """A pool of threads that are started when they are needed.

    Args:
        most: How many there may be.
        name: Of the threads, for a debugger.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, action: Callable[[], T]) -> Future[T]:
        """Let a thread do something; where the system gives no more threads, the first free one, or the caller."""
        task: Future[T] = Future()

        def perform() -> None:
            with self._lock:
                if task.running() or task.done():
                    return
                task.set_running_or_notify_cancel()
            try:
                task.set_result(action())
            except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
                task.set_exception(error)

        try:
            self._get_pool().submit(perform)
        except RuntimeError as error:
            logger.debug("no thread can be started: %s", error)
            perform()
        return task

    def close(self) -> None:
        """Let idle threads go; what is under way comes to its end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def _get_pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # a short run needs none

                self._pool = ThreadPoolExecutor(self._most, self._name)
            return self._pool


class Timing:
    """Where the time of a run goes: told how long each phase of each element took; from any thread.

    On a fast network, with next to no work, handing elements from thread to thread takes longer than what it saves.

    Attributes:
        is_fast: Whether nearly all of the last phases were short. Until that is known, they count as long.
    """

    def __init__(self) -> None:
        self.is_fast = False
        self._lock = threading.Lock()
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._slow = (1 << RECENT) - 1  # a bit for each of the last phases

    def spend(self, phase: str, seconds: float) -> None:
        """Add to a phase: `waiting` for an element, `retrieving` it, `work` of user code, `publishing` its end."""
        with self._lock:
            self._seconds[phase] += seconds
            if phase != "waiting":
                self._slow = (self._slow << 1 | (seconds > SLOW)) & ((1 << RECENT) - 1)
                self.is_fast = self._slow.bit_count() <= FEW

    def as_data(self) -> dict[str, float]:
        """The seconds of each phase; those of threads side by side are added up."""
        return {phase: round(self._seconds[phase], 3) for phase in PHASES}
