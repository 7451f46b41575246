"""The summary of a run over elements, as a file."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from element_runs import trial

from arkworker.errors import CacheError
from arkworker.runtime.loop.outcome import Outcome, Summary
from arkworker.runtime.named_files import empty
from arkworker.runtime.stopping import Stopping

if TYPE_CHECKING:
    from pathlib import Path

SUMMARY = Summary(0, 0, 0, 0, 0, seconds=1.5, exit_code=0)
ZEROS = {"elements": 0, "processed": 0, "failed": 0, "skipped": 0, "uncertain": 0}


def conclude(path: Path) -> None:
    """End a run whose summary goes there."""
    Outcome(Stopping(), lambda: str(path)).conclude(SUMMARY)


def test_link_is_followed(tmp_path: Path) -> None:
    """A link stays one, and the file that it leads to is replaced."""
    (tmp_path / "link").symlink_to("file")

    empty("summary", str(tmp_path / "link"))
    conclude(tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "file").read_text())["seconds"] == 1.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_pipe_is_written_to(tmp_path: Path) -> None:
    """What is not a regular file is written to, not replaced: it may be `/dev/null`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    empty("summary", str(pipe))
    conclude(pipe)

    assert json.loads(os.read(reader, 4096)) == SUMMARY.as_data()
    assert pipe.is_fifo()
    os.close(reader)


def test_pipe_that_nobody_reads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and nothing waits for a reader."""
    os.mkfifo(tmp_path / "pipe")

    conclude(tmp_path / "pipe")

    assert "the summary cannot be written" in caplog.text


def test_summary_of_a_run_without_elements(tmp_path: Path) -> None:
    """A run that ends before its first element says so, and leaves no summary of the run before."""
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY.as_data() | {"elements": 7}))
    (tmp_path / "none.json").write_text("[]")

    with trial(tmp_path, 2) as made:
        ended = made.start("--elements-list", str(tmp_path / "none.json")).wait()

    assert ended.code == 1, ended
    assert ended.summary == ZEROS | {"seconds": ended.summary["seconds"], "exit_code": 1, "phases": {}}


def test_signal_after_the_last_element(tmp_path: Path) -> None:
    """The summary has the exit code of the process, also when a signal came while the worker was cleaning up."""
    with trial(tmp_path, 2) as made:
        process = made.start(TEARDOWN="time.sleep(60)")
        made.wait_for_file("user.teardown")

        process.signal()
        ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 143, ended
    assert ended.summary["processed"] == 2, ended


LEFT = {
    "a thread": "import threading; threading.Thread(target=time.sleep, args=(600,)).start()",
    "a process": """
import multiprocessing
end, held = os.pipe()
wait = lambda: (os.close(held), os.read(end, 1))  # until its parent is no more
multiprocessing.get_context("fork").Process(target=wait).start()
""",
}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_what_user_code_leaves_running(tmp_path: Path, left: str) -> None:
    """A run that a signal stopped ends, whatever user code has left running."""
    with trial(tmp_path, 5) as made:
        process = made.start(HOOK=f"{left}\ntime.sleep(0.3)")
        made.wait_for("RetrieveElement", 1)

        process.signal(signal.SIGINT)
        ended = process.wait()

    assert (ended.code, ended.summary["exit_code"]) == (130, 130), ended


def test_failure_after_the_elements(tmp_path: Path) -> None:
    """The summary keeps the numbers of the elements, and has the exit code of the process."""
    path = tmp_path / "summary.json"
    made = Outcome(Stopping(), lambda: str(path))
    made.tally.count("processed")

    def run() -> None:
        with made.summarized():
            made.conclude(made.sum_up(None, strict=False))
            raise CacheError("db.sqlite", "cannot be written")

    with pytest.raises(CacheError):
        run()

    found = json.loads(path.read_text())
    assert (found["processed"], found["exit_code"]) == (1, 78)
