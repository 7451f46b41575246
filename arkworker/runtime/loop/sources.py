"""Where elements come from: claims of the task's queue, or a list."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.errors import ApiContentError, ApiError, ApiResponseError
from arkworker.runtime.loop.jobs import Job
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from arkworker.arkindex.client import Client
    from arkworker.runtime.loop.tally import Tally

logger = logging.getLogger("arkworker.elements")

CLAIM = "StartWorkerActivity"


class Source(Protocol):
    """Hands out elements, one at a time.

    Attributes:
        count: How many there are in all; None when nobody knows.
        is_ordered: Elements are to reach user code in the order in which they are taken.
        is_queue: A failure to take one does not prevent taking the next.
    """

    count: int | None
    is_ordered: bool
    is_queue: bool

    def take(self) -> Job | None:
        """The next element; None when there is none left.

        Raises:
            ApiError: Arkindex does not say.
        """


class Queue:
    """The queue of a task's worker run: a claim marks the element as started, and no other task gets it.

    A claim whose answer is lost may have marked an element that nobody has. Clients cannot repair that; it is counted.
    """

    count: int | None = None
    is_ordered = False
    is_queue = True

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally

    def take(self) -> Job | None:
        try:
            outcome = self._client.request_with_outcome(CLAIM)
        except ApiError as error:
            self._note_lost(error.uncertain)
            if isinstance(error, ApiResponseError) and error.status in (400, 404):
                level = logging.INFO if error.status == 404 else logging.WARNING
                logger.log(level, "no more elements in the queue: %s", error.message)
                return None
            raise
        self._note_lost(outcome.uncertain)
        element_id = outcome.value.get("id") if isinstance(outcome.value, dict) else None
        if not isinstance(element_id, str) or not element_id:
            self._note_lost(1)
            raise ApiContentError(CLAIM, "the answer names no element", status=200)
        return Job(element_id, is_held=True)

    def _note_lost(self, number: int) -> None:
        if number:
            logger.warning("%s: %d lost answers; each may have started an element that nobody has", CLAIM, number)
            self._tally.count("uncertain", number)


class Listing:
    """Elements that are listed: by ids alone, or with all that there is to know about them.

    Args:
        items: Pairs of an id and an answer of the API, or None where the element is still to be retrieved. May be
            fetched page by page; one thread at a time takes from it. An element that comes twice is handed out once.
        count: How many there are, where that is known.
    """

    is_ordered = True
    is_queue = False

    def __init__(self, items: Iterable[tuple[str, Any]], count: int | None = None) -> None:
        self.count = count
        self._items = iter(items)
        self._seen: set[str] = set()

    def take(self) -> Job | None:
        for element_id, answer in self._items:
            if element_id in self._seen:
                logger.warning("element %s is listed twice; it is processed once", printable(element_id, 60))
                continue
            self._seen.add(element_id)
            return Job(element_id, answer)
        return None


class Resumed:
    """What a run before had in hand and not begun, then another source, without what that run had in hand.

    Args:
        held: Ids of elements that are ours already.
        known: Ids of all that the other source should not bring again.
        source: The other source.
    """

    def __init__(self, held: Iterable[str], known: Collection[str], source: Source) -> None:
        self.count = source.count
        self.is_ordered = source.is_ordered
        self.is_queue = source.is_queue
        self._held = deque(held)
        self._known = known
        self._source = source

    def take(self) -> Job | None:
        try:
            return Job(self._held.popleft(), is_held=True)
        except IndexError:
            pass
        while (job := self._source.take()) is not None and job.id in self._known and not job.is_held:
            pass
        return job
