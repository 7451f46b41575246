"""An emulated Arkindex, and an empty cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from arkworker.emulator import Emulator
from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.add_corpus()
        yield emulator


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_cache(tmp_path / "db.sqlite", create=True)
    yield engine
    engine.dispose()
