"""Runs over the sets of datasets, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from arkworker.testing.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
WORKER = """
import os, sqlite3
from arkworker.runtime.elements_worker import DatasetWorker

class W(DatasetWorker):
    def process_set(self, dataset_set, export, context, cache):
        count, = sqlite3.connect(export).execute("SELECT count(*) FROM element").fetchone()
        if dataset_set.name == os.environ.get("FAILING"):
            raise ValueError
        print(dataset_set.name, dataset_set.dataset.name, count > 0)

W.main()
"""


class Desk:
    """An emulator with a dataset of two sets, and a run on them."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        emulator.add_corpus()
        first, second = emulator.add_elements(2, image=(100, 100))
        self.emulator = emulator
        self.folder = folder
        self.dataset = emulator.add_dataset("Pages", {"train": [first], "test": [second]})
        self.run_id = emulator.add_worker_run(mode="dataset", sets=[(self.dataset, "train"), (self.dataset, "test")])

    def run(self, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PYTHONPATH": str(ROOT)} | self.emulator.environment(self.run_id, data_dir=self.folder) | variables
        command = [sys.executable, "-c", WORKER, *flags]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Emulator() as emulator:
        yield Desk(emulator, tmp_path)


def test_sets_of_the_process(desk: Desk) -> None:
    """Each set goes through user code with the export of its dataset, downloaded once."""
    done = desk.run()

    assert (done.returncode, done.stdout) == (0, "train Pages True\ntest Pages True\n"), done.stderr
    assert len(desk.emulator.ledger.calls("DownloadExport")) == 1


def test_existing_export_is_used(desk: Desk) -> None:
    """Where Arkindex has an export already, no other is needed."""
    desk.run()

    done = desk.run()

    assert (done.returncode, done.stdout) == (0, "train Pages True\ntest Pages True\n"), done.stderr


def test_failed_set(desk: Desk) -> None:
    """One set that fails is told, and does not keep the others from being worked on."""
    done = desk.run(FAILING="train")

    assert (done.returncode, done.stdout) == (0, "test Pages True\n"), done.stderr
    assert "1 processed, 1 failed" in done.stderr.splitlines()[-1]


def test_named_sets_in_developer_mode(desk: Desk) -> None:
    """At a desk, the newest export is used, and none is started."""
    desk.run()
    before = desk.emulator.ledger.count

    done = desk.run(
        "--dev", "--set", f"{desk.dataset}:test", ARKINDEX_API_TOKEN=desk.emulator.token, ARKINDEX_TASK_TOKEN=""
    )

    assert (done.returncode, done.stdout) == (0, "test Pages True\n"), done.stderr
    assert {call.method for call in desk.emulator.ledger.calls(after=before)} == {"GET"}


def test_no_sets(desk: Desk) -> None:
    """No sets at all are a mistake."""
    done = desk.run("--dev")

    assert done.returncode == 78, done.stderr
    assert "there are no sets to work on" in done.stderr
