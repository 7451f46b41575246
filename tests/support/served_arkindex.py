"""An emulated Arkindex for the services of workers, and a client of it that waits for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from manual_clock import ManualClock

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Iterator[Emulator]:
    """One for the tests of a module; the ledger is empty at the beginning of each."""
    served.ledger.clear()
    yield served
    served.faults.clear()


@pytest.fixture
def manual_clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def arkindex_client(emulator: Emulator, manual_clock: ManualClock) -> Iterator[Client]:
    client = Client(Connection(url=emulator.url, token=emulator.token, read_timeout=5.0), clock=manual_clock)
    yield client
    client.close()
