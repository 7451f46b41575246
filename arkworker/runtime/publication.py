"""What the results of a run go through, made from its context."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence, Set as AbstractSet
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.outbox import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing import Publisher
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.elements import Element
    from arkworker.runtime.context import WorkerContext

logger = logging.getLogger("arkworker.publishing")


def make_publisher(
    context: WorkerContext[Any], client: Client | None = None, outbox: Outbox | None = None
) -> Publisher:
    """A publisher for a run: on Arkindex, or in the log where the run is read-only.

    Args:
        context: The run.
        client: Sends the requests; by default, `context.api`.
        outbox: Where to leave what was accepted for the cache; None without one.
    """
    from arkworker.arkindex.publishing import ArkindexPublisher, CheckingPublisher, SummarizingPublisher

    if context.use_cache and outbox is None:
        logger.warning(ELSEWHERE)
    if context.is_read_only:
        return SummarizingPublisher(outbox)
    if context._is_recording:  # noqa: SLF001 - as below
        return CheckingPublisher()
    return ArkindexPublisher(
        client or context.api,
        worker_run_id=context.worker_run_id,
        corpus_id=context._corpus_id,  # noqa: SLF001 - None is fine here: elements may say theirs
        corpora=context.corpora,
        batch_size=context._batch_size,  # noqa: SLF001 - of no use to authors
        outbox=outbox,
    )


class LatePublisher:
    """Makes the publisher at its first use: a run without results does not import how.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], Publisher]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._publisher: Publisher | None = None

    def publish(self, element: Element, results: Sequence[Any]) -> None:
        """As `Publisher`."""
        with self._lock:
            if self._publisher is None:
                self._publisher = self._make()
        self._publisher.publish(element, results)


def collect(returned: Any) -> tuple[Any, ...]:
    """What `process_element` returned or yields, as a tuple. Runs the rest of a generator: this is user code."""
    if returned is None:
        return ()
    if isinstance(returned, Iterator | Sequence | AbstractSet) and not isinstance(returned, str | bytes):
        return tuple(returned)
    return (returned,)
