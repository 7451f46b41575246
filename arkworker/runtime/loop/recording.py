"""A run whose results go to a file: what Arkindex would be told is recorded, a line for each element that ends."""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State
from arkworker.elements.recorded import RecordedElement
from arkworker.errors import ArkworkerError
from arkworker.runtime.loop.failures import Failures
from arkworker.runtime.loop.sources import Resumed
from arkworker.storage.recording.lines import Entry, Header, Part, RecordedCreates
from arkworker.storage.recording.writing import Recorder, RecordingError
from arkworker.text import printable
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from arkworker.arkindex.publishing import Publisher
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.elements import Element
    from arkworker.elements.created import Created
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.jobs import Ending
    from arkworker.runtime.loop.journal import Journal, Stage
    from arkworker.runtime.loop.sources import Source
    from arkworker.runtime.loop.tally import Tally

logger = logging.getLogger("arkworker.elements")


@contextlib.contextmanager
def opened(run: Handover) -> Iterator[Recorder | None]:
    """The results file of a run, to be closed at its end; None where results are published.

    Raises:
        ConfigurationError: It cannot be written, or is that of another run.
    """
    path = run.settings.results
    if path is None:
        yield None
        return
    with contextlib.closing(Recorder(path, _header(run))) as recorder:
        yield recorder


def _header(run: Handover) -> Header:
    context = run.context
    creates = context._creates  # noqa: SLF001 - of no use to authors
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


class RecordedFailures(Failures):
    """Keeps, for the file, why an element failed."""

    def __init__(self) -> None:
        super().__init__()
        self._reasons: dict[str, str] = {}

    def add(self, element_id: str, error: BaseException, *, traced: bool) -> None:
        self._reasons[element_id] = f"{type(error).__name__}: {printable(str(error), 300)}".rstrip(": ")
        super().add(element_id, error, traced=traced)

    def add_reason(self, element_id: str, reason: str) -> None:
        self._reasons[element_id] = reason
        super().add_reason(element_id, reason)

    def take_reason(self, element_id: str) -> str:
        """Why an element failed; asked for once."""
        return self._reasons.pop(element_id, "")


class Records:
    """Ends elements in a results file, in place of `Reports`; and takes what user code publishes meanwhile.

    Args:
        recorder: Writes the file.
        checker: Refuses what could not be published, and says what there is.
        source: Where the elements come from; those that the file has as processed are left out of `remaining`.
        tally: Counts what became of each element.
        failures: Told of elements whose results cannot be published or written.
        outbox: Where results wait for the cache; None without one.
    """

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        recorder: Recorder,
        checker: Publisher,
        source: Source,
        *,
        tally: Tally,
        failures: RecordedFailures,
        outbox: Outbox | None,
    ) -> None:
        self.journal: Journal | None = None
        self.on_broken: Callable[[Exception], None] = lambda _: None
        self._recorder = recorder
        self._checker = checker
        self._source = source
        self._tally = tally
        self._failures = failures
        self._outbox = outbox
        self._lock = threading.Lock()
        self._current: str | None = None
        self._parts: list[Part] = []
        self._main = threading.get_ident()

    def remaining(self) -> Source:
        """The source without what is recorded already; what was claimed and failed is worked on again, first."""
        found = self._recorder.found
        done = {name for name, place in found.items() if place.state == "processed"}
        if not found:
            return self._source
        held = [name for name, place in found.items() if place.claimed and name not in done]
        logger.info(
            "%s has %d elements as processed, which are left out, and %d as failed, which are tried again",
            printable(self._recorder.path),
            len(done),
            len(found) - len(done),
        )
        if not self._source.is_queue:
            held = []
        return Resumed(held, {*done, *held}, self._source)

    def unrecorded(self, found: Mapping[str, Stage]) -> dict[str, Stage]:
        """What a killed run had in hand, but for what is in the file."""
        return {name: stage for name, stage in found.items() if name not in self._recorder.found}

    def entering(self, call: Callable[[Element, Any], Any]) -> Callable[[Element, Any], Any]:
        """User code, such that what it publishes is known to belong to its element."""

        def enter(element: Element, cache: Any) -> Any:
            with self._lock:
                self._current, self._parts = element.id, []
            return call(element, cache)

        return enter

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """As `Publisher`, for user code that publishes in the middle of its work.

        Raises:
            ResultError: Something could not be published.
            ArkworkerError: No element is being processed.
        """
        made = self._checker.publish(element, results)
        with self._lock:
            if self._current is None:
                raise ArkworkerError("with --results, context.publish is for when an element is processed")
            self._parts.append(Part(element=RecordedElement.of(element), results=tuple(results)))
        return made

    def go_behind(self) -> None:
        """Nothing: a line is written at once."""

    def settle(self, current: str | None = None) -> Exception | None:
        """As `Reports`: write what waits for the cache; why that of the current element could not be written."""
        if self._outbox is None or threading.get_ident() != self._main:
            return None
        failures = self._outbox.flush()
        failure = failures.pop(current, None) if current is not None else None
        for element_id, error in failures.items():
            logger.error("element %s: %s", printable(element_id, 60), error)
        return failure

    def submit(self, ending: Ending) -> None:
        """End an element: its line is on the disk when this returns."""
        parts = self._take_parts(ending.id)
        if ending.results and ending.element is not None:
            self._check(ending)
        try:
            self._write(ending, parts)
        except RecordingError as error:
            self._failures.add(ending.id, error, traced=False)
            self._tally.settle(State.ERROR)
            self.on_broken(error)
            return
        self._tally.settle(ending.state)
        if self.journal is not None:
            self.journal.forget(ending.id)

    def close(self, **_: Any) -> None:
        """As `Reports`: nothing is left open."""
        self.settle()

    def _take_parts(self, element_id: str) -> tuple[Part, ...]:
        with self._lock:
            if element_id != self._current:
                return ()
            parts, self._current, self._parts = tuple(self._parts), None, []
        return parts

    def _check(self, ending: Ending) -> None:
        assert ending.element is not None  # noqa: S101 - the caller looked
        try:
            self._checker.publish(ending.element, ending.results)
            failure = self.settle(ending.id)
        except Exception as error:  # noqa: BLE001 - whatever it raises concerns this element
            failure = error
        if failure is not None:
            self._fail(ending, failure)

    def _fail(self, ending: Ending, error: Exception) -> None:
        self._failures.add(ending.id, error, traced=False)
        ending.state, ending.results = State.ERROR, ()

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
            reason=self._failures.take_reason(ending.id) if ending.state is State.ERROR else "",
            claimed=self._source.is_queue or (before is not None and before.claimed),
            published=parts,
            results=ending.results,
        )
