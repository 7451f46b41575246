"""An emulated Arkindex with one page of 1000 by 1400 pixels, and a client and a worker run to publish with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.publishing.publisher import ArkindexPublisher
from arkworker.elements.model import Element
from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


class StillClock:
    """Waits take no time."""

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


@dataclass
class Site:
    """The emulator, and what the tests publish on it with."""

    emulator: Emulator
    corpus: str
    page: Element
    run: str
    client: Client

    def publisher(self, **options: Any) -> ArkindexPublisher:
        return ArkindexPublisher(self.client, worker_run_id=self.run, corpus_id=self.corpus, **options)

    def calls(self) -> dict[str, int]:
        """How often each operation that writes was called."""
        calls = self.emulator.ledger.calls()
        return dict(Counter(str(call.operation) for call in calls if call.method != "GET"))

    def get(self, operation: str, **parameters: Any) -> list[Any]:
        """All items of a list."""
        return list(self.client.paginate(operation, **parameters))


@pytest.fixture
def site() -> Iterator[Site]:
    with Emulator() as emulator:
        corpus = emulator.add_corpus()
        page_id = emulator.add_element("page", "Page", image=(1000, 1400))
        run = emulator.add_worker_run()
        client = Client(Connection(url=emulator.url, token=emulator.token), clock=StillClock())
        page = Element.from_api(client.request("RetrieveElement", id=page_id))
        emulator.ledger.clear()
        yield Site(emulator, corpus, page, run, client)
        client.close()
