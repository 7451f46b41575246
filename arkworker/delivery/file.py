"""The publication of a whole results file: several elements side by side, counted and summed up."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from arkworker.arkindex.activities import State
from arkworker.arkindex.publishing.lookup import AmbiguousError
from arkworker.delivery.element import refuses
from arkworker.errors import ApiError, ApiResponseError, ArkworkerError, ConfigurationError, StoppedError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.activities import Activities
    from arkworker.delivery.element import Sender
    from arkworker.delivery.journal import Standing
    from arkworker.runtime.loop.failures import Failures
    from arkworker.runtime.loop.outcome import Tally
    from arkworker.runtime.loop.progress import ProgressDisplay
    from arkworker.storage.recording.lines import Entry
    from arkworker.storage.recording.reading import Recording

logger = logging.getLogger("arkworker.publishing")

MOST_THREADS = 4
_HINT = "--no-worker-activity publishes results without states"


class _RefusedError(ArkworkerError):
    """The start of an element was refused: nothing of it is published."""


class Publication:
    """Publishes what of a results file is not published yet.

    Args:
        recording: The file.
        sender: Sends the results, and has the journal.
        activities: Where states are reported; None where there are none.
        tally: Counts what became of each element.
        failures: Told of those that failed.
        bar: Told after each element.

    Attributes:
        left: Ids of the elements that are still to be published.
        error: What ended it early.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        recording: Recording,
        sender: Sender,
        activities: Activities | None,
        *,
        tally: Tally,
        failures: Failures,
        bar: ProgressDisplay,
    ) -> None:
        self.error: BaseException | None = None
        self._recording = recording
        self._sender = sender
        self._activities = activities
        self._tally = tally
        self._failures = failures
        self._bar = bar
        self._lock = threading.Lock()
        self.left = [name for name, place in recording.places.items() if not self._standing(name, place.line).state]
        self._waiting: Iterator[str] = iter(self.left)

    def perform(self) -> None:
        """Publish, until all is done or something ends it."""
        tally = len(self._recording.places) - len(self.left)
        if tally:
            self._tally.count("skipped", tally)
        threads = min(MOST_THREADS, len(self.left))
        with self._bar, ThreadPoolExecutor(max(1, threads), "publishing") as pool:
            for _ in range(threads):
                pool.submit(self._work)
        if self.error is not None and not isinstance(self.error, StoppedError | ApiError):
            raise self.error

    def _standing(self, element_id: str, line: int) -> Standing:
        return self._sender.journal.standing(element_id, line)

    def _work(self) -> None:
        while (element_id := self._next()) is not None:
            try:
                outcome = self._deliver(element_id)
            except BaseException as error:  # noqa: BLE001 - told in the main thread
                with self._lock:
                    self.error = self.error or error
                return
            with self._lock:
                self._tally.count(outcome)
                self._bar.advance()

    def _next(self) -> str | None:
        with self._lock:
            if self.error is not None:
                return None
            return next(self._waiting, None)

    def _deliver(self, element_id: str) -> str:
        """Publish an element; how it counts."""
        self._sender.check()
        line = self._recording.places[element_id].line
        with self._lock:
            entry = self._recording.entry(element_id)
        standing = self._standing(element_id, line)
        was_closing = standing.is_closing
        try:
            if not self._start(entry, standing):
                return "skipped"
            state = self._publish(entry, standing)
        except _RefusedError as error:
            self._failures.add(element_id, error, traced=False)
            return "failed"
        except AmbiguousError as error:
            logger.error("element %s: %s", printable(element_id, 60), error)  # noqa: TRY400 - one line says it
            self._end(entry, standing, State.ERROR, is_repeated=False)
            return "uncertain"
        if not self._end(entry, standing, state, is_repeated=was_closing):
            return "uncertain"
        return "processed" if state is State.PROCESSED else "failed"

    def _start(self, entry: Entry, standing: Standing) -> bool:
        """Report the start, unless it was reported; False when another process has the element."""
        is_under_way = standing.has_begun and (standing.next or standing.since or standing.is_closing)
        if self._activities is None or is_under_way or (entry.claimed and not standing.has_ended):
            return True
        was_begun = standing.has_begun
        self._note(entry, standing, "start", sync=True)
        try:
            is_ours = self._activities.start(entry.element.id) or was_begun
        except ApiResponseError as error:
            if not refuses(error):
                raise
            self._note(entry, standing, "taken")
            raise _RefusedError(f"its start was refused: {error}; {_HINT}") from None
        if not is_ours:
            self._note(entry, standing, "taken")
            logger.warning(
                "element %s is skipped: another process has it, or the process of the worker run does not; %s",
                printable(entry.element.id, 60),
                _HINT,
            )
        return is_ours

    def _publish(self, entry: Entry, standing: Standing) -> State:
        """Send the results; the state that the element is then in."""
        try:
            if entry.parts and not standing.is_closing:
                self._sender.send(entry, standing)
        except (StoppedError, ConfigurationError, AmbiguousError):
            raise
        except ArkworkerError as error:
            if isinstance(error, ApiError) and not refuses(error):
                raise
            self._failures.add(entry.element.id, error, traced=False)
            return State.ERROR
        self._note(entry, standing, "close")
        if entry.state == "error":
            self._failures.add_reason(entry.element.id, printable(entry.reason or "recorded as an error", 300))
        return State(entry.state)

    def _end(self, entry: Entry, standing: Standing, state: State, *, is_repeated: bool) -> bool:
        """Report the end; False when it was refused."""
        # What is not wholly published is tried again by the next publication.
        final = str(state) if standing.is_closing else ""
        if self._activities is not None:
            try:
                self._activities.end(entry.element.id, state, uncertain=int(is_repeated))
            except ApiResponseError as error:
                if not refuses(error):
                    raise
                logger.error("element %s: its end was refused: %s", printable(entry.element.id, 60), error)  # noqa: TRY400 - one line says it
                return False
        self._note(entry, standing, "end", state=final)
        return True

    def _note(self, entry: Entry, standing: Standing, step: str, *, sync: bool = False, **values: str) -> None:
        self._sender.journal.note(entry.element.id, standing.line, step, sync=sync, **values)
