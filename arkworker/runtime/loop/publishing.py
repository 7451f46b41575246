"""Where what user code found goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set as AbstractSet
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from arkworker.element import Element
    from arkworker.runtime.client import Client
    from arkworker.runtime.context import WorkerContext


class Publisher(Protocol):
    """Takes the results of one element, after user code has succeeded and its cache is committed.

    Called from several threads, in one of them for each element. The element is `processed` only when it returns.
    """

    def publish(self, element: Element, results: Sequence[Any]) -> None:
        """Send the results of an element; whatever is raised ends the element in error."""


class LatePublisher:
    """Publishes on Arkindex, or in the log of a run that is read-only; a run without results does not import how.

    Args:
        client: That of the reports: it goes on when the run is stopped.
        context: The run.
        creates: Slugs of the element types that may be created.
    """

    def __init__(self, client: Client, context: WorkerContext[Any], creates: Collection[str]) -> None:
        self._client = client
        self._context = context
        self._creates = creates
        self._lock = threading.Lock()
        self._publisher: Publisher | None = None

    def publish(self, element: Element, results: Sequence[Any]) -> None:
        """As `Publisher`.

        Raises:
            ResultError: Something cannot be published: nothing was sent.
            PublicationError: Not all was accepted; it says what was.
        """
        with self._lock:
            if self._publisher is None:
                self._publisher = self._make()
        self._publisher.publish(element, results)

    def _make(self) -> Publisher:
        from arkworker.runtime.publishing import ArkindexPublisher, SummarizingPublisher

        context = self._context
        if context.is_read_only:
            return SummarizingPublisher()
        try:
            corpus_id: str | None = context.corpus_id
        except ConfigurationError:  # elements may still say theirs
            corpus_id = None
        return ArkindexPublisher(
            self._client, worker_run_id=context.worker_run_id, corpus_id=corpus_id, creates=self._creates
        )


def collect(returned: Any) -> tuple[Any, ...]:
    """What `process_element` returned or yields, as a tuple. Runs the rest of a generator: this is user code."""
    if returned is None:
        return ()
    if isinstance(returned, Iterator | Sequence | AbstractSet) and not isinstance(returned, str | bytes):
        return tuple(returned)
    return (returned,)
