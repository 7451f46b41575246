"""Several elements at once, in real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import Process, Trial, trial

from arkworker.arkindex.client import Client, Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKER = """
import os, sys, time
from arkworker import ElementsWorker, Transcription
from arkworker.clock import SystemClock

whole = SystemClock.sleep
SystemClock.sleep = lambda self, seconds: whole(self, seconds / 1000)

class W(ElementsWorker):
    batch_size = 4

    def process_elements(self, elements, context, cache):
        with open(os.environ["BATCHES"], "a") as log:
            print(*(element.id for element in elements), file=log)
        exec(os.environ.get("HOOK", "pass"))
        return [Transcription(text=element.name, confidence=1) for element in elements]

    def finish(self, context, cache):
        print("finished", file=sys.stderr)
        exec(os.environ.get("FINISH", "pass"))

W.main()
"""


@dataclass
class Batches:
    """A queue of ten elements, and a worker that takes four at once."""

    trial: Trial

    def start(self, *flags: str, **variables: str) -> Process:
        folder = self.trial.folder
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= self.trial.emulator.environment(self.trial.run, data_dir=folder / "data")
        environ |= {"BATCHES": str(folder / "batches"), **variables}
        (folder / "w.py").write_text(WORKER)
        log = (folder / "log.txt").open("w+")
        summary = folder / "summary.json"
        command = [sys.executable, str(folder / "w.py"), "--summary", str(summary), *flags]
        return Process(subprocess.Popen(command, env=environ, stdout=log, stderr=log), summary, log)

    @property
    def sizes(self) -> list[int]:
        return [len(line.split()) for line in (self.trial.folder / "batches").read_text().splitlines()]

    def texts(self) -> list[int]:
        """How many texts each element has."""
        emulator = self.trial.emulator
        with closing(Client(Connection(url=emulator.url, token=emulator.token))) as client:
            return [len(list(client.paginate("ListTranscriptions", id=one))) for one in self.trial.elements]


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    with trial(tmp_path, 10) as made:
        yield Batches(made)


def numbers(summary: dict[str, Any]) -> list[int]:
    return [summary[name] for name in ("elements", "processed", "failed", "exit_code")]


def test_batches_are_full(batches: Batches) -> None:
    """User code gets as many elements as it takes; each has its own results; `finish` is called once."""
    ended = batches.start().wait()

    assert numbers(ended.summary) == [10, 10, 0, 0], ended
    assert batches.sizes == [4, 4, 2]
    assert batches.texts() == [1] * 10
    assert ended.log.count("finished") == 1


@pytest.mark.parametrize("listed", [False, True], ids=["queue", "list"])
def test_one_that_fails_does_not_fail_its_batch(batches: Batches, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """Each element of a batch that failed is tried by itself, once."""
    flags = ["--elements-list", batches.trial.write_list()] if listed else []
    hook = "if any(one.name.endswith('3') for one in elements): raise ValueError('blank')"

    ended = batches.start(*flags, HOOK=hook).wait()

    assert numbers(ended.summary) == [10, 9, 1, 0], ended
    assert dict(batches.trial.states) == {"processed": 9, "error": 1}
    assert sorted(batches.sizes) == [1, 1, 1, 1, 2, 4, 4]
    assert sum(batches.texts()) == 9


def test_traceback_of_one_that_fails(batches: Batches) -> None:
    """It is that of the element alone, without what the batch had failed with before."""
    batches.start(HOOK="if any(e.name.endswith(' 3') for e in elements): raise ValueError('blank')").wait()

    log = (batches.trial.folder / "log.txt").read_text()
    assert (log.count("Traceback"), log.count("During handling")) == (1, 0), log


def test_wrong_number_of_results(batches: Batches) -> None:
    """One line says it: there is no line of the author's that a traceback could show."""
    batches.start(HOOK="W.process_elements = lambda self, *_: [None] * 3").wait()

    log = (batches.trial.folder / "log.txt").read_text()
    assert "process_elements should return one item for each element, in order: 4, not 3" in log
    assert "Traceback" not in log


def test_signal_in_a_batch(batches: Batches) -> None:
    """What is in user code may finish, what was claimed ahead ends in error; nothing stays started, and no finish."""
    process = batches.start(HOOK="time.sleep(0.3)")
    batches.trial.wait_for_file("batches")

    process.signal()
    ended = process.wait()

    states = batches.trial.states
    assert ended.code == 143, ended
    assert states["processed"] == sum(batches.sizes), ended
    assert states["started"] <= ended.summary["uncertain"], ended
    assert "finished" not in ended.log


def test_batch_that_outlives_the_grace_time(batches: Batches) -> None:
    """All of its elements end in error."""
    process = batches.start("--grace", "0.1", HOOK="time.sleep(60)")
    batches.trial.wait_for_file("batches")

    process.signal()
    ended = process.wait()

    states = batches.trial.states
    assert (ended.code, states["processed"]) == (143, 0), ended
    assert states["error"] >= 4, ended
    assert states["started"] <= ended.summary["uncertain"], ended  # on a busy machine, time may run out for the others


def test_finish_that_fails(batches: Batches) -> None:
    """The run has failed, with all of its elements processed."""
    ended = batches.start(FINISH="raise ValueError('no model')").wait()

    assert (ended.code, numbers(ended.summary)) == (1, [10, 10, 0, 1]), ended
    assert "ValueError: no model" in ended.log


def test_batches_are_recorded(batches: Batches) -> None:
    """A line for each element, with its own results."""
    path = batches.trial.folder / "results.jsonl"

    ended = batches.start("--results", str(path)).wait()

    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert ended.code == 0, ended
    assert sorted(line["element"]["id"] for line in lines) == sorted(batches.trial.elements)
    assert {tuple(result["text"] for result in line["results"]) for line in lines} == {
        (line["element"]["name"],) for line in lines
    }
