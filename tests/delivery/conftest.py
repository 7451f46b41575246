"""An emulated Arkindex with a few pages, and a results file about them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from results_files import ResultsFile

from arkworker.cli import invoke
from arkworker.clock import SystemClock
from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results_files import Publish


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ResultsFile]:
    """A file that nothing is recorded in yet; its first four pages are in the queue of its worker run."""
    with Emulator() as emulator:
        corpus = emulator.add_corpus()
        elements = emulator.add_elements(6, image=(1000, 1400))
        run = emulator.add_worker_run(elements=elements[:4])
        yield ResultsFile(emulator, tmp_path / "results.jsonl", run, corpus, list(elements))


@pytest.fixture
def publish_here(
    file: ResultsFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Publish]:
    """Publishes the file in this process, and waits for nothing: exit code, log, summary."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)
    for name in ("ARKINDEX_API_URL", "ARKINDEX_API_TOKEN"):
        monkeypatch.setenv(name, file.environment[name])

    def publish(*flags: str, **variables: str) -> tuple[int, str, dict[str, Any]]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        summary = file.path.with_suffix(".summary")
        code = invoke(["publish", str(file.path), "--summary", str(summary), *flags])
        shown = capsys.readouterr()
        return code, shown.err + shown.out, json.loads(summary.read_text()) if summary.exists() else {}

    yield publish
    root.handlers[:] = handlers
    root.setLevel(level)
