"""Report behind: publish what was found and report the state of an element while user code works on the next one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

from arkworker.errors import ApiError
from arkworker.runtime.loop.activities import is_refusal
from arkworker.runtime.loop.jobs import Ending, State
from arkworker.runtime.loop.journal import Stage
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.loop.activities import Activities
    from arkworker.runtime.loop.journal import Journal
    from arkworker.runtime.loop.tally import Tally
    from arkworker.runtime.publishing import Publisher

logger = logging.getLogger(__name__)

MOST_THREADS = 4
ROUNDS = 3  # of attempts at the reports that are still open before the process ends


class Reports:
    """Ends elements, each in one go: its results first, then its state. After `go_behind`, in threads of its own.

    A report that fails is kept, tried again after the next one that succeeds, and once more before the process ends.

    Args:
        activities: Where states are reported; None when they are not.
        publisher: Where results go.
        tally: Counts what became of each element.
        on_failure: Told of an element whose results could not be published.
        journal: Where it is noted what is still to be reported.
        behind: How many endings may wait; more make the main thread wait.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it connects
        self,
        activities: Activities | None,
        publisher: Publisher,
        tally: Tally,
        on_failure: Callable[[str, Exception], None],
        journal: Journal,
        behind: int,
    ) -> None:
        self._activities = activities
        self._publisher = publisher
        self._tally = tally
        self._on_failure = on_failure
        self._journal = journal
        self._behind = behind
        self._is_behind = False
        self._most_threads = min(max(1, behind), MOST_THREADS)
        self._waiting: SimpleQueue[Ending | None] = SimpleQueue()
        self._permits: SimpleQueue[bool] = SimpleQueue()  # one for each ending that may wait
        self._kept: deque[Ending] = deque()
        self._threads: list[threading.Thread] = []

    def go_behind(self) -> None:
        """Report in threads from now on; from any thread, once."""
        for _ in range(self._behind):
            self._permits.put(True)
        self._is_behind = self._behind > 0

    def submit(self, ending: Ending) -> None:
        """End an element, or leave it to a thread of ours; waits while too many are waiting."""
        if self._activities is None and not ending.results:
            self._tally.settle(ending.state)
            return
        self._note(ending)
        if not self._is_behind:
            self._finish_safely(ending)
        else:
            self._permits.get()
            if len(self._threads) < self._most_threads and (not self._threads or not self._waiting.empty()):
                self._start_thread()
            self._waiting.put(ending)

    def close(self) -> None:
        """Try all that is left, and count what cannot be reported as uncertain."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        for _ in range(ROUNDS):
            self._try_kept(len(self._kept))
        for ending in self._kept:
            self._lose(ending, "its state could not be reported")
        self._kept.clear()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"reports-{len(self._threads) + 1}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (ending := self._waiting.get()) is not None:
            self._permits.put(True)
            self._finish_safely(ending)

    def _finish_safely(self, ending: Ending) -> None:
        try:
            self._finish(ending)
        except Exception:  # a defect of ours must not stop the reports of other elements
            logger.exception("element %s: its end could not be reported", printable(ending.id, 60))
            self._tally.count("uncertain")

    def _finish(self, ending: Ending) -> None:
        if ending.results and ending.element is not None:
            try:
                self._publisher.publish(ending.element, ending.results)
            except Exception as error:  # noqa: BLE001 - whatever it raises concerns this element
                ending.state = State.ERROR
                self._on_failure(ending.id, error)
        ending.element, ending.results = None, ()
        self._note(ending)
        if self._report(ending):
            self._try_kept(1)
        else:
            self._kept.append(ending)

    def _report(self, ending: Ending) -> bool:
        """Report a state; False when it should be tried again."""
        if self._activities is not None:
            try:
                self._activities.end(ending.id, ending.state, uncertain=ending.uncertain)
            except ApiError as error:
                ending.uncertain += error.uncertain
                if not is_refusal(error):
                    logger.warning("element %s: %s; trying again later", printable(ending.id, 60), error)
                    return False
                self._lose(ending, str(error))
                return True
        self._tally.settle(ending.state)
        self._journal.forget(ending.id)
        return True

    def _note(self, ending: Ending) -> None:
        """What the next run of this task is to report if this one is killed; nothing while results are on their way."""
        if self._activities is not None and not ending.results:
            self._journal.note(ending.id, Stage.PROCESSED if ending.state is State.PROCESSED else Stage.ERROR)

    def _try_kept(self, number: int) -> None:
        for _ in range(number):
            try:
                ending = self._kept.popleft()
            except IndexError:  # another thread was faster
                return
            if not self._report(ending):
                self._kept.append(ending)
                return

    def _lose(self, ending: Ending, reason: str) -> None:
        if ending.is_held:
            logger.error("element %s stays started on Arkindex: %s", printable(ending.id, 60), reason)
            self._tally.count("uncertain")
        else:
            self._tally.settle(State.ERROR)
