"""Publishes one element of a results file: its start, its requests one after the other, its end."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import is_refusal
from arkworker.arkindex.publishing.plan import Ref
from arkworker.arkindex.publishing.planning import plan
from arkworker.arkindex.publishing.sending import filled, ids_in, perform
from arkworker.errors import ApiContentError, ApiError, ResultError
from arkworker.storage.recording.lines import element_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.lookup import Lookup
    from arkworker.arkindex.publishing.plan import Plan, Request
    from arkworker.arkindex.publishing.publisher import Corpora
    from arkworker.clock import Clock
    from arkworker.delivery.journal import Journal, Progress
    from arkworker.storage.recording.lines import Entry

logger = logging.getLogger("arkworker.publishing")

WAITS = (3.0, 4.0, 8.0, 16.0)  # seconds between five attempts, as everywhere
SETTLING = 5.0  # seconds that a request may still be under way in the server, when its sender is no more


@dataclass(frozen=True, slots=True)
class Sender:
    """What the requests of all elements go through.

    Attributes:
        client: Sends them; a careful one, so that what may have been applied is looked for first.
        corpora: What is known of corpora by now.
        lookup: Finds what is there already.
        journal: Where each step is noted.
        clock: Waits.
        check: Raises when the publication is to stop.
        worker_run_id: Signs the results.
        corpus_id: The corpus of elements that do not say theirs.
    """

    client: Client
    corpora: Corpora
    lookup: Lookup
    journal: Journal
    clock: Clock
    check: Callable[[], None]
    worker_run_id: str
    corpus_id: str | None

    def send(self, entry: Entry, progress: Progress) -> None:
        """Send what was found on an element, but for what is accepted already.

        Raises:
            ResultError: Something cannot be published; no request was sent for it.
            AmbiguousError: What became of a request cannot be told.
            ApiError: A request was refused, or Arkindex does not answer.
            StoppedError: The publication is to stop.
        """
        _Sending(self, entry, progress).perform()


@dataclass(frozen=True, slots=True)
class _Step:
    """A request, and the part of the entry that it comes from."""

    part: int
    root: str
    request: Request


class _Sending:
    """The requests of one element."""

    def __init__(self, sender: Sender, entry: Entry, progress: Progress) -> None:
        self._sender = sender
        self._entry = entry
        self._progress = progress
        self._plans = [
            (part.element.id, plan(element_of(part.element), part.results, **self._options)) for part in entry.parts
        ]
        self._steps = [
            _Step(number, root, request) for number, (root, made) in enumerate(self._plans) for request in made.requests
        ]
        self._ids: list[dict[Ref, str]] = []

    @property
    def _options(self) -> dict[str, Any]:
        sender = self._sender
        return {
            "worker_run_id": sender.worker_run_id,
            "corpus_id": sender.corpus_id,
            "batch_size": sender.journal.batch_size,
        }

    def perform(self) -> None:
        """Send what is left."""
        progress = self._progress
        digest = _digest(self._steps)
        if progress.next and progress.plan != digest:
            raise ResultError("a part of it was published by a version of arkworker that would send it otherwise")
        self._ids = [self._resolve(number, made) for number, (_, made) in enumerate(self._plans)]
        for number in range(progress.next, len(self._steps)):
            self._sender.check()
            self._send(number, digest)

    def _resolve(self, number: int, made: Plan) -> dict[Ref, str]:
        """The ids that are known of a part: those of the corpus, and those that earlier requests got."""
        sender, part = self._sender, self._entry.parts[number]
        got = {_ref(key): value for key, value in self._progress.ids.items() if key.startswith(f"{number} ")}
        if not (made.element_types or made.classes or made.entity_types):
            return got
        corpus_id = part.element.corpus_id or sender.corpus_id
        if corpus_id is None:
            raise ResultError("the corpus of the element is unknown: its types and classes cannot be looked up")
        corpus = sender.corpora.get(corpus_id)
        for wait in WAITS:
            try:
                return corpus.resolve(sender.client, made) | got
            except ApiError as error:
                if not error.uncertain:
                    raise
                self._wait(error, wait)
        return corpus.resolve(sender.client, made) | got

    def _send(self, number: int, digest: str) -> None:
        """Send a request until it is known to be accepted."""
        if self._progress.since:  # whoever sent it was killed
            left = SETTLING - (time.time() - self._progress.since)
            self._sender.clock.sleep(min(max(left, 0.0), SETTLING))
            self._sender.check()
            if self._find(number):
                return
        for wait in WAITS:
            try:
                self._attempt(number, digest)
            except ApiError as error:
                if not error.uncertain:
                    self._note("next", request=number)
                    raise
                self._wait(error, wait)
            else:
                return
            if self._find(number):
                return
        self._attempt(number, digest)

    def _attempt(self, number: int, digest: str) -> None:
        step = self._steps[number]
        self._note("send", sync=True, request=number, plan=digest)
        answer = perform(self._sender.client, step.request, self._ids[step.part])
        try:
            self._accept(number, answer)
        except ApiContentError as error:
            error.uncertain = 1  # it was accepted, and the ids are still to be looked for
            raise

    def _find(self, number: int) -> bool:
        """Whether a request whose answer is unknown was carried out; its ids are then known."""
        step = self._steps[number]
        ids = self._ids[step.part]
        parameters = {name: filled(value, ids) for name, value in step.request.parameters.items()}
        known = {*self._progress.ids.values(), *self._progress.others}
        body = filled(step.request.body, ids)
        found = self._sender.lookup.find(step.request.operation, parameters, body, root=step.root, known=known)
        if found is None:
            return False
        logger.info("%s: %s had been carried out", self._entry.element.id, step.request.operation)
        self._accept(number, found)
        return True

    def _accept(self, number: int, answer: Any) -> None:
        step = self._steps[number]
        gained = ids_in(step.request, answer)
        self._ids[step.part] |= gained
        noted = {f"{step.part} {ref.kind} {ref.key}": value for ref, value in gained.items()}
        self._note("next", request=number + 1, ids=noted, others=_others(step.request.operation, answer))

    def _wait(self, error: ApiError, seconds: float) -> None:
        logger.warning("%s; looking in %g s whether it was carried out", error, seconds)
        self._sender.clock.sleep(seconds)
        self._sender.check()

    def _note(self, step: str, *, sync: bool = False, **values: Any) -> None:
        kept = {name: value for name, value in values.items() if value not in ({}, [])}
        self._sender.journal.note(self._entry.element.id, self._progress.line, step, sync=sync, **kept)


def refuses(error: ApiError) -> bool:
    """Whether an error concerns one element, and not all of them."""
    return is_refusal(error) and error.status != 401


def _digest(steps: Sequence[_Step]) -> str:
    told = repr([(step.part, step.request.operation, sorted(step.request.holds.items())) for step in steps])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _ref(key: str) -> Ref:
    _, kind, place = key.split(" ", 2)
    return Ref(kind, place)  # type: ignore[arg-type]  # written by us


def _others(operation: str, answer: Any) -> list[str]:
    """Ids of what nothing refers to, but what equals it must not be taken for it."""
    if not operation.startswith(("CreateMetaData", "CreateEmbedding")):
        return []
    listed: Any = answer.get("metadata_list", [answer]) if isinstance(answer, dict) else answer
    items: Sequence[Mapping[str, Any]] = listed if isinstance(listed, list) else []
    return [item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
