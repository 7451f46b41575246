"""Threads beside the one of user code, and what there is for them to run on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from arkworker.runtime.loop.threads import cores

if TYPE_CHECKING:
    import pytest


def test_cores_where_the_system_says_which_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is given some of them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)

    assert cores() == 3


def test_cores_where_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, as on macOS; one, where nothing is known."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    counts = iter((8, None))
    monkeypatch.setattr(os, "cpu_count", lambda: next(counts))

    assert (cores(), cores()) == (8, 1)
