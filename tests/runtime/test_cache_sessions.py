"""The cache of a run; most of it is tested where it is used, as in `tests/runtime/loop/test_caching.py`."""

from __future__ import annotations

import pytest

from arkworker.errors import ArkworkerError
from arkworker.runtime.cache_sessions import CacheStandIn


def test_cache_stand_in() -> None:
    """Says what to do, however it is touched."""
    with pytest.raises(ArkworkerError, match="set uses_cache = True"):
        CacheStandIn().execute("SELECT 1")
    assert "uses_cache = True" in repr(CacheStandIn())
