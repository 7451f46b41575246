"""Claim and retrieve ahead: the next elements come, side by side, while user code works on one."""

from __future__ import annotations

import contextlib
import enum
import itertools
import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from arkworker.arkindex.activities import is_refusal
from arkworker.errors import ApiError
from arkworker.runtime.loop.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.loop.sources import Source

logger = logging.getLogger("arkworker.elements")

MOST_THREADS = 8
PATIENCE = 1.0  # seconds, in the end, for what is on its way: it was told to come or to be cut off
MOST_FAILURES = 4  # in a row, each after five attempts: then Arkindex is out of reach


class _News(enum.Enum):
    """What a thread tells the main thread, besides the elements that it brings."""

    WAITS = "this element waits for another attempt: others need not wait for it"
    NOTHING = "there was no element"
    ENDS = "this thread brings no more"


class Intake:
    """Brings elements to where user code can have them.

    At first the main thread fetches each itself. After `go_ahead`, threads take from the source for as long as there is
    room, and send what they bring to the main thread, which keeps the order. One permit is one element on its way or
    ready.

    Args:
        source: Where elements come from.
        prepare: Starts and retrieves one, in any thread; what goes wrong with it is noted on the job.
        ahead: How many may be on their way or ready; with 0, there are no threads.
    """

    def __init__(self, source: Source, prepare: Callable[[Job], None], ahead: int) -> None:
        self.error: Exception | None = None
        self._source = source
        self._prepare = prepare
        self._ahead = ahead
        self._is_ahead = False
        self._permits: SimpleQueue[bool] = SimpleQueue()
        self._messages: SimpleQueue[tuple[int, Job | _News]] = SimpleQueue()
        self._turn = threading.Lock()  # keeps an ordered source in its order
        self._numbers = itertools.count(1)
        self._next = 1  # for user code, of an ordered source
        self._waiting: set[int] = set()
        self._gone: set[int] = set()  # handed over, or nothing
        self._ready: dict[int, Job] = {}
        self._on_its_way: dict[int, Job] = {}  # taken from the source
        self._keeping = threading.Lock()  # keeps what is ready from being handed over twice
        self._is_over = False  # nothing more is taken from the source
        self._is_stopped = False
        self._failures = 0  # of the source, in a row
        self._unreached = 0  # elements, in a row
        self._local = threading.local()
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._fetched_here = 0  # by the main thread, which needs no permit

    def go_ahead(self) -> None:
        """Fetch in threads from now on; from any thread, once."""
        for _ in range(self._ahead):
            self._permits.put(True)
        with self._keeping:
            if self._is_stopped:
                return
            # First of all: the first thread may come to the end of the source before the last one is started.
            self._working = min(self._ahead, MOST_THREADS)
            self._is_ahead = self._working > 0
            for number in range(self._working):
                thread = threading.Thread(target=self._work, name=f"intake-{number}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the system has no more of them
                    logger.warning("elements are fetched with %d threads: %s", number, error)
                    self._do_without(self._working - number, is_any=number > 0)
                    break
                self._threads.append(thread)

    def _do_without(self, missing: int, *, is_any: bool) -> None:
        """Some threads could not be started; with none at all, the main thread goes on by itself."""
        self._is_ahead = is_any
        for _ in range(missing):
            self._messages.put((0, _News.ENDS))

    def next(self) -> Job | None:
        """The next element for user code; None when there is none left or the run is being stopped."""
        while not self._is_stopped:
            # In this order: while no thread has been started, none can have come to the end of the source.
            is_over, is_ahead = self._is_over, self._is_ahead
            if (job := self._pop()) is not None:
                self._make_room()
                return job
            if is_ahead and self._working:
                self._receive(*self._messages.get())
            elif is_ahead or is_over:
                return None
            else:
                number, news = self._fetch()
                self._fetched_here += isinstance(news, Job)
                self._receive(number, news)
        return None

    def _make_room(self) -> None:
        """Give a permit back for an element that a thread had one for."""
        if self._fetched_here:
            self._fetched_here -= 1
        else:
            self._permits.put(True)

    def stop(self) -> None:
        """Take nothing more, and let `next` return; what is on its way may still come."""
        with self._keeping:
            self._is_over = self._is_stopped = True
        self._permits.put(False)
        self._messages.put((0, _News.WAITS))  # wakes the main thread

    def give_up(self, error: Exception) -> None:
        """Take nothing more, because of an error; what is on its way or ready still goes to user code."""
        self.error = self.error or error
        self._is_over = True

    def note_wait(self) -> None:
        """The calling thread's element waits for another attempt."""
        self._messages.put((getattr(self._local, "number", 0), _News.WAITS))

    def close(self) -> list[Job]:
        """Wait a little for what is on its way; the elements that user code never got."""
        self.stop()
        end = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with contextlib.suppress(Empty):
            while True:
                self._receive(*self._messages.get_nowait())
        with self._keeping:
            left = [self._ready[number] for number in sorted(self._ready)]
            self._ready.clear()
            # Stuck where nothing can be cut off, such as a connection that does not come about. What is not held yet
            # stays for who closes again; others come and go meanwhile.
            for number in list(self._on_its_way):
                job = self._on_its_way.get(number)
                if job is not None and job.is_held:
                    job.is_dropped = True
                    left.append(job)
                    self._on_its_way.pop(number, None)
        self._messages.put((0, _News.WAITS))  # that of `stop` may be among those received here
        return left

    def _receive(self, number: int, news: Job | _News) -> None:
        if news is _News.ENDS:
            self._working -= 1
        elif isinstance(news, _News):
            if self._source.is_ordered:
                (self._waiting if news is _News.WAITS else self._gone).add(number)
        else:
            with self._keeping:
                if not news.is_dropped:
                    self._ready[number] = news
                self._on_its_way.pop(number, None)

    def _pop(self) -> Job | None:
        with self._keeping:
            if not self._ready or self._is_stopped:
                return None
            first = min(self._ready)
            if self._source.is_ordered:
                if any(n not in self._gone and n not in self._waiting for n in range(self._next, first)):
                    return None
                self._note_gone(first)
            return self._ready.pop(first)

    def _note_gone(self, number: int) -> None:
        self._waiting.discard(number)
        self._gone.add(number)
        while self._next in self._gone:
            self._gone.discard(self._next)
            self._next += 1

    def _work(self) -> None:
        try:
            while self._permits.get() and not self._is_over:
                self._bring()
        except BaseException as error:  # a defect of ours must end the run, not hang it
            logger.exception("the intake of elements failed")
            self.give_up(error if isinstance(error, Exception) else RuntimeError("the intake of elements failed"))
        finally:
            self._permits.put(False)  # for the next thread
            self._messages.put((0, _News.ENDS))

    def _bring(self) -> None:
        number, news = self._fetch()
        if news is _News.NOTHING:
            self._permits.put(True)
        self._messages.put((number, news))

    def _fetch(self) -> tuple[int, Job | _News]:
        with self._turn if self._source.is_ordered else contextlib.nullcontext():
            self._local.number = number = next(self._numbers)
            job = self._take()
        if job is not None:
            self._on_its_way[number] = job
            self._prepare(job)
            self._note_reach(job)
        if job is None or job.is_dropped:
            self._on_its_way.pop(number, None)
            return number, _News.NOTHING
        return number, job

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

    def _note_reach(self, job: Job) -> None:
        """Elements of a list would fail to the last while Arkindex is out of reach: the run ends instead."""
        self._unreached = self._unreached + 1 if job.is_unreached else 0
        if self._unreached < MOST_FAILURES or self._is_stopped or self.error is not None:
            return
        if job.failure is not None:
            logger.error("no more elements are tried: %s", job.failure)
            self.give_up(job.failure)

    def _note_failure(self, error: ApiError) -> None:
        self._failures += 1
        if self._is_stopped:
            return
        if is_refusal(error) or not self._source.is_queue or self._failures >= MOST_FAILURES:
            logger.error("no more elements can be had: %s", error)
            self.give_up(error)
        else:
            logger.warning("%s; trying once more", error)
