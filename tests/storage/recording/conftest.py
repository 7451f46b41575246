"""Headers, entries, and every kind of result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arkworker.storage.recording.lines import Header

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def header() -> Callable[..., Header]:
    """Makes headers that differ in little."""

    def make(**values: Any) -> Header:
        known = {"id": "r1", "worker": "w.py:W", "arkworker": "1", "worker_run_id": "run-1", "corpus_id": "corpus-1"}
        return Header(**known | values)

    return make
