"""What is made from the data of a context: client, element access, publisher."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing import Corpora, Publisher
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.arkindex.reading.access import ElementAccess
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.elements import Element
    from arkworker.elements.results import Created
    from arkworker.options.creates import Creates

logger = logging.getLogger("arkworker.publishing")
_logger = logging.getLogger("arkworker")

_LONGEST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class ServicesData:
    """What services are made from; the context has the same.

    Attributes:
        connection: How to reach the API.
        is_read_only: Nothing is written on Arkindex.
        worker_run_id: Signs results; None in developer mode.
        corpus_id: The run's corpus, for elements that do not say theirs.
        uses_cache: Whether the worker has a cache.
        secrets_dir: The local secrets directory.
        work_dir: Directory of this task.
        creates: What publishing may create.
        batch_size: How many results of a kind one request holds at most.
        results: The file that results are recorded in, to be published later; None where they are published.
        max_image_pixels: The largest image that is opened; 0 lifts the limit, None leaves that of Pillow.
    """

    connection: Connection
    is_read_only: bool
    worker_run_id: str | None
    corpus_id: str | None
    uses_cache: bool
    secrets_dir: Path
    work_dir: Path
    creates: Creates
    batch_size: int
    results: str | None
    max_image_pixels: int | None = None


class Metrics:
    """What a worker measured, by name; the last value of each is kept. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Any]] = {}

    def record(self, name: str, value: float, unit: str = "") -> None:
        """As `WorkerContext.record_metric`."""
        if not _is_shown(name) or not name.strip():
            raise ValueError(f"the name of a metric is 1 to {_LONGEST_NAME} printable characters")
        if not _is_shown(unit):
            raise ValueError(f"{name}: a unit is at most {_LONGEST_NAME} printable characters, such as %, s or pages")
        number: int | float = value if type(value) is int else float(value)
        if not math.isfinite(number):
            raise ValueError(f"{name}: {number} is not a value that can be recorded")
        told = f"metric {name}: {number:g} {unit}".rstrip()
        _logger.info("%s", told, extra={"metric": name, "value": number, "unit": unit})
        with self._lock:
            self._found[name] = {"value": number} | ({"unit": unit} if unit else {})

    def as_data(self) -> dict[str, dict[str, Any]]:
        """For the summary: value and unit by name."""
        with self._lock:
            return dict(self._found)


def _is_shown(text: Any) -> bool:
    return isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_NAME


class Services:
    """Made at their first use, and kept.

    The runner puts in those that it shares; a context that was sent to another process has its own there.

    Attributes:
        metrics: What the worker has measured.
        sessions: Sessions of the cache while it is open; None otherwise, and for a worker without one.

    Args:
        data: What they are made from.
        client: The client of the run, where there is one already.
    """

    def __init__(self, data: ServicesData, client: Client | None = None) -> None:
        self.data = data
        self.sessions: Sessions | None = None
        self.metrics = Metrics()
        self._client = client
        self._corpora: Corpora | None = None
        self._publisher: Publisher | None = None

    def declare(self, creates: Creates) -> None:
        """What publishing may create, where only the worker's `setup` knew it."""
        self.data = dataclasses.replace(self.data, creates=creates)
        self._corpora = None

    @property
    def is_reachable(self) -> bool:
        """Whether the address of Arkindex is set; in developer mode it need not be."""
        return self.data.connection != Connection()

    @property
    def api(self) -> Client:
        """The client of the API: one set of connections, one budget of repeated requests."""
        if self._client is None:
            from arkworker.arkindex.client import Client

            self._client = Client(self.data.connection, read_only=self.data.is_read_only)
        return self._client

    @cached_property
    def element_access(self) -> ElementAccess:
        """What this run knows of elements."""
        from arkworker.arkindex.reading.access import ElementAccess

        return ElementAccess(
            lambda: self.api,
            lambda: self.sessions,
            is_reachable=self.is_reachable,
            local_files=self.data.worker_run_id is None,
            max_image_pixels=self.data.max_image_pixels,
        )

    @property
    def corpora(self) -> Corpora:
        """What is known of the types and classes of corpora."""
        if self._corpora is None:
            from arkworker.arkindex.publishing import Corpora

            self._corpora = Corpora(self.data.creates)
        return self._corpora

    @property
    def publisher(self) -> Publisher:
        """Where results are left that are published in the middle of the work."""
        if self._publisher is None:
            self._publisher = self.make_publisher()
        return self._publisher

    @publisher.setter
    def publisher(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def make_publisher(self, client: Client | None = None, outbox: Outbox | None = None) -> Publisher:
        """A publisher for this run: on Arkindex, or in the log where the run is read-only.

        Args:
            client: Sends the requests; by default, `api`.
            outbox: Where to leave what was accepted for the cache; None without one.
        """
        from arkworker.arkindex.publishing import ArkindexPublisher, SummarizingPublisher

        if self.data.uses_cache and outbox is None:
            from arkworker.arkindex.publishing.outbox import ELSEWHERE

            logger.warning(ELSEWHERE)
        if self.data.is_read_only:
            return SummarizingPublisher(outbox, self.data.results)
        if self.data.results is not None:
            return SummarizingPublisher(file=self.data.results)
        from arkworker.arkindex.publishing.doubts import Doubts

        run = self.data.worker_run_id
        return ArkindexPublisher(
            client or self.api,
            worker_run_id=run,
            corpus_id=self.data.corpus_id,
            corpora=self.corpora,
            batch_size=self.data.batch_size,
            outbox=outbox,
            doubts=Doubts(self.data.work_dir, run) if run is not None else None,
        )

    def load_secret(self, name: str | os.PathLike[str]) -> Any:
        """As `WorkerContext.load_secret`."""
        from arkworker.arkindex.secrets import load_secret
        from arkworker.storage.local_secrets import SecretStore

        store = SecretStore(self.data.secrets_dir, environ=os.environ)
        return load_secret(name, store=store, api=self.api if self.is_reachable else None, environ=os.environ)


class LatePublisher:
    """Makes the publisher at its first use: a run without results does not import how.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], Publisher]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._publisher: Publisher | None = None

    def publish(self, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        """As `Publisher`."""
        with self._lock:
            if self._publisher is None:
                self._publisher = self._make()
        return self._publisher.publish(element, results)
