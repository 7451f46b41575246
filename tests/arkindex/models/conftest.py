"""An emulated Arkindex with a model, and a client of it that waits for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.models import archive

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.arkindex.client import Client
    from arkworker.emulator import Emulator


@pytest.fixture
def client(arkindex_client: Client) -> Client:
    return arkindex_client


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
