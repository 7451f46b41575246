"""Publishes one element of a results file: its start, its requests one after the other, its end."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import is_refusal
from arkworker.arkindex.publishing.plan import Ref
from arkworker.arkindex.publishing.planning import plan
from arkworker.errors import ApiError, ResultError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.corpus import Corpora
    from arkworker.arkindex.publishing.plan import Plan, Request
    from arkworker.arkindex.publishing.sending import Certainty
    from arkworker.delivery.journal import Journal, Standing
    from arkworker.storage.recording.lines import Entry
    from arkworker.storage.recording.reading import Recording

logger = logging.getLogger("arkworker.publishing")


@dataclass(frozen=True, slots=True, eq=False)
class ResultsFile:
    """A results file, and what the requests of its elements go through.

    Attributes:
        name: How a person named it.
        recording: What is in it.
        client: Looks up what the corpus has.
        certainty: Sends them, and looks for those whose answer was lost.
        corpora: What is known of corpora by now.
        journal: Where each step is noted.
        check: Raises when the publication is to stop.
        worker_run_id: Signs the results.
        corpus_id: The corpus of elements that do not say theirs.
    """

    name: str
    recording: Recording
    client: Client
    certainty: Certainty
    corpora: Corpora
    journal: Journal
    check: Callable[[], None]
    worker_run_id: str
    corpus_id: str | None

    def standing(self, element_id: str) -> Standing:
        """How far an element of this file is."""
        return self.journal.standing(element_id, self.recording.places[element_id].line)

    def send(self, entry: Entry, standing: Standing) -> None:
        """Send what was found on an element, but for what is accepted already.

        Raises:
            ResultError: Something cannot be published; no request was sent for it.
            AmbiguousError: The outcome of a request is unknown.
            ApiError: A request was refused, or Arkindex does not answer.
            StoppedError: The publication is to stop.
        """
        _Delivery(self, entry, standing).perform()

    def note(self, entry: Entry, standing: Standing, step: str, *, sync: bool = False, **values: Any) -> None:
        """Note a step; what is empty is left out."""
        kept = {name: value for name, value in values.items() if value not in ({}, [])}
        self.journal.note(entry.element.id, standing.line, step, sync=sync, **kept)


@dataclass(frozen=True, slots=True)
class _Step:
    """A request, and the part of the entry that it comes from."""

    part: int
    root: str
    request: Request


class _Delivery:
    """The requests of one element."""

    def __init__(self, file: ResultsFile, entry: Entry, standing: Standing) -> None:
        self._file = file
        self._entry = entry
        self._standing = standing
        self._plans = [
            (part.element.id, plan(part.element.to_element(), part.results, **self._options)) for part in entry.parts
        ]
        self._steps = [
            _Step(number, root, request) for number, (root, made) in enumerate(self._plans) for request in made.requests
        ]
        self._ids: list[dict[Ref, str]] = []

    @property
    def _options(self) -> dict[str, Any]:
        file = self._file
        return {
            "worker_run_id": file.worker_run_id,
            "corpus_id": file.corpus_id,
            "batch_size": file.journal.batch_size,
        }

    def perform(self) -> None:
        """Send what is left."""
        standing = self._standing
        digest = _digest(self._steps)
        if standing.next and standing.plan != digest:
            raise ResultError("a part of it was published by a version of arkworker that sends it differently")
        self._ids = [self._resolve(number, made) for number, (_, made) in enumerate(self._plans)]
        for number in range(standing.next, len(self._steps)):
            self._file.check()
            self._send(number, digest)

    def _resolve(self, number: int, made: Plan) -> dict[Ref, str]:
        """The ids that are known of a part: those of the corpus, and those that earlier requests got."""
        file, part = self._file, self._entry.parts[number]
        got = {_ref(key): value for key, value in self._standing.ids.items() if key.startswith(f"{number} ")}
        if not made.needs:
            return got
        corpus_id = part.element.corpus_id or file.corpus_id
        if corpus_id is None:
            raise ResultError("the corpus of the element is unknown: its types and classes cannot be looked up")
        return file.corpora.get(corpus_id).resolve(file.client, made.needs) | got

    def _send(self, number: int, digest: str) -> None:
        """Send a request until it is known to be accepted; first, look for one that a killed process sent."""
        step, standing = self._steps[number], self._standing

        def note() -> None:
            self._file.note(self._entry, standing, "send", sync=True, request=number, plan=digest)

        try:
            gained = self._file.certainty.perform(
                step.request,
                self._ids[step.part],
                step.root,
                known=standing.ids.values(),
                note=note,
                since=standing.since,
            )
        except ApiError as error:
            if not error.uncertain:
                self._file.note(self._entry, standing, "next", request=number)
            raise
        self._ids[step.part] |= gained
        noted = {f"{step.part} {ref.kind} {ref.key}": value for ref, value in gained.items()}
        self._file.note(self._entry, standing, "next", request=number + 1, ids=noted)


def refuses(error: ApiError) -> bool:
    """Whether an error concerns one element, and not all of them."""
    return is_refusal(error) and error.status != 401


def _digest(steps: Sequence[_Step]) -> str:
    told = repr([(step.part, step.request.operation, sorted(step.request.holds.items())) for step in steps])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _ref(key: str) -> Ref:
    _, kind, place = key.split(" ", 2)
    return Ref(kind, place)  # type: ignore[arg-type]  # written by us
