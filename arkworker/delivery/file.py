"""The publication of whole results files: several elements side by side, counted and summed up."""

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
    from collections.abc import Iterator, Sequence

    from arkworker.arkindex.activities import Activities
    from arkworker.delivery.element import ResultsFile
    from arkworker.delivery.journal import Standing
    from arkworker.runtime.loop.outcome import Outcome
    from arkworker.runtime.loop.progress import ProgressDisplay
    from arkworker.storage.recording.lines import Entry

logger = logging.getLogger("arkworker.publishing")

MOST_THREADS = 4
_HINT = "--no-worker-activity publishes results without states"


class _RefusedError(ArkworkerError):
    """The start of an element was refused: nothing of it is published."""


class Publication:
    """Publishes what of results files is not published yet.

    Of an element that is in several files, the last one counts, as the last line does in one file; unless another was
    published already, as `processed`: results are not sent twice.

    Args:
        files: The files, in the order that a person named them in.
        activities: Where states are reported; None where there are none.
        outcome: Told what became of each element.
        bar: Told after each element.

    Attributes:
        left: Ids of the elements that are still to be published, each with the file that counts.
        count: How many elements there are.
        error: What ended it early.
    """

    def __init__(
        self, files: Sequence[ResultsFile], activities: Activities | None, *, outcome: Outcome, bar: ProgressDisplay
    ) -> None:
        self.error: BaseException | None = None
        self._activities = activities
        self._outcome = outcome
        self._bar = bar
        self._lock = threading.Lock()
        self._several: list[tuple[str, ResultsFile]] = []  # what is in several files, each with another of them
        counting: dict[str, ResultsFile] = {}
        for file in files:
            self._several += [(name, counting[name]) for name in file.recording.places if name in counting]
            counting.update(dict.fromkeys(file.recording.places, file))
        self.count = len(counting)
        published = self._follow(counting)
        self.left = [
            (name, file) for name, file in counting.items() if name not in published and not file.standing(name).state
        ]
        self._waiting: Iterator[tuple[str, ResultsFile]] = iter(self.left)

    def perform(self) -> None:
        """Publish, until all is done or something ends it."""
        if self._several:
            name, file = self._several[0]
            logger.warning(
                "%d elements are in several files, such as %s in %s: the last counts, unless one is already published",
                len({element_id for element_id, _ in self._several}),
                printable(name, 60),
                printable(file.name),
            )
        if len(self.left) < self.count:
            self._outcome.tally.count("skipped", self.count - len(self.left))
        threads = min(MOST_THREADS, len(self.left))
        with self._bar, ThreadPoolExecutor(max(1, threads), "publishing") as pool:
            for _ in range(threads):
                pool.submit(self._work)
        if self.error is not None and not isinstance(self.error, StoppedError | ApiError):
            raise self.error

    def _follow(self, counting: dict[str, ResultsFile]) -> set[str]:
        """Make known what other files say of the same activities; the elements that are published from those."""
        published = set()
        for element_id, other in self._several:
            before = other.standing(element_id)
            counting[element_id].standing(element_id).follow(before)
            if before.state == State.PROCESSED:
                published.add(element_id)
        return published

    def _work(self) -> None:
        while (following := self._next()) is not None:
            try:
                outcome = self._deliver(*following)
            except BaseException as error:  # noqa: BLE001 - told in the main thread
                with self._lock:
                    self.error = self.error or error
                return
            with self._lock:
                self._outcome.tally.count(outcome)
                self._bar.advance()

    def _next(self) -> tuple[str, ResultsFile] | None:
        with self._lock:
            if self.error is not None:
                return None
            return next(self._waiting, None)

    def _deliver(self, element_id: str, file: ResultsFile) -> str:
        """Publish an element; how it counts."""
        file.check()
        with self._lock:
            entry = file.recording.entry(element_id)
        standing = file.standing(element_id)
        was_closing = standing.is_closing
        try:
            if not self._start(file, entry, standing):
                return "skipped"
            state = self._publish(file, entry, standing)
        except _RefusedError as error:
            self._outcome.failures.add(element_id, error, traced=False)
            return "failed"
        except AmbiguousError as error:
            logger.error("element %s: %s", printable(element_id, 60), error)  # noqa: TRY400 - one line says it
            self._end(file, entry, standing, State.ERROR, is_repeated=False)
            return "uncertain"
        if not self._end(file, entry, standing, state, is_repeated=was_closing):
            return "uncertain"
        return "processed" if state is State.PROCESSED else "failed"

    def _start(self, file: ResultsFile, entry: Entry, standing: Standing) -> bool:
        """Report the start, unless it was reported; False when another process has the element."""
        is_under_way = standing.has_begun and (standing.next or standing.since or standing.is_closing)
        if self._activities is None or is_under_way or (entry.claimed and not standing.has_ended):
            return True
        was_begun = standing.has_begun
        file.note(entry, standing, "start", sync=True)
        try:
            is_ours = self._activities.start(entry.element.id) or was_begun
        except ApiResponseError as error:
            if not refuses(error):
                raise
            file.note(entry, standing, "taken")
            raise _RefusedError(f"its start was refused: {error}; {_HINT}") from None
        if not is_ours:
            file.note(entry, standing, "taken")
            logger.warning(
                "element %s is skipped: another process has it, or the process of the worker run lacks it; %s",
                printable(entry.element.id, 60),
                _HINT,
            )
        return is_ours

    def _publish(self, file: ResultsFile, entry: Entry, standing: Standing) -> State:
        """Send the results; the state that the element is then in."""
        try:
            if entry.parts and not standing.is_closing:
                file.send(entry, standing)
        except (StoppedError, ConfigurationError, AmbiguousError):
            raise
        except ArkworkerError as error:
            if isinstance(error, ApiError) and not refuses(error):
                raise
            self._outcome.failures.add(entry.element.id, error, traced=False)
            return State.ERROR
        file.note(entry, standing, "close")
        if entry.state == "error":
            self._outcome.failures.add_reason(entry.element.id, printable(entry.reason or "recorded as an error", 300))
        return State(entry.state)

    def _end(self, file: ResultsFile, entry: Entry, standing: Standing, state: State, *, is_repeated: bool) -> bool:
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
        file.note(entry, standing, "end", state=final)
        return True
