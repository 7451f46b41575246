"""Runs over elements, for the tests of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from element_runs import Trial, trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def twelve(tmp_path: Path) -> Iterator[Trial]:
    """A queue of twelve elements."""
    with trial(tmp_path, 12) as made:
        yield made
