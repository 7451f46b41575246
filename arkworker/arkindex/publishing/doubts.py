"""Which publications were begun and not brought to an end, on disk: the next to work on the element looks first."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.errors import PublicationError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("arkworker.publishing")

PREFIX = ".arkworker-publishing-"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether a publication that begins may find a part of its results there.

    Attributes:
        since: When an earlier publication, which was not brought to its end, sent its last request, in seconds since
            the epoch; 0 where there is none.
        path: Its file.
    """

    since: float
    path: Path

    def note(self) -> None:
        """A request is about to be sent."""
        with contextlib.suppress(OSError):
            os.utime(self.path)


@dataclass(slots=True)
class _UnderWay:
    """The publications on one element at this moment: user code may publish on it in several threads.

    Attributes:
        count: How many there are.
        are_over: Whether those that have ended came to their end.
    """

    count: int = 0
    are_over: bool = True


class Doubts:
    """An empty file for each element that results are being published on; it outlives a process that is killed.

    Args:
        folder: Where the files lie: the task's own directory.
        worker_run_id: The worker run that publishes.
    """

    def __init__(self, folder: Path, worker_run_id: str) -> None:
        self._folder = folder
        self._run = worker_run_id
        self._lock = threading.Lock()
        self._under_way: dict[Path, _UnderWay] = {}

    @contextlib.contextmanager
    def publishing(self, element_id: str) -> Iterator[Doubt]:
        """Publish in this block; when it raises, or never ends, a part of the results may be there."""
        name = hashlib.sha256(f"{self._run} {element_id}".encode()).hexdigest()[:32]
        path = self._folder / f"{PREFIX}{name}"
        with self._lock:
            under_way = self._under_way.setdefault(path, _UnderWay())
            since = 0.0 if under_way.count and under_way.are_over else _begin(path)
            under_way.count += 1
        if since:
            told = "an earlier publication was not completed; looking for what is already there"
            logger.warning("element %s: %s", printable(element_id, 60), told)
        is_over = False
        try:
            yield Doubt(since, path)
            is_over = True
        except PublicationError as error:
            is_over = not (since or error.accepted or error.uncertain)
            raise
        finally:
            with self._lock, contextlib.suppress(OSError):
                under_way.count -= 1
                under_way.are_over &= is_over
                if not under_way.count:
                    del self._under_way[path]
                    if under_way.are_over:
                        path.unlink()


def _begin(path: Path) -> float:
    """Note the beginning; when an earlier one that has not ended sent its last request, or 0."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    except OSError as error:
        logger.debug("%s: %s", path, error.strerror)
    return 0.0
