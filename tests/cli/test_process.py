"""What a command line changes in its process, and gives back."""

from __future__ import annotations

import gc
import io
import resource
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.cli import invoke
from arkworker.cli.process import given_back
from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_own", [False, True])
def test_limits_and_streams(monkeypatch: pytest.MonkeyPatch, *, is_own: bool) -> None:
    """They stay changed only where the process ends with the command line."""
    stream = io.TextIOWrapper(io.BytesIO(), errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    changed = (0 if before[0] else before[0], before[1])
    try:
        with given_back(is_own=is_own):
            resource.setrlimit(resource.RLIMIT_CORE, changed)
            stream.reconfigure(errors="backslashreplace")
        now = resource.getrlimit(resource.RLIMIT_CORE), stream.errors
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)

    assert now == ((changed, "backslashreplace") if is_own else (before, "strict"))


@pytest.mark.parametrize("is_own", [False, True])
def test_garbage_collector(*, is_own: bool) -> None:
    """An opened cache makes it run less often, but not in a program that goes on."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with given_back(is_own=is_own):
            open_cache(None).dispose()
            assert gc.get_threshold() == (10_000, 10, 10)
        assert gc.get_threshold() == ((10_000 if is_own else 700), 10, 10)
    finally:
        gc.set_threshold(*before)


def test_a_command_in_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its limits and streams back afterwards."""
    (tmp_path / "w.py").write_text("def work(context, cache):\n    print('done')\n")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", stream := io.TextIOWrapper(content, errors="strict", write_through=True))
    before = resource.getrlimit(resource.RLIMIT_CORE)

    code = invoke(["run", f"{tmp_path}/w.py:work"])

    assert (code, content.getvalue(), stream.errors) == (0, b"done\n", "strict")
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_a_client_that_checks_no_certificates() -> None:
    """Warnings of other requests are not silenced by it."""
    before = list(warnings.filters)

    assert Client(Connection(verify=False)).transport is not None
    assert list(warnings.filters) == before
