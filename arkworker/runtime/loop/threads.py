"""Threads beside the one of user code: as many as there is work for and the system gives, or none at all."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger("arkworker.elements")

T = TypeVar("T")


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
        """Let a thread do something; where the system has no more of them, whoever is free first, or the caller."""
        task: Future[T] = Future()

        def perform() -> None:
            with self._lock:
                if task.running() or task.done():
                    return
                task.set_running_or_notify_cancel()
            try:
                task.set_result(action())
            except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
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
