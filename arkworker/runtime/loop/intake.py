"""Claim and retrieve ahead: the next elements come, side by side, while user code works on one."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from arkworker.errors import ApiError
from arkworker.runtime.loop.activities import is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.loop.jobs import Job
    from arkworker.runtime.loop.sources import Source

logger = logging.getLogger(__name__)

MOST_THREADS = 8
MOST_FAILURES = 3  # of a source in a row, each after five attempts: then Arkindex is out of reach


class Intake:
    """Fills a bounded store of elements that are ready for user code.

    Args:
        source: Where elements come from.
        prepare: Starts and retrieves one, in a thread of ours; what goes wrong with it is noted on the job.
        ahead: How many may be on their way or ready; 0 fetches one when it is asked for.
    """

    def __init__(self, source: Source, prepare: Callable[[Job], None], ahead: int) -> None:
        self.error: Exception | None = None
        self._source = source
        self._prepare = prepare
        self._ahead = ahead
        self._free = ahead
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # keeps an ordered source in its order
        self._number = 0
        self._coming: set[int] = set()
        self._delayed: set[int] = set()
        self._ready: dict[int, Job] = {}
        self._is_over = False  # nothing more is taken from the source
        self._is_stopped = False
        self._failures = 0
        self._local = threading.local()
        count = min(max(1, ahead), MOST_THREADS)
        self._threads = [threading.Thread(target=self._work, name=f"intake-{n}", daemon=True) for n in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def next(self) -> Job | None:
        """The next element for user code; None when there is none left or the run is being stopped."""
        with self._changed:
            if not self._ahead and not self._coming and not self._ready:
                self._free = 1
                self._changed.notify_all()
            while not self._is_stopped:
                job = self._pop()
                if job is not None:
                    self._free += 1 if self._ahead else 0
                    self._changed.notify_all()
                    return job
                if self._is_over and not self._coming:
                    return None
                self._changed.wait()
        return None

    def stop(self) -> None:
        """Take nothing more, and let `next` return; what is on its way may still come."""
        with self._changed:
            self._is_over = self._is_stopped = True
            self._changed.notify_all()

    def note_wait(self) -> None:
        """The calling thread's element waits for another attempt: others need not wait for it."""
        with self._changed:
            self._delayed.add(getattr(self._local, "number", 0))
            self._changed.notify_all()

    def close(self) -> list[Job]:
        """Wait for what is on its way; the elements that user code never got."""
        self.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        left = [self._ready[number] for number in sorted(self._ready)]
        self._ready.clear()
        return left

    def _pop(self) -> Job | None:
        if not self._ready:
            return None
        first = min(self._ready)
        if self._source.is_ordered and any(n < first for n in self._coming - self._delayed):
            return None
        return self._ready.pop(first)

    def _work(self) -> None:
        try:
            while (number := self._fetch()) is not None:
                self._bring(number)
        except BaseException as error:  # a defect of ours must end the run, not hang it
            logger.exception("the intake of elements failed")
            self._give_up(error if isinstance(error, Exception) else RuntimeError("the intake of elements failed"))

    def _fetch(self) -> int | None:
        """Take one from the source; its number, or None when there is nothing more."""
        with self._turn if self._source.is_ordered else contextlib.nullcontext():
            number = self._begin()
            if number is None:
                return None
            self._local.number = number
            try:
                self._local.job = self._take()
            except BaseException:
                self._finish(number, None)
                raise
            return number

    def _begin(self) -> int | None:
        with self._changed:
            while not self._is_over and not self._free:
                self._changed.wait()
            if self._is_over:
                return None
            self._free -= 1
            self._number += 1
            self._coming.add(self._number)
            return self._number

    def _take(self) -> Job | None:
        """Ask the source until it answers, or has failed too often."""
        while not self._is_over:
            try:
                job = self._source.take()
            except ApiError as error:
                self._note_failure(error)
            else:
                self._failures = 0
                if job is None:
                    self._is_over = True
                return job
        return None

    def _note_failure(self, error: ApiError) -> None:
        self._failures += 1
        if self._is_stopped:
            return
        if is_refusal(error) or not self._source.is_queue or self._failures >= MOST_FAILURES:
            logger.error("no more elements can be had: %s", error)
            self._give_up(error)
        else:
            logger.warning("%s; trying once more", error)

    def _give_up(self, error: Exception) -> None:
        with self._changed:
            self.error = self.error or error
            self._is_over = True
            self._changed.notify_all()

    def _bring(self, number: int) -> None:
        job: Job | None = self._local.job
        try:
            if job is not None:
                self._prepare(job)
        finally:
            self._finish(number, job)

    def _finish(self, number: int, job: Job | None) -> None:
        with self._changed:
            self._coming.discard(number)
            self._delayed.discard(number)
            if job is not None and not job.is_dropped:
                self._ready[number] = job
            else:
                self._free += 1
            self._changed.notify_all()
