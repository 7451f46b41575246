"""Accepted results on their way to the cache.

They are accepted in threads, while user code may be in the middle of a transaction of its own on the same file. So they
wait here until the thread of user code writes them, between two of its sessions: neither ever waits for a lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from arkworker.errors import ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from arkworker.arkindex.publishing.rows import Rows

logger = logging.getLogger("arkworker.publishing")

T = TypeVar("T")

#: The cache belongs to one process.
ELSEWHERE = "the cache does not get results that are published outside of the worker's own process"


class UncachedError(ArkworkerError):
    """Results are on Arkindex, and could not be written to the cache."""


class Outbox:
    """Rows that wait. Put in from any thread, written by the one that user code runs in.

    Args:
        sessions: Makes sessions of the cache, each of which is committed at its end, or rolled back.
        are_published: Whether what comes is on Arkindex; in developer mode it is nowhere else.
    """

    def __init__(self, sessions: Callable[[], AbstractContextManager[Any]], *, are_published: bool = True) -> None:
        self._sessions = sessions
        self._are_published = are_published
        self._waiting: deque[Rows] = deque()
        self._process = os.getpid()

    def put(self, rows: Rows) -> None:
        """Let rows wait for `flush`; it is never called in a process that this one was forked into."""
        if rows and os.getpid() == self._process:
            self._waiting.append(rows)
        elif rows:
            logger.warning(ELSEWHERE)

    def flush(self) -> dict[str, UncachedError]:
        """Write all that waits, in one transaction for each publication; between sessions of user code.

        Returns:
            By the ids of elements, why what was found on them could not be written.
        """
        from arkworker.arkindex.publishing.rows import write

        failures: dict[str, UncachedError] = {}
        for rows in drained(self._waiting):
            try:
                with self._sessions() as session:
                    write(session, rows)
            except Exception as error:  # noqa: BLE001 - of the database or of an id: whatever it is, that element fails
                failures[rows.element_id] = self._failure(error)
        return failures

    def abandon(self) -> dict[str, UncachedError]:
        """As `flush`, where nothing can be written any more because user code does not come back."""
        return {rows.element_id: self._failure("the run ended first") for rows in drained(self._waiting)}

    def _failure(self, reason: object) -> UncachedError:
        done = "its results are on Arkindex, but" if self._are_published else "its results"
        # Without the statement that SQLAlchemy repeats, which holds the results.
        told = printable(str(getattr(reason, "orig", None) or reason))
        return UncachedError(f"{done} could not be written to the cache: {told}")


def drained(queue: deque[T]) -> Iterator[T]:
    """Take all out, the oldest first; another thread may do so, too."""
    with contextlib.suppress(IndexError):
        while True:
            yield queue.popleft()
