"""How elements end: their results are published and their states reported while user code works on the next ones.

`Reports` does so on Arkindex; with a results file, `Records` keeps both in its place.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.arkindex.activities import State, is_refusal
from arkworker.errors import ApiError, PublicationError
from arkworker.runtime.loop.in_hand import InHand, Stage
from arkworker.runtime.loop.threads import Threads
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from concurrent.futures import Future

    from arkworker.arkindex.activities import Activities
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.arkindex.publishing.publisher import Publisher
    from arkworker.elements.model import Element
    from arkworker.runtime.failures import Failures
    from arkworker.runtime.loop.intake import Halt
    from arkworker.runtime.loop.outcome import Outcome
    from arkworker.runtime.loop.threads import Timing

logger = logging.getLogger("arkworker.elements")

LEFT_BEFORE = "an earlier run ended while it worked on this element"
ROUNDS = 2  # of attempts at what is still open when a run ends
MOST_THREADS = 16
MOST_FAILURES = 4  # of reports in a row, each after five attempts: then Arkindex is out of reach
MOST_RETRIES = 2  # in a row that fail, in one round of those that are still open before the process ends
_LONGEST_CHAIN = 20  # errors


@dataclass(slots=True, eq=False)
class Ending:
    """What is still to be done about an element after user code.

    Attributes:
        id: The id of the element.
        state: How it ended.
        element: The element; None where results have been published or there are none.
        results: What user code found, until it is published.
        reason: Why it ended in error.
        is_held: Its activity is `started` as far as we know, not merely perhaps.
        is_doubtful: Some of its results may be on Arkindex although that was not confirmed.
        uncertain: Reports so far that Arkindex may have acted upon although their answer was lost.
        tries: How often reporting it has failed.
        pause: How many other elements are to be reported before it is tried again.
    """

    id: str
    state: State
    element: Element | None = None
    results: tuple[Any, ...] = ()
    reason: str = ""
    is_held: bool = True
    is_doubtful: bool = False
    uncertain: int = 0
    tries: int = 0
    pause: int = 0


def leaves_doubt(error: BaseException) -> bool:
    """Whether what an error, or one that it was raised from, tried to write may be on Arkindex all the same."""
    shown: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if isinstance(shown, ApiError | PublicationError):
            return bool(shown.uncertain)
        shown = shown.__cause__ if shown is not None else None
    return False


class Ends(Protocol):
    """Ends each element once, and counts it then."""

    def begin(self, elements: Sequence[Element]) -> None:
        """User code gets these elements now: what it publishes meanwhile belongs to them."""

    def submit(self, ending: Ending) -> None:
        """End an element; from any thread."""

    def settle(self, current: Collection[str] = ()) -> dict[str, Exception]:
        """Write to the cache what was published, between two sessions of user code.

        Args:
            current: The elements that user code has just succeeded for.

        Returns:
            Why what user code itself published on one of those could not be written, by its id.
        """

    def close(self, *, rounds: int = ROUNDS, within: float | None = None) -> None:
        """Come to an end with all that was submitted, and count what cannot be ended as uncertain.

        Args:
            rounds: Of attempts at what is still open then.
            within: Seconds; None for as long as it takes.
        """


def end_left(left: Mapping[str, Stage], reason: str, ends: Ends, failures: Failures) -> None:
    """End what a process had in hand when it was killed, but for what user code had not begun.

    Args:
        left: How far its elements were, by their ids.
        reason: Why what user code had in hand ends in error.
        ends: Where elements end.
        failures: Told of those that failed.
    """
    for element_id, stage in left.items():
        if stage in (Stage.WORKING, Stage.PROCESSED, Stage.ERROR):
            if stage is Stage.WORKING:
                failures.add_reason(element_id, reason)
            state = State.PROCESSED if stage is Stage.PROCESSED else State.ERROR
            # It may have been reported just before.
            ends.submit(Ending(element_id, state, reason=reason if stage is Stage.WORKING else "", uncertain=1))


class Reports:
    """Ends elements on Arkindex, each in one go: its results first, then its state. In threads, where that is worth it.

    A report that fails is kept, tried again after later ones that succeed, less and less often, and before the process
    ends.

    Args:
        activities: Where states are reported; None when they are not.
        publisher: Where results go.
        outcome: Told what became of each element.
        halt: Told when one report after the other fails: more elements would only stay started.
        timing: Told how long publishing takes; knows whether that is worth a thread.
        in_hand: Where it is noted what is still to be reported.
        behind: How many endings may be worked on side by side; when one more waits, so does the main thread.
        outbox: Where published results wait for the cache; None without one.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        activities: Activities | None,
        publisher: Publisher,
        *,
        outcome: Outcome,
        halt: Halt,
        timing: Timing,
        in_hand: InHand,
        behind: int,
        outbox: Outbox | None = None,
    ) -> None:
        self._activities = activities
        self._publisher = publisher
        self._outcome = outcome
        self._halt = halt
        self._timing = timing
        self._in_hand = in_hand
        self._threads = Threads(min(behind, MOST_THREADS), "reports") if behind else None
        # One more than are worked on side by side, so that these never wait.
        self._permits = threading.Semaphore(behind + 1)
        self._under_way: set[Future[None]] = set()
        self._open: dict[int, Ending] = {}  # submitted and not yet counted; who takes one out counts it
        self._counting = threading.Lock()
        self._kept: deque[Ending] = deque()
        self._failures = 0  # of reports in a row
        self._is_closing = False
        self._outbox = outbox
        self._published: deque[Ending] = deque()  # until `settle`
        self._uncached: dict[str, Exception] = {}  # by element, until its ending is settled
        self._main = threading.get_ident()

    def begin(self, elements: Sequence[Element]) -> None:
        """As `Ends`; what user code publishes meanwhile is on Arkindex at once."""

    def submit(self, ending: Ending) -> None:
        """As `Ends`; waits while too many are waiting."""
        self._open[id(ending)] = ending
        if self._activities is None and not ending.results:
            self._count(ending, ending.state)
            return
        self._note(ending)
        if self._threads is None or self._timing.is_fast or self._is_closing:
            self._finish(ending)
            return
        self._permits.acquire()
        task = self._threads.submit(lambda: self._finish_behind(ending))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def settle(self, current: Collection[str] = ()) -> dict[str, Exception]:
        """As `Ends`, and report what was written; in the thread of user code."""
        if self._outbox is None:
            return {}
        # First these: the rows of all of them are in the outbox by then. Rows of others may be, too.
        published = list(iter(partial(_take, self._published), None))
        is_main = threading.get_ident() == self._main
        self._uncached |= self._outbox.flush() if is_main else self._outbox.abandon()
        for ending in published:
            if (failure := self._uncached.pop(ending.id, None)) is not None:
                ending.state = State.ERROR
                self._outcome.failures.add(ending.id, failure, traced=False)
            self.submit(ending)
        return {name: self._uncached.pop(name) for name in current if name in self._uncached}

    def close(self, *, rounds: int = ROUNDS, within: float | None = None) -> None:
        """As `Ends`. From any thread; another one may be closing at the same time."""
        end = None if within is None else monotonic() + within
        wait(tuple(self._under_way), None if end is None else max(0.0, end - monotonic()))
        self._is_closing = True
        self.settle()
        for element_id, failure in self._uncached.items():  # published by user code, or a part of what failed
            logger.error("element %s: %s", printable(element_id, 60), failure)
        for _ in range(rounds):
            self._retry_all()
        with self._counting:  # what another thread has taken out is counted then
            left = tuple(self._open.values())
        for ending in left:
            self._lose(ending, "its state could not be reported")
        if self._threads is not None:
            self._threads.close()

    def _finish_behind(self, ending: Ending) -> None:
        try:
            self._finish(ending)
        finally:
            self._permits.release()

    def _finish(self, ending: Ending) -> None:
        start = perf_counter()
        try:
            self._end(ending)
        finally:
            self._timing.spend("publishing", perf_counter() - start)

    def _end(self, ending: Ending) -> None:
        if ending.results and ending.element is not None:
            try:
                self._publisher.publish(ending.element, ending.results)
            except Exception as error:  # noqa: BLE001 - whatever it raises concerns this element
                ending.state = State.ERROR
                ending.is_doubtful = leaves_doubt(error)
                self._outcome.failures.add(ending.id, error, traced=False)
            ending.element, ending.results = None, ()
            if self._outbox is not None and ending.state is State.PROCESSED:
                self._published.append(ending)
                return
        ending.element, ending.results = None, ()
        self._note(ending)
        if self._report(ending):
            self._retry_one()
        else:
            self._kept.append(ending)

    def _report(self, ending: Ending) -> bool:
        """Report a state; False when it should be tried again."""
        try:
            if self._activities is not None:
                self._activities.end(ending.id, ending.state, uncertain=ending.uncertain)
        except ApiError as error:
            ending.uncertain += error.uncertain
            if is_refusal(error):
                self._lose(ending, str(error))
                return True
            logger.warning("element %s: %s; trying again later", printable(ending.id, 60), error)
            self._note_failure(ending, error)
            return False
        except Exception:  # a defect of ours must not stop the reports of other elements
            logger.exception("element %s: its end could not be reported", printable(ending.id, 60))
            return False
        self._failures = 0
        self._count(ending, ending.state)
        return True

    def _note_failure(self, ending: Ending, error: ApiError) -> None:
        ending.tries += 1
        self._failures += ending.tries == 1  # one element alone is not an outage
        if ending.tries == 1 and self._failures >= MOST_FAILURES:
            self._halt.give_up(error)

    def _note(self, ending: Ending) -> None:
        """What the next run of this task is to report if this one is killed; nothing while results are on their way."""
        if self._activities is not None and not ending.results:
            self._in_hand.note(ending.id, Stage.PROCESSED if ending.state is State.PROCESSED else Stage.ERROR)

    def _retry_one(self) -> None:
        """After a success, the report that was kept first; one that keeps failing waits for more and more of them."""
        if (ending := _take(self._kept)) is None:
            return
        ending.pause -= 1
        if ending.pause >= 0 or not self._report(ending):
            if ending.pause < 0:
                ending.pause = 2**ending.tries
            self._kept.append(ending)

    def _retry_all(self) -> None:
        failures = 0  # in a row: after two, the others are left to the next round
        for _ in range(len(self._kept)):
            if (ending := _take(self._kept)) is None:
                return
            if self._report(ending):
                failures = 0
                continue
            self._kept.append(ending)
            failures += 1
            if failures == MOST_RETRIES:
                return

    def _lose(self, ending: Ending, reason: str) -> None:
        if not ending.is_held:
            self._count(ending, State.ERROR)
        elif self._count_once(ending, None):
            logger.error("element %s is not %s on Arkindex: %s", printable(ending.id, 60), ending.state, reason)

    def _count(self, ending: Ending, state: State) -> None:
        self._count_once(ending, None if ending.is_doubtful else state)
        self._in_hand.forget(ending.id)

    def _count_once(self, ending: Ending, state: State | None) -> bool:
        """Count an element that is still open, without a state as uncertain; answers whether it was."""
        with self._counting:
            if self._open.pop(id(ending), None) is None:
                return False
            if state is None:
                self._outcome.tally.count("uncertain", element_id=ending.id)
            else:
                self._outcome.tally.settle(state, ending.id)
            return True


def _take(queue: deque[Ending]) -> Ending | None:
    """The one that has waited longest; None where there is none, as another thread was faster."""
    try:
        return queue.popleft()
    except IndexError:
        return None
