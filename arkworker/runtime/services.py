"""What is made from the data of a context: client, element access, publisher."""

from __future__ import annotations

import logging
import math
import os
import threading
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client import Connection
from arkworker.clock import SystemClock
from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.corpus import Corpora
    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.arkindex.publishing.publisher import Publisher
    from arkworker.arkindex.reading.access import ElementAccess
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.elements.model import Element
    from arkworker.elements.results import Created
    from arkworker.options.creates import Creates
    from arkworker.runtime.context_data import ContextData

logger = logging.getLogger("arkworker.publishing")
_logger = logging.getLogger("arkworker")

_LONGEST_NAME = 100  # characters
#: Elsewhere, what it is given would not get into the file.
UNRECORDED = (
    "with --results, context.publish can only be called while an element is processed, in the worker's own process"
)


class Metrics:
    """What a worker measured, by name; the last value of each is kept. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Any]] = {}

    def record(self, name: str, value: Any, unit: str = "") -> None:
        """As `WorkerContext.record_metric`; integers of libraries are integers, too."""
        if not _is_shown(name) or not name.strip():
            raise ValueError(f"the name of a metric should have 1 to {_LONGEST_NAME} printable characters")
        if not _is_shown(unit):
            raise ValueError(
                f"{name}: a unit should have at most {_LONGEST_NAME} printable characters, such as %, s or pages"
            )
        try:
            is_finite = math.isfinite(value)  # refuses what is not a number
        except OverflowError:  # of an integer that no float can hold
            raise ValueError(f"{name}: the value of a metric should not be too large for a float") from None
        if not is_finite:  # a loss that diverges is worth a warning, and no reason to lose the training
            told = f"metric {name}: {float(value)}, which the summary leaves out: it is not a finite number"
            _logger.warning("%s", told, extra={"metric": name, "value": float(value), "unit": unit})
            with self._lock:
                self._found.pop(name, None)  # else an earlier value would stand for the last
            return
        number = int(value) if isinstance(value, Integral) else float(value)
        told = f"metric {name}: {measured(number)} {unit}".rstrip()
        _logger.info("%s", told, extra={"metric": name, "value": number, "unit": unit})
        with self._lock:
            self._found[name] = {"value": number} | ({"unit": unit} if unit else {})

    def as_data(self) -> dict[str, dict[str, Any]]:
        """For the summary: value and unit by name."""
        with self._lock:
            return dict(self._found)


def measured(value: float) -> str:
    """The value of a metric, for people: an integer whole, any other number with six digits."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def _is_shown(text: Any) -> bool:
    return isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_NAME


class Services:
    """Made at their first use, and kept.

    The runner puts in those that it shares; a context that was sent to another process has its own there.

    Attributes:
        metrics: What the worker has measured.
        publisher: Where results are left that are published in the middle of the work.
        sessions: Sessions of the cache while it is open; None otherwise, and for a worker without one.

    Args:
        data: What they are made from.
        client: The client of the run, where there is one already.
    """

    def __init__(self, data: ContextData[Any], client: Client | None = None) -> None:
        self.metrics = Metrics()
        self.publisher: Publisher = LatePublisher(self.make_own_publisher)
        self.sessions: Sessions | None = None
        self._data = data
        self._corpus_id, self._runner = data._corpus_id, data._runner  # noqa: SLF001 - hidden from authors
        self._client = client
        self._corpora: Corpora | None = None

    def declare(self, creates: Creates) -> None:
        """What publishing may create, where only the worker's `setup` knew it."""
        self._runner = self._runner._replace(creates=creates)
        self._corpora = None

    @property
    def is_reachable(self) -> bool:
        """Whether the address of Arkindex is set; in developer mode it need not be."""
        return self._data.connection != Connection()

    @property
    def api(self) -> Client:
        """The client of the API: one set of connections, one budget of repeated requests."""
        if self._client is None:
            from arkworker.arkindex.client import Client

            self._client = Client(self._data.connection, read_only=self._data.is_read_only)
        return self._client

    def end(self) -> None:
        """End requests and waits under way, from any thread: the run is being stopped."""
        self.api.end()
        if isinstance(self.api.clock, SystemClock):
            self.api.clock.wake()

    @cached_property
    def element_access(self) -> ElementAccess:
        """What this run knows of elements."""
        from arkworker.arkindex.reading.access import ElementAccess

        return ElementAccess(
            lambda: self.api,
            lambda: self.sessions,
            is_reachable=self.is_reachable,
            local_files=self._data.worker_run_id is None,
            max_image_pixels=self._runner.max_image_pixels,
        )

    @property
    def corpora(self) -> Corpora:
        """What is known of the types and classes of corpora."""
        if self._corpora is None:
            from arkworker.arkindex.publishing.corpus import Corpora

            self._corpora = Corpora(self._runner.creates)
        return self._corpora

    def make_publisher(self, client: Client | None = None, outbox: Outbox | None = None) -> Publisher:
        """A publisher for this run: on Arkindex, or in the log where the run is read-only.

        Args:
            client: Sends the requests; by default, `api`.
            outbox: Where to leave what was accepted for the cache; None without one.
        """
        from arkworker.arkindex.publishing.publisher import ArkindexPublisher, SummarizingPublisher

        if self._data.use_cache and outbox is None:
            from arkworker.arkindex.publishing.outbox import ELSEWHERE

            logger.warning(ELSEWHERE)
        if self._data.is_read_only:
            return SummarizingPublisher(outbox, self._runner.results)
        if self._runner.results is not None:
            return SummarizingPublisher(file=self._runner.results)
        from arkworker.arkindex.publishing.doubts import Doubts

        run = self._data.worker_run_id
        return ArkindexPublisher(
            client or self.api,
            worker_run_id=run,
            corpus_id=self._corpus_id,
            corpora=self.corpora,
            batch_size=self._runner.batch_size,
            outbox=outbox,
            doubts=Doubts(self._data.work_dir, run) if run is not None else None,
        )

    def make_own_publisher(self, outbox: Outbox | None = None) -> Publisher:
        """The publisher while no element is being processed, as in `setup`, and in processes of user code.

        Raises:
            ArkworkerError: Results are recorded, each with an element.
        """
        if self._runner.results is not None:
            raise ArkworkerError(UNRECORDED)
        return self.make_publisher(outbox=outbox)

    def load_secret(self, name: str | os.PathLike[str]) -> Any:
        """As `WorkerContext.load_secret`."""
        from arkworker.arkindex.secrets import load_secret
        from arkworker.storage.local_secrets import SecretStore

        store = SecretStore(self._data.secrets_dir, environ=os.environ)
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
