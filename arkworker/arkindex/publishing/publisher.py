"""Where the results of an element go: to Arkindex, or no further than the log."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.arkindex.publishing.corpus import Corpora
from arkworker.arkindex.publishing.outbox import fresh_ids, rows_of
from arkworker.arkindex.publishing.plan import BATCH_SIZE, Ref
from arkworker.arkindex.publishing.planning import plan
from arkworker.arkindex.publishing.sending import Certainty, Sent, send
from arkworker.elements.results import Child, Created, On, Transcription
from arkworker.errors import ApiError, PublicationError, ResultError, counted
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.corpus import Corpus
    from arkworker.arkindex.publishing.doubts import Doubts
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.arkindex.publishing.plan import Plan
    from arkworker.elements.model import Element

logger = logging.getLogger("arkworker.publishing")


class Publisher(Protocol):
    """Takes the results of an element; from any number of threads."""

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """Send the results of an element; what came of each, once all are accepted.

        Raises:
            ResultError: Something cannot be published: nothing was sent.
            PublicationError: Not all was accepted; it says what was.
        """


class ArkindexPublisher:
    """Publishes on Arkindex.

    Args:
        client: Sends the requests.
        worker_run_id: Signs the results.
        corpus_id: The run's corpus, for elements that do not say theirs.
        corpora: What is known of corpora by now.
        batch_size: How many results of a kind one request holds at most.
        outbox: Where to leave what was accepted for the cache; None without one.
        doubts: Where it is noted what was not brought to its end; None for nowhere.
    """

    def __init__(  # noqa: PLR0913 - what a run says about publishing
        self,
        client: Client,
        *,
        worker_run_id: str | None,
        corpus_id: str | None = None,
        corpora: Corpora | None = None,
        batch_size: int = BATCH_SIZE,
        outbox: Outbox | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        self._client = client
        self._run = worker_run_id
        self._corpus_id = corpus_id
        self._corpora = corpora or Corpora()
        self._batch_size = batch_size
        self._outbox = outbox
        self._doubts = doubts

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """As `Publisher`."""
        made = plan(element, results, worker_run_id=self._run, corpus_id=self._corpus_id, batch_size=self._batch_size)
        try:
            known = self._corpus_of(element).resolve(self._client, made.needs) if made.needs else {}
        except ApiError as error:
            raise PublicationError(str(error), {}, {}, made.holds) from error
        sent = Sent(dict(known))
        try:
            if made.requests:
                self._send(element, made, sent)
        finally:
            if self._outbox is not None:
                self._outbox.put(rows_of(made, sent, self._run))
        logger.debug("%s: published %s", element, summarize(made))
        return created(results, sent.ids, "Arkindex gave none")

    def _send(self, element: Element, made: Plan, sent: Sent) -> None:
        certainty = Certainty(self._client, self._run)
        with nullcontext(None) if self._doubts is None else self._doubts.publishing(element.id) as doubt:
            noting: Any = {} if doubt is None else {"note": doubt.note, "since": doubt.since}
            send(lambda request, ids: certainty.perform(request, ids, element.id, **noting), made.requests, sent)

    def _corpus_of(self, element: Element) -> Corpus:
        corpus_id = element.corpus.id if element.corpus is not None else self._corpus_id
        if corpus_id is None:
            raise ResultError("the corpus of the element is unknown: its types and classes cannot be looked up")
        return self._corpora.get(corpus_id)


class SummarizingPublisher:
    """Publishes nothing, as in developer mode, or where results are recorded to be published later: checks them.

    Args:
        outbox: Where to leave them for the cache, under ids of their own, for the next worker in developer mode.
        file: Where they are recorded; None where they are not.
    """

    def __init__(self, outbox: Outbox | None = None, file: str | None = None) -> None:
        self._outbox = outbox
        self._is_recording = file is not None
        self._told = f"recorded in {printable(file)}" if file else "not published: this run is read-only"

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """Log how many results of each kind there are; their ids are made up, unless they are to get others later.

        Raises:
            ResultError: Something could not be published.
        """
        made = plan(element, results, worker_run_id=None, corpus_id="")
        told = self._told
        sent = fresh_ids(made)
        if self._outbox is not None and (rows := rows_of(made, sent, None)):
            self._outbox.put(rows)
            told += "; the cache gets them, with ids that Arkindex does not know"
        logger.info("%s: %s, %s", element, summarize(made), told)
        if self._is_recording:
            return created(results, {}, "the results are recorded, and get their ids when they are published")
        return created(results, sent.ids, "it has none on Arkindex, either")


def summarize(made: Plan) -> str:
    """How many results of each kind a plan publishes: `12 text_line, 12 transcriptions`."""
    return ", ".join(counted(kind, count) for kind, count in made.holds.items()) or "nothing found"


def created(
    results: Sequence[Any], ids: Mapping[Ref, str], reason: str, prefix: str = "results"
) -> tuple[Created, ...]:
    """What came of results.

    Args:
        results: Those that were published.
        ids: What they got, by their place.
        reason: Why others have none.
        prefix: Where they are.
    """
    found = []
    for number, result in enumerate(results):
        path = f"{prefix}.{number}"
        kind: Any = "element" if isinstance(result, Child) else result.kind
        inner: Sequence[Any] = result.results if isinstance(result, Child | On) else ()
        place = f"{path}.results"
        if isinstance(result, Transcription):
            inner, place = result.entities, f"{path}.entities"
        found.append(Created(result, created(inner, ids, reason, place), ids.get(Ref(kind, path)), reason))
    return tuple(found)
