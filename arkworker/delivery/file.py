"""The publication of whole results files: several elements side by side, counted and summed up."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from arkworker.arkindex.activities import State
from arkworker.delivery.element import Delivery
from arkworker.errors import ApiError, StoppedError
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.delivery.element import Destination, ResultsFile
    from arkworker.runtime.loop.outcome import Outcome

logger = logging.getLogger("arkworker.publishing")

MOST_THREADS = 4


class Publication:
    """Publishes what of results files is not published yet.

    Of an element that is in several files, the last one counts, as the last line does in one file; unless another was
    published already, as `processed`: results are not sent twice.

    Args:
        files: The files, in the order that a person named them in.
        outcome: Told what became of each element.

    Attributes:
        left: Ids of the elements that are still to be published, each with the file that counts.
        count: How many elements there are.
        error: What ended it early.
    """

    def __init__(self, files: Sequence[ResultsFile], outcome: Outcome) -> None:
        self.error: BaseException | None = None
        self._outcome = outcome
        self._lock = threading.Lock()
        self._several: list[tuple[str, ResultsFile]] = []  # what is in several files, each with another of them
        counting: dict[str, ResultsFile] = {}
        for file in files:
            self._several += [(name, counting[name]) for name in file.recording.places if name in counting]
            counting.update(dict.fromkeys(file.recording.places, file))
        self._holders = {name: [file for file in files if name in file.recording.places] for name, _ in self._several}
        self.count = len(counting)
        published = self._follow(counting)
        self.left = [
            (name, file) for name, file in counting.items() if name not in published and not file.standing(name).state
        ]
        self._waiting: Iterator[tuple[str, ResultsFile]] = iter(self.left)
        self._bar = ProgressDisplay(outcome.tally, self.count)

    def perform(self, to: Destination | None) -> None:
        """Publish, until all is done or something ends it.

        Args:
            to: Where results go; None where nothing is left.
        """
        if self._several:
            name, file = self._several[0]
            logger.warning(
                "elements in several files: %d, such as %s in %s; the last counts, unless one is already published",
                len({element_id for element_id, _ in self._several}),
                printable(name, 60),
                printable(file.name),
            )
        for name in self._holders:
            self._settle(name)
        if len(self.left) < self.count:
            self._outcome.tally.count("skipped", self.count - len(self.left))
        if to is None:
            return
        with self._bar, ThreadPoolExecutor(MOST_THREADS, "publishing") as pool:
            for _ in range(min(MOST_THREADS, len(self.left))):
                pool.submit(self._work, to)
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

    def _settle(self, element_id: str) -> None:
        """Note an element that is published from one file for all others, each of which may be published alone."""
        holders = self._holders.get(element_id, ())
        if any(file.standing(element_id).state == State.PROCESSED for file in holders):
            for file in holders:
                if (standing := file.standing(element_id)).state != State.PROCESSED:
                    file.journal.note(element_id, standing.line, "end", state=State.PROCESSED)

    def _work(self, to: Destination) -> None:
        while (following := self._next()) is not None:
            element_id, file = following
            try:
                to.check()
                with self._lock:
                    entry = file.recording.entry(element_id)
                outcome = Delivery(to, file, entry).perform()
                with self._lock:
                    self._settle(element_id)
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
