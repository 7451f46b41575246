"""Elements on their way to user code: taken from where they come from, started and retrieved, ahead of the work."""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import is_refusal
from arkworker.arkindex.reading.remote import RETRIEVE, element_of
from arkworker.errors import ApiContentError, ApiError
from arkworker.runtime.loop.in_hand import InHand, Stage
from arkworker.runtime.loop.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.activities import Activities
    from arkworker.arkindex.client import Client
    from arkworker.elements.model import Element
    from arkworker.runtime.loop.threads import Timing
    from arkworker.runtime.loop.worklist import Job, Worklist

logger = logging.getLogger("arkworker.elements")

MOST_THREADS = 32
HELD_UP = 1.0  # seconds that the next element of a list may hold up those after it
PATIENCE = 1.0  # seconds, at the end, for what is on its way: by then it has arrived or is cut off
MOST_FAILURES = 4  # in a row, each after five attempts: then Arkindex is out of reach


class Halt:
    """Whether more elements are taken; told by whatever hears of a signal or of an outage, from any thread.

    Attributes:
        error: What made the run give up.
        is_over: Nothing more is taken; what is on its way or ready still goes to user code.
        stopped: Done as soon as not even that does.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.is_over = False
        self.stopped: Future[None] = Future()
        self._lock = threading.Lock()

    @property
    def is_stopped(self) -> bool:
        return self.stopped.done()

    def give_up(self, error: Exception) -> None:
        """Take nothing more, because of an error."""
        with self._lock:
            self.error = self.error or error
            self.is_over = True

    def stop(self) -> None:
        """Take nothing more, and give nothing more to user code."""
        with self._lock:
            self.is_over = True
            if not self.stopped.done():
                self.stopped.set_result(None)


@dataclass(frozen=True)
class Retrieval:
    """Makes an element ready for user code: reports its start where it was not claimed, and retrieves it.

    Attributes:
        client: What elements are retrieved with.
        activities: Where the start of an element is reported, unless it was claimed; None where it is not.
        bind: Binds an element to the run.
        halt: Whether the run is being stopped.
        in_hand: Where it is noted that an element is in hand.
        is_late: Whether user code's own thread looks for the element in the cache first.
    """

    client: Client
    activities: Activities | None
    bind: Callable[[Element], Element]
    halt: Halt
    in_hand: InHand
    is_late: bool = False

    def prepare(self, job: Job) -> bool:
        """Bring a job to where user code can have it, or note on it why not; from any thread.

        Returns:
            False when Arkindex could not even be asked about it.
        """
        is_reached = job.is_held
        try:
            if not job.is_held and self.activities is not None:
                self._start(job, self.activities)
            is_reached = is_reached or self.activities is not None
            if not job.is_taken and not self.halt.is_stopped and not self.is_late:
                job.element = self.retrieve(job.id, job.answer)
        except ApiError as error:
            is_reached = is_reached or is_refusal(error) or isinstance(error, ApiContentError)
            if not self.halt.is_stopped:
                job.failure = error
            return is_reached
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this element alone
            job.failure = error
        return True

    def retrieve(self, element_id: str, answer: Any = None) -> Element:
        """The element, from an answer that is there already or from Arkindex.

        Raises:
            ApiError: It cannot be retrieved, or another one was returned.
        """
        if answer is None:
            answer = self.client.request(RETRIEVE, id=element_id)
        return self.bind(element_of(answer, element_id))

    def _start(self, job: Job, activities: Activities) -> None:
        """Report the start. Killed meanwhile, the next run of the task takes a conflict for our own report."""
        self.in_hand.note(job.id, Stage.STARTING)
        try:
            is_ours = activities.start(job.id, uncertain=int(job.is_perhaps_held))
            if is_ours:
                self.in_hand.note(job.id, Stage.HELD)
            job.is_held, job.is_taken = is_ours, not is_ours
        except ApiError as error:
            job.is_held = bool(error.uncertain) or job.is_perhaps_held
            raise
        finally:
            if not job.is_held:
                self.in_hand.forget(job.id)


def take_listed(worklist: Worklist, most: int, halt: Halt) -> list[Job]:
    """The next elements of a list, to be given to other processes; fewer than that many where there are no more.

    Args:
        worklist: The list.
        most: How many to take.
        halt: Told when there are no more, or Arkindex does not say; what was listed until then is worked on.
    """
    jobs: list[Job] = []
    try:
        jobs.extend(islice(iter(worklist.take, None), most))
    except ApiError as error:
        logger.error("no more elements can be retrieved: %s", error)  # noqa: TRY400 - one line will do
        halt.give_up(error)
    if len(jobs) < most:
        halt.is_over = True
    return jobs


class Intake:
    """Brings elements to where user code can have them; the main thread asks for one after the other.

    While user code works, threads fetch the next ones. Where fetching takes next to no time, the main thread does it:
    handing elements from thread to thread would take longer. A list is read by the main thread alone, which keeps its
    order; a queue is asked in the threads, since a claim is a request.

    Args:
        worklist: Where elements come from.
        retrieval: Makes them ready.
        halt: Whether more are taken.
        timing: Told how long fetching takes; knows whether that is worth a thread.
        ahead: How many may be on their way or ready, and one more once user code has had to wait; with 0, there are no
            threads.
    """

    def __init__(self, worklist: Worklist, retrieval: Retrieval, halt: Halt, timing: Timing, ahead: int) -> None:
        self._worklist = worklist
        self._retrieval = retrieval
        self._halt = halt
        self._timing = timing
        self._ahead = ahead
        self._lock = threading.Lock()
        self._window: deque[Future[Job | None]] = deque()  # on their way or ready, in the order of a list
        self._jobs: dict[int, Job] = {}  # taken from the worklist; who takes one out of here ends it
        self._threads = Threads(min(ahead + 1, MOST_THREADS), "intake")
        self._spare = 0  # one, once user code has had to wait
        self._failures = 0  # of the worklist, in a row
        self._unreached = 0  # elements, in a row

    def next(self) -> Job | None:
        """The next element for user code; None when there is none left or the run is being stopped."""
        while not self._halt.is_stopped:
            if self._window:
                self._spare = self._spare or int(not any(slot.done() for slot in self._window))
                self._look_ahead(self._ahead + 1)  # user code has none: that one is missing
                job = self._await()
            elif self._halt.is_over:
                return None
            else:
                job = self._fetch(None)
            if self._halt.is_stopped:
                return None
            self._look_ahead(self._ahead + self._spare)
            if job is not None and self._take_out(job):
                return job
        return None

    def give_back(self, within: float | None = None) -> list[Job]:
        """Stop, wait for what is on its way; the elements that user code never got. From any thread.

        What is stuck, as in a connection that is not established, is given back as it is, if it is ours to end. An
        element whose start is just being reported is not: a later call gives it back.

        Args:
            within: How many seconds to wait at most; a little by default.
        """
        self._halt.stop()
        with self._lock:
            window = list(self._window)
        wait(window, timeout=PATIENCE if within is None else within)
        with self._lock:
            left = [job for job in self._jobs.values() if job.is_held or job.is_ready]
            for job in left:
                del self._jobs[id(job)]
        return left

    def close(self) -> None:
        """Let idle threads go."""
        self._threads.close()

    def _await(self) -> Job | None:
        """The element that is next: of a list the first, of a queue whichever comes first."""
        stopped: Future[Any] = self._halt.stopped
        first: Future[Any] = self._window[0]
        if not self._worklist.is_queue and not first.done():
            wait([first, stopped], HELD_UP, FIRST_COMPLETED)
            if not first.done():  # it waits for another attempt: others need not wait for it
                with self._lock:
                    self._window.rotate(-1)
        candidates = [first] if not self._worklist.is_queue and first.done() else list(self._window)
        if not any(slot.done() for slot in candidates):
            wait([*candidates, stopped], return_when=FIRST_COMPLETED)
        for slot in candidates:
            if slot.done():
                with self._lock:
                    self._window.remove(slot)
                return slot.result()
        return None

    def _look_ahead(self, most: int) -> None:
        while self._ahead and len(self._window) < most and not self._timing.is_fast and not self._halt.is_over:
            job = None
            if not self._worklist.is_queue and (job := self._take()) is None:
                return
            slot = self._threads.submit(lambda job=job: self._try(job))  # type: ignore[misc] # it is a Job or None
            with self._lock:
                self._window.append(slot)

    def _try(self, job: Job | None) -> Job | None:
        try:
            return self._fetch(job)
        except BaseException as error:  # a defect of ours must end the run, not hang it
            logger.exception("the intake of elements failed")
            self._halt.give_up(error if isinstance(error, Exception) else RuntimeError("the intake of elements failed"))
            return None

    def _fetch(self, job: Job | None) -> Job | None:
        """Make an element ready, which is taken here unless it is given; None when there is nothing to be done."""
        start = perf_counter()
        job = job or self._take()
        if job is None:
            return None
        if not job.is_held and self._halt.is_stopped:
            self._take_out(job)
            return None
        is_reached = self._retrieval.prepare(job)
        job.is_ready = job.is_held or job.is_taken or not self._halt.is_stopped
        if not job.is_ready:  # stopped before anything was done about it
            self._take_out(job)
            return None
        self._timing.spend("retrieving", perf_counter() - start)
        self._note_reach(job, is_reached=is_reached)
        return job

    def _take(self) -> Job | None:
        """Ask the worklist until it answers, or has failed too often."""
        while not self._halt.is_over:
            try:
                job = self._worklist.take()
            except ApiError as error:
                self._note_failure(error)
                continue
            self._failures = 0
            if job is None:
                self._halt.is_over = True
                return None
            with self._lock:
                self._jobs[id(job)] = job
            return job
        return None

    def _take_out(self, job: Job) -> bool:
        """Whether it is the caller's from now on."""
        with self._lock:
            return self._jobs.pop(id(job), None) is not None

    def _note_reach(self, job: Job, *, is_reached: bool) -> None:
        """Elements of a list would fail to the last while Arkindex is out of reach: the run ends instead."""
        self._unreached = 0 if is_reached else self._unreached + 1
        if self._unreached < MOST_FAILURES or self._halt.is_stopped or self._halt.error is not None:
            return
        if job.failure is not None:
            logger.error("giving up on the remaining elements: %s", job.failure)
            self._halt.give_up(job.failure)

    def _note_failure(self, error: ApiError) -> None:
        self._failures += 1
        if self._halt.is_stopped:
            return
        if is_refusal(error) or not self._worklist.is_queue or self._failures >= MOST_FAILURES:
            logger.error("no more elements can be retrieved: %s", error)
            self._halt.give_up(error)
        else:
            logger.warning("%s; trying once more", error)
