"""Runs over the sets of datasets, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import wait_until

from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = {"content-type": "application/json"}
ROOT = Path(__file__).parents[3]
WORKER = """
import os, sqlite3
from arkworker.clock import SystemClock
from arkworker.runtime.worker import DatasetWorker

if "SHORT" in os.environ:
    whole = SystemClock.sleep
    SystemClock.sleep = lambda self, seconds: whole(self, seconds / 1000)

class W(DatasetWorker):
    def process_set(self, dataset_set, export, context, cache):
        count, = sqlite3.connect(export).execute("SELECT count(*) FROM element").fetchone()
        if dataset_set.name == os.environ.get("FAILING"):
            raise ValueError
        context.record_metric("sets seen", 1)
        if os.environ.get("SIGNAL") == dataset_set.name:
            os.kill(os.getpid(), 15)
        if "EXIT" in os.environ:
            raise SystemExit(0)
        print(dataset_set.name, dataset_set.dataset.name, count > 0)

    def finish(self, context, cache):
        if os.environ.get("SIGNAL") == "finish":
            context.record_metric("loss", 0.5)
            os.kill(os.getpid(), 15)

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

    def command(self, flags: tuple[str, ...], variables: dict[str, str]) -> dict[str, Any]:
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PYTHONPATH": str(ROOT)} | self.emulator.environment(self.run_id, data_dir=self.folder) | variables
        return {"args": [sys.executable, "-c", WORKER, *flags], "env": environ}

    def run(self, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = self.command(flags, variables)
        return subprocess.run(**command, capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> subprocess.Popen[bytes]:
        command = self.command((), {})
        return subprocess.Popen(command["args"], env=command["env"], stderr=subprocess.DEVNULL)


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


@pytest.mark.parametrize("flags", [("--jobs", "2"), ("--executor", "submitit:local")])
def test_flags_that_share_elements_out(desk: Desk, flags: tuple[str, ...]) -> None:
    """Sets are worked on in one process: that is said, and no line of the log names its process."""
    done = desk.run(*flags)

    assert (done.returncode, done.stdout) == (0, "train Pages True\ntest Pages True\n"), done.stderr
    assert f" arkworker.elements: {flags[0]}: sets of datasets are worked on one after the other" in done.stderr


def test_named_sets_twice(desk: Desk) -> None:
    """A set that is named twice is worked on once."""
    done = desk.run("--set", f"{desk.dataset}:test", f"{desk.dataset.upper()}:test")

    assert (done.returncode, done.stdout) == (0, "test Pages True\n"), done.stderr


def test_unknown_set(desk: Desk) -> None:
    """A set that does not exist is told before anything starts."""
    done = desk.run("--set", f"{desk.dataset}:test", f"{desk.dataset}:tset")

    assert (done.returncode, done.stdout) == (78, ""), done.stderr
    assert f"RetrieveDatasetSet (status 404): there is no dataset {desk.dataset} with a set 'tset'" in done.stderr
    assert "Traceback" not in done.stderr


def test_malformed_set(desk: Desk) -> None:
    """What is not a set of a dataset is refused, with the form that it should have."""
    done = desk.run("--set", "train")

    assert done.returncode == 78, done.stderr
    assert "should be the id of a dataset, a colon and the name of a set" in done.stderr


def test_failed_export(desk: Desk) -> None:
    """A set whose export failed is a failure of its own, told in one line."""
    desk.emulator.faults.add("StartExport", Fault.answer(400, b'["no room"]', headers=JSON))

    done = desk.run()

    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "no room" in done.stderr
    assert "Traceback" not in done.stderr


def test_cut_download(desk: Desk) -> None:
    """An export whose download is cut is downloaded again: user code never gets half of it."""
    desk.emulator.faults.add("*", Fault.cut(), times=1, where=lambda call: call.origin == "storage")

    done = desk.run(SHORT="1")

    assert (done.returncode, done.stdout) == (0, "train Pages True\ntest Pages True\n"), done.stderr


def test_download_that_never_comes_through(desk: Desk) -> None:
    """Storage that keeps failing is worth a retry of the whole run."""
    desk.emulator.faults.add("*", Fault.answer(503), where=lambda call: call.origin == "storage")

    done = desk.run(SHORT="1")

    assert done.returncode == 69, done.stderr
    assert "0 processed, 2 failed" in done.stderr.splitlines()[-1]


def test_elements_are_refused(desk: Desk) -> None:
    """A worker on sets says so when it is given elements."""
    done = desk.run("--element", desk.dataset)

    assert done.returncode == 78, done.stderr
    assert "works on the sets of datasets" in done.stderr


def test_exit_in_user_code(desk: Desk) -> None:
    """`sys.exit(0)` in user code ends the run, as a failure, with a summary."""
    done = desk.run("--summary", str(desk.folder / "summary.json"), EXIT="1")

    assert done.returncode == 1, done.stderr
    summary = json.loads((desk.folder / "summary.json").read_text())
    assert (summary["failed"], summary["exit_code"]) == (1, 1)


def test_signal_while_a_set_is_worked_on(desk: Desk) -> None:
    """It is interrupted at once, and no time is promised."""
    done = desk.run(SIGNAL="train")

    assert (done.returncode, done.stdout) == (143, ""), done.stderr
    assert "stopped by signal 15" in done.stderr.splitlines()[-1]
    assert "s to end" not in done.stderr


@pytest.mark.parametrize(
    ("moment", "counts", "metrics"),
    [("test", (1, 1), {"sets seen": 1}), ("finish", (2, 2), {"sets seen": 1, "loss": 0.5})],
)
def test_summary_of_a_training_that_was_stopped(
    desk: Desk, moment: str, counts: tuple[int, int], metrics: dict[str, float]
) -> None:
    """A signal to a training, which may take days, keeps nothing of what was measured out of the summary."""
    done = desk.run("--summary", str(desk.folder / "summary.json"), SIGNAL=moment)

    assert done.returncode == 143, done.stderr
    summary = json.loads((desk.folder / "summary.json").read_text())
    assert (summary["elements"], summary["processed"]) == counts
    assert {name: metric["value"] for name, metric in summary["metrics"].items()} == metrics
    assert done.stderr.splitlines()[-1].startswith(f"arkworker: stopped by signal 15; {counts[0]} set")


def test_failed_set_before_a_stop(desk: Desk) -> None:
    """The sets that failed are told at the end, although a signal ended the run."""
    done = desk.run(FAILING="train", SIGNAL="test")

    assert done.returncode == 143, done.stderr
    assert "failed once: ValueError" in done.stderr


def test_signal_while_waiting_for_an_export(desk: Desk) -> None:
    """A signal ends the wait for an export."""
    export = {"id": desk.dataset, "state": "running", "created": "2026-01-01T00:00:00Z", "dataset_id": desk.dataset}
    page = {"count": 1, "next": None, "previous": None, "results": [export]}
    refusal = {"type": "validation_error", "errors": [{"attr": None, "code": "running_export", "detail": "Running."}]}
    desk.emulator.faults.add("ListExports", Fault.answer(200, json.dumps(page).encode(), headers=JSON))
    desk.emulator.faults.add("StartExport", Fault.answer(400, json.dumps(refusal).encode(), headers=JSON))
    process = desk.start()
    wait_until(lambda: len(desk.emulator.ledger.calls("ListExports")) == 2)

    process.send_signal(signal.SIGTERM)  # as the wait begins, or just before

    assert process.wait(60) == 143
    assert len(desk.emulator.ledger.calls("ListExports")) == 2, "it did not come to look again"
