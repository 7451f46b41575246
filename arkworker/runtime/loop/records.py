"""A run whose results go to a file: what would be sent to Arkindex is recorded, a line for each element that ends."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.elements.recorded import RecordedElement
from arkworker.errors import ArkworkerError
from arkworker.runtime.failures import described
from arkworker.runtime.loop.ends import ROUNDS, Ending
from arkworker.runtime.loop.worklist import Job, Resumed
from arkworker.runtime.services import UNRECORDED
from arkworker.storage.recording.lines import Entry, Header, Part, RecordedCreates
from arkworker.storage.recording.writing import Recorder, RecordingError
from arkworker.text import printable
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.arkindex.publishing.publisher import Publisher
    from arkworker.elements.model import Element
    from arkworker.elements.results import Created
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.in_hand import InHand
    from arkworker.runtime.loop.intake import Halt
    from arkworker.runtime.loop.outcome import Outcome
    from arkworker.runtime.loop.worklist import Worklist

logger = logging.getLogger("arkworker.elements")


def opened(run: Handover, path: str) -> contextlib.closing[Recorder]:
    """The results file of a run, to be closed at its end.

    Raises:
        ConfigurationError: It cannot be written, or is that of another run.
    """
    return contextlib.closing(Recorder(path, _header(run)))


def _header(run: Handover) -> Header:
    context = run.context
    creates = context._runner.creates  # noqa: SLF001 - of no use to authors
    return Header(
        id=str(uuid.uuid4()),
        worker=printable(run.target, 250),
        arkworker=__version__,
        worker_run_id=context.worker_run_id,
        corpus_id=context._corpus_id,  # noqa: SLF001 - None is fine: elements may say theirs
        creates=RecordedCreates(
            element_types=creates.element_types, classes=creates.classes, entity_types=creates.entity_types
        ),
    )


def remaining(recorder: Recorder, worklist: Worklist) -> Worklist:
    """The worklist without what is recorded already; what was claimed and failed is worked on again, first."""
    found = recorder.found
    if not found:
        return worklist
    done = {name for name, place in found.items() if place.state == "processed"}
    held = [name for name, place in found.items() if place.claimed and name not in done] if worklist.is_queue else []
    logger.info(
        "Continuing %s: %d processed (skipped), %d failed (retried)",
        printable(recorder.path),
        len(done),
        len(found) - len(done),
    )
    return Resumed((Job(name, is_held=True) for name in held), {*done, *held}, worklist)


class Records:
    """Ends elements in a results file, in place of `Reports`; and takes what user code publishes meanwhile.

    Args:
        recorder: Writes the file.
        checker: Refuses what could not be published, and says what there is.
        outcome: Told what became of each element.
        halt: Told when the file cannot be written any more.
        in_hand: Where it is noted what is still to be recorded.
        is_queue: Whether the elements were claimed.
        outbox: Where results wait for the cache; None without one.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        recorder: Recorder,
        checker: Publisher,
        *,
        outcome: Outcome,
        halt: Halt,
        in_hand: InHand,
        is_queue: bool,
        outbox: Outbox | None,
    ) -> None:
        self._recorder = recorder
        self._checker = checker
        self._outcome = outcome
        self._halt = halt
        self._in_hand = in_hand
        self._is_queue = is_queue
        self._outbox = outbox
        self._lock = threading.Lock()
        self._parts: dict[str, list[Part]] = {}  # by the elements that user code has
        self._main = threading.get_ident()
        self._process = os.getpid()

    def begin(self, elements: Sequence[Element]) -> None:
        """As `Ends`."""
        with self._lock:
            self._parts = {element.id: [] for element in elements}

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """As `Publisher`, for user code that publishes in the middle of its work.

        Raises:
            ResultError: Something could not be published.
            ArkworkerError: No element is being processed; or this is another process, whose parts do not get here.
        """
        if os.getpid() != self._process:
            raise ArkworkerError(UNRECORDED)
        made = self._checker.publish(element, results)
        with self._lock:
            if not self._parts:
                raise ArkworkerError(UNRECORDED)
            # On the line of that element, or of the one that it was found with.
            first = next(iter(self._parts.values()))
            part = Part(element=RecordedElement.of(element), results=tuple(results))
            self._parts.get(element.id, first).append(part)
        return made

    def settle(self, current: Collection[str] = ()) -> dict[str, Exception]:
        """As `Ends`."""
        if self._outbox is None or threading.get_ident() != self._main:
            return {}
        failures = self._outbox.flush()
        found: dict[str, Exception] = {name: failures.pop(name) for name in current if name in failures}
        for element_id, error in failures.items():
            logger.error("element %s: %s", printable(element_id, 60), error)
        return found

    def submit(self, ending: Ending) -> None:
        """As `Ends`; the line of the element is on the disk when this returns."""
        with self._lock:
            parts = tuple(self._parts.pop(ending.id, ()))
        if ending.results and ending.element is not None:
            self._check(ending)
        try:
            self._write(ending, parts)
        except RecordingError as error:
            self._outcome.failures.add(ending.id, error, traced=False)
            self._outcome.tally.settle(State.ERROR, ending.id)
            self._halt.give_up(error)
            return
        self._outcome.tally.settle(ending.state, ending.id)
        self._in_hand.forget(ending.id)

    def close(self, *, rounds: int = ROUNDS, within: float | None = None) -> None:  # noqa: ARG002 - nothing is left open
        """As `Ends`."""
        self.settle()

    def _check(self, ending: Ending) -> None:
        assert ending.element is not None  # noqa: S101 - the caller looked
        failure: Exception | None
        try:
            self._checker.publish(ending.element, ending.results)
            failure = self.settle([ending.id]).get(ending.id)
        except Exception as error:  # noqa: BLE001 - whatever it raises concerns this element
            failure = error
        if failure is not None:
            self._fail(ending, failure)

    def _fail(self, ending: Ending, error: Exception) -> None:
        self._outcome.failures.add(ending.id, error, traced=False)
        ending.state, ending.results, ending.reason = State.ERROR, (), described(error)

    def _write(self, ending: Ending, parts: tuple[Part, ...]) -> None:
        try:
            self._recorder.write(self._entry(ending, parts))
        except RecordingError:
            raise
        except (ArkworkerError, ValueError) as error:  # no line can hold it
            self._fail(ending, error)
            self._recorder.write(self._entry(ending, ()))

    def _entry(self, ending: Ending, parts: tuple[Part, ...]) -> Entry:
        before = self._recorder.found.get(ending.id)
        return Entry(
            element=RecordedElement.of(ending.element) if ending.element is not None else RecordedElement(id=ending.id),
            state="processed" if ending.state is State.PROCESSED else "error",
            reason=ending.reason,
            claimed=self._is_queue or (before is not None and before.claimed),
            published=parts,
            results=ending.results,
        )
