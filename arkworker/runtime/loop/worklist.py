"""Where elements come from, one at a time: the queue of a task, a listing, and what a run before had in hand."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.errors import ApiContentError, ApiError, ApiResponseError
from arkworker.runtime.loop.in_hand import Stage
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.elements.model import Element
    from arkworker.runtime.loop.in_hand import InHand
    from arkworker.runtime.loop.outcome import Tally

logger = logging.getLogger("arkworker.elements")

CLAIM = "StartWorkerActivity"
REMEMBERED = 1000  # claims
MOST_REPEATS = 4  # claims in a row that name what was claimed before


@dataclass(slots=True, eq=False)
class Job:
    """One element, from where it comes from to user code.

    Attributes:
        id: Its id.
        answer: What the worklist knows of it; None when it is to be retrieved.
        element: What user code gets; None until it is retrieved.
        failure: Why user code cannot have it.
        is_held: Its activity is ours to end: it was claimed or started here, or may have been.
        is_perhaps_held: A run before was killed while it reported the start of this element.
        is_taken: Another process has it.
        is_ready: All that can be done ahead has been done.
    """

    id: str
    answer: Any = None
    element: Element | None = None
    failure: Exception | None = None
    is_held: bool = False
    is_perhaps_held: bool = False
    is_taken: bool = False
    is_ready: bool = False


class Worklist(Protocol):
    """Hands out elements, one at a time.

    Attributes:
        count: How many there are in all; None when unknown.
        is_queue: Elements come in no order, from any thread, and a failure to take one does not prevent taking the
            next. Otherwise one thread takes them, and they are to reach user code in that order.
    """

    count: int | None
    is_queue: bool

    def take(self) -> Job | None:
        """The next element; None when there is none left.

        Raises:
            ApiError: Arkindex does not say.
        """

    def take_left(self) -> Job | None:
        """One that a run before had in hand and not begun; None when there is none left of those."""


class Queue:
    """The queue of a task's worker run: a claim marks the element as started, and no other task gets it.

    A claim whose answer is lost may have marked an element that no process has. No client can mend that; it is counted.
    """

    count: int | None = None
    is_queue = True

    def __init__(self, client: Client, tally: Tally, in_hand: InHand) -> None:
        self._client = client
        self._tally = tally
        self._in_hand = in_hand
        self._claimed: deque[str] = deque(maxlen=REMEMBERED)
        self._repeats = 0  # in a row
        self._is_empty = False  # told

    def take(self) -> Job | None:
        while True:
            with self._in_hand.claiming():
                element_id = self._claim()
                if element_id is None:
                    return None
                is_here = element_id in self._in_hand
                self._check_repeats(element_id, is_here=is_here)
                if not is_here:
                    self._in_hand.note(element_id, Stage.HELD)
                    return Job(element_id, is_held=True)
            logger.warning("element %s is handed out again while it is being processed", printable(element_id, 60))

    def take_left(self) -> Job | None:
        return None

    def _claim(self) -> str | None:
        """The id of an element that is ours from now on; None when there is none left.

        Raises:
            ApiError: Arkindex does not say.
        """
        try:
            outcome = self._client.request_with_outcome(CLAIM)
        except ApiError as error:
            self._note_lost(error.uncertain)
            if isinstance(error, ApiResponseError) and error.status in (400, 404):
                level = logging.INFO if error.status == 404 else logging.WARNING
                if not self._is_empty:
                    self._is_empty = True
                    logger.log(level, "no more elements in the queue: %s", error.message)
                return None
            raise
        self._note_lost(outcome.uncertain)
        element_id = outcome.value.get("id") if isinstance(outcome.value, dict) else None
        if not isinstance(element_id, str) or not element_id:
            self._note_lost(1)
            raise ApiContentError(CLAIM, "the answer does not name an element", status=200)
        return element_id

    def _check_repeats(self, element_id: str, *, is_here: bool) -> None:
        """One that was handed out before may have been started again by a person; the same for ever is a defect.

        Raises:
            ApiContentError: It is.
        """
        self._repeats = self._repeats + 1 if element_id in self._claimed else 0
        self._claimed.append(element_id)
        if self._repeats >= MOST_REPEATS:
            self._note_lost(int(not is_here))
            message = f"the queue hands out element {printable(element_id, 60)} again and again"
            raise ApiContentError(CLAIM, message, status=200)

    def _note_lost(self, number: int) -> None:
        if number:
            logger.warning(
                "%s: %d lost answers; each may have started an element that no worker processes", CLAIM, number
            )
            self._in_hand.note_lost(number)
            self._tally.count("uncertain", number)


class Listing:
    """Elements that are listed: by ids alone, or with all that there is to know about them.

    Args:
        items: Pairs of an id and an answer of the API, or None where the element is still to be retrieved. May be
            fetched page by page; one thread at a time takes from it. An element that comes twice is handed out once.
        count: How many there are, where that is known.
    """

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

    def take_left(self) -> Job | None:
        return None


class Resumed:
    """What a run before had in hand and not begun, then another worklist, without what that run had in hand.

    Args:
        first: What is ours already, or perhaps.
        known: Ids of all that the other one should not bring again.
        then: The other one.
    """

    def __init__(self, first: Iterable[Job], known: Collection[str], then: Worklist) -> None:
        self.count = then.count
        self.is_queue = then.is_queue
        self._first = deque(first)
        self._known = known
        self._then = then

    def take_left(self) -> Job | None:
        try:
            return self._first.popleft()
        except IndexError:
            return self._then.take_left()

    def take(self) -> Job | None:
        if (left := self.take_left()) is not None:
            return left
        while (job := self._then.take()) is not None and job.id in self._known and not job.is_held:
            pass
        return job


def not_begun(stages: Mapping[str, Stage]) -> Iterator[Job]:
    """What of a run that was killed user code had not got: claimed or started already, or perhaps."""
    for name, stage in stages.items():
        if stage in (Stage.HELD, Stage.STARTING):
            yield Job(name, is_held=stage is Stage.HELD, is_perhaps_held=stage is Stage.STARTING)
