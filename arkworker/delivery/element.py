"""Publishes one element of a results file: its start, its requests one after the other, its end."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import State, is_refusal
from arkworker.arkindex.publishing.lookup import AmbiguousError
from arkworker.arkindex.publishing.plan import Ref, StoredNode
from arkworker.arkindex.publishing.planning import plan
from arkworker.arkindex.publishing.sending import is_repeatable
from arkworker.errors import ApiError, ApiResponseError, ArkworkerError, ConfigurationError, ResultError, StoppedError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.arkindex.activities import Activities
    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.corpus import Corpora
    from arkworker.arkindex.publishing.plan import Plan, Request
    from arkworker.arkindex.publishing.sending import Certainty
    from arkworker.delivery.journal import Journal, Standing
    from arkworker.runtime.failures import Failures
    from arkworker.storage.recording.lines import Entry
    from arkworker.storage.recording.reading import Recording

logger = logging.getLogger("arkworker.publishing")

_HINT = "--no-worker-activity publishes results without states"


@dataclass(frozen=True, slots=True, eq=False)
class ResultsFile:
    """A results file, and how far its publication is.

    Attributes:
        name: How a person named it.
        recording: What is in it.
        journal: Where each step is noted.
        corpora: What is known of corpora by now.
    """

    name: str
    recording: Recording
    journal: Journal
    corpora: Corpora

    def standing(self, element_id: str) -> Standing:
        """How far an element of this file is."""
        return self.journal.standing(element_id, self.recording.places[element_id].line)


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """Where results go.

    Attributes:
        client: Looks up what the corpus has.
        certainty: Sends requests, and looks for those whose answer was lost.
        activities: Where states are reported; None where there are none.
        worker_run_id: Signs the results.
        corpus_id: The corpus, where neither an element nor its file says which.
        failures: Told of elements that failed.
        check: Raises when the publication is to stop.
    """

    client: Client
    certainty: Certainty
    activities: Activities | None
    worker_run_id: str
    corpus_id: str | None
    failures: Failures
    check: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Step:
    """A request, and the part of the entry that it comes from."""

    part: int
    root: str
    request: Request


class Delivery:
    """One element on its way, with what was found on it but for what is accepted already.

    Args:
        to: Where it goes.
        file: The file that it is in.
        entry: It.
    """

    def __init__(self, to: Destination, file: ResultsFile, entry: Entry) -> None:
        self._to = to
        self._file = file
        self._entry = entry
        self._id = entry.element.id
        self._standing = file.standing(self._id)
        self._corpus_id = file.recording.header.corpus_id or to.corpus_id
        self._is_started_now = False
        self._found = self._sent = 0  # requests

    def perform(self) -> str:
        """Publish it; how it counts.

        Raises:
            StoppedError: The publication is to stop.
            ConfigurationError: The journal cannot be written.
            ApiError: Arkindex does not answer, or refuses all that is sent.
        """
        is_repeated = self._standing.is_closing
        if (outcome := self._start()) is not None:
            return outcome
        try:
            state = self._publish()
        except AmbiguousError as error:
            logger.error("element %s: %s", printable(self._id, 60), error)  # noqa: TRY400 - one line says it
            self._end(State.ERROR, is_repeated=False)
            return "uncertain"
        was_published = bool(self._found) and not self._sent
        if self._found:
            logger.warning(
                "element %s: %s its results were on Arkindex already, and not sent again; was another copy of the file "
                "published, or its journal lost?",
                printable(self._id, 60),
                "all" if was_published else "a part of",
            )
        if not self._end(state, is_repeated=is_repeated or was_published):
            return "uncertain"
        if was_published:
            return "skipped"
        return "processed" if state is State.PROCESSED else "failed"

    def _start(self) -> str | None:
        """Report the start, unless it was reported; how the element counts where it cannot be published."""
        standing, activities = self._standing, self._to.activities
        was_begun = standing.has_begun
        is_under_way = was_begun and (standing.next or standing.since or standing.is_closing)
        if activities is None or is_under_way or (self._entry.claimed and not standing.has_ended):
            return None
        self._note("start", sync=True)
        try:
            if activities.start(self._id) or was_begun:
                self._is_started_now = True
                return None
        except ApiResponseError as error:
            if not _refuses(error):
                raise
            self._note("taken")
            refused = ArkworkerError(f"its start was refused: {error}; {_HINT}")
            self._to.failures.add(self._id, refused, traced=False)
            return "failed"
        self._note("taken")
        logger.warning(
            "element %s is skipped: it was processed earlier, another process has it, or the process of the worker run "
            "lacks it; %s",
            printable(self._id, 60),
            _HINT,
        )
        return "skipped"

    def _publish(self) -> State:
        """Send the results; the state that the element is then in."""
        entry = self._entry
        try:
            if entry.parts and not self._standing.is_closing:
                self._send_all()
        except (StoppedError, ConfigurationError, AmbiguousError):
            raise
        except ArkworkerError as error:
            if isinstance(error, ApiError) and not _refuses(error):
                raise
            self._to.failures.add(self._id, error, traced=False)
            return State.ERROR
        self._note("close")
        if entry.state == "error":
            self._to.failures.add_reason(self._id, printable(entry.reason or "recorded as an error", 300))
        return State(entry.state)

    def _end(self, state: State, *, is_repeated: bool) -> bool:
        """Report the end; False when it was refused."""
        # What is not wholly published is tried again by the next publication.
        final = str(state) if self._standing.is_closing else ""
        if self._to.activities is not None:
            try:
                self._to.activities.end(self._id, state, uncertain=int(is_repeated))
            except ApiResponseError as error:
                if not _refuses(error):
                    raise
                logger.error("element %s: its end was refused: %s", printable(self._id, 60), error)  # noqa: TRY400 - one line says it
                return False
        self._note("end", state=final)
        return True

    def _send_all(self) -> None:
        """Send the requests that are left, one after the other."""
        signed = {"worker_run_id": self._to.worker_run_id, "corpus_id": self._corpus_id}
        size = self._file.journal.batch_size
        plans = [plan(part.element.to_element(), part.results, **signed, batch_size=size) for part in self._entry.parts]
        steps = [
            _Step(number, self._entry.parts[number].element.id, request)
            for number, made in enumerate(plans)
            for request in made.requests
        ]
        digest = _digest(steps)
        if self._standing.next and self._standing.plan != digest:
            raise ResultError("a part of it was published by a version of arkworker that sends it differently")
        ids = [self._resolve(number, made) for number, made in enumerate(plans)]
        is_looking = self._may_be_published() and all(map(self._is_on_this_element, plans))
        for number in range(self._standing.next, len(steps)):
            self._to.check()
            step, known = steps[number], ids[steps[number].part]
            if is_looking and not is_repeatable(step.request):
                gained = self._to.certainty.find(step.request, known, step.root, self._standing.ids.values())
                self._found += gained is not None
                is_looking = self._found > 0  # where the first is not there, none is
                if gained is not None:
                    self._gain(number, step, known, gained, plan=digest)
                    continue
            self._sent += not is_repeatable(step.request)
            self._send(number, step, known, digest)

    def _may_be_published(self) -> bool:
        """Whether the journal and the activity do not tell that nothing was sent: another file or journal may know."""
        standing = self._standing
        return not (self._is_started_now or standing.next or standing.since)

    def _is_on_this_element(self, made: Plan) -> bool:
        """Whether all of it is on or below this element: on others, another line may have made the same."""
        stored = [node.target for node in made.nodes if isinstance(node, StoredNode)]
        return stored == [self._id] and not made.stored

    def _resolve(self, number: int, made: Plan) -> dict[Ref, str]:
        """The ids that are known of a part: those of the corpus, and those that earlier requests got."""
        got = {_ref(key): value for key, value in self._standing.ids.items() if key.startswith(f"{number} ")}
        if not made.needs:
            return got
        corpus_id = self._entry.parts[number].element.corpus_id or self._corpus_id
        if corpus_id is None:
            raise ResultError("the corpus of the element is unknown: its types and classes cannot be looked up")
        return self._file.corpora.get(corpus_id).resolve(self._to.client, made.needs) | got

    def _send(self, number: int, step: _Step, ids: dict[Ref, str], digest: str) -> None:
        """Send a request until it is known to be accepted; first, look for one that a killed process sent."""
        standing = self._standing
        try:
            gained = self._to.certainty.perform(
                step.request,
                ids,
                step.root,
                known=standing.ids.values(),
                note=lambda: self._note("send", sync=True, request=number, plan=digest),
                since=standing.since,
            )
        except ApiError as error:
            if not error.uncertain:
                self._note("next", request=number)
            raise
        self._gain(number, step, ids, gained)

    def _gain(self, number: int, step: _Step, ids: dict[Ref, str], gained: Mapping[Ref, str], **values: Any) -> None:
        """Note that a request is known to be accepted, with the ids that it gave."""
        ids |= gained
        noted = {f"{step.part} {ref.kind} {ref.key}": value for ref, value in gained.items()}
        self._note("next", request=number + 1, ids=noted, **values)

    def _note(self, step: str, *, sync: bool = False, **values: Any) -> None:
        """Note a step; what is empty is left out."""
        kept = {name: value for name, value in values.items() if value not in ({}, [])}
        self._file.journal.note(self._id, self._standing.line, step, sync=sync, **kept)


def _refuses(error: ApiError) -> bool:
    """Whether an error concerns one element, and not all of them."""
    return is_refusal(error) and error.status != 401


def _digest(steps: Sequence[_Step]) -> str:
    told = repr([(step.part, step.request.operation, sorted(step.request.holds.items())) for step in steps])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _ref(key: str) -> Ref:
    _, kind, place = key.split(" ", 2)
    return Ref(kind, place)  # type: ignore[arg-type]  # written by us
