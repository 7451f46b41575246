"""An emulated Arkindex with a model, and a client of it that waits for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from manual_clock import ManualClock

from arkworker.runtime.client import Client, Connection
from arkworker.runtime.models import archive
from arkworker.testing.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
def client(emulator: Emulator) -> Iterator[Client]:
    client = Client(Connection(url=emulator.url, token=emulator.token, read_timeout=5.0), clock=ManualClock())
    yield client
    client.close()


@pytest.fixture
def model(emulator: Emulator, client: Client) -> str:
    """The id of a model; it has one version, with the tag `taken`."""
    version = emulator.add_model_version("Model", tag="taken", archive=b"")
    return str(client.request("RetrieveModelVersion", id=version)["model_id"])


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """Not there yet; a publication makes it, and leaves it empty."""
    return tmp_path / "work"


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one MiB, so that a small archive has several."""
    monkeypatch.setattr(archive, "SMALLEST", archive.MIB)
