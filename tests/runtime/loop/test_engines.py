"""Runs on real engines: a cluster of Dask, and submitit on this machine."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from element_runs import ROOT, trial, wait_until

from arkworker.errors import ConfigurationError
from arkworker.runtime.loop import engines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from element_runs import Trial


@contextmanager
def cluster(made: Trial, *, workers: int = 2, **variables: str) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler of Dask and workers of one thread, each a process: its address, and the workers.

    What is to happen to elements is said here: variables of the caller do not travel.
    """
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    environ = os.environ | {"PYTHONPATH": str(ROOT), "USER_LOG": str(made.folder / "user.log")} | variables
    place = made.folder / "scheduler.json"
    log = (made.folder / "dask.txt").open("wb")

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(place), "--no-dashboard"]
        return subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=made.folder)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        wait_until(lambda: place.exists() and place.read_text().endswith("}"))
        processes += [start("worker", "--nthreads", "1", "--no-nanny", "--name", str(n)) for n in range(workers)]
        yield f"dask:{json.loads(place.read_text())['address']}", processes[1:]
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()


def test_what_killed_commands_left_is_removed(tmp_path: Path) -> None:
    """By the next one on the same machine; what a command on another has, or one that lives, stays."""
    ours, others = (tmp_path / f".arkworker-shares-{digit * 16}" for digit in "01")
    for left, machine in ((ours, socket.gethostname()), (others, "elsewhere")):
        left.mkdir()
        (left / f"of-{machine}").touch()
    with engines._made_folder(tmp_path) as living, engines._made_folder(tmp_path) as made:
        during = set(tmp_path.iterdir())

    assert during == {others, living, made}
    assert list(tmp_path.iterdir()) == [others]


def test_a_folder_that_cannot_be_marked_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would stay for ever, as one of another machine."""
    monkeypatch.setattr(socket, "gethostname", lambda: "long" * 100)  # which no file can be named after
    with pytest.raises(ConfigurationError, match="File name too long"), engines._made_folder(tmp_path):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_working_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """The remedy is named before anything is submitted."""
    place = tmp_path / "file"
    place.touch()

    with pytest.raises(ConfigurationError, match="cannot be written: Not a directory"), engines.opened("a:b", place):
        pass


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("dsak:tcp://localhost:8786", "did you mean dask?"),
        ("submiti", "did you mean submitit?"),
        ("x:y", "write dask:"),
    ],
)
def test_a_misspelt_engine(tmp_path: Path, named: str, hint: str) -> None:
    """The nearest name is suggested, or all that can be written is named; no folder is left."""
    with pytest.raises(ConfigurationError) as caught, engines.opened(named, tmp_path):
        pass

    (problem,) = caught.value.problems
    assert problem.hint.startswith(hint)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["list", "queue"])
def test_a_cluster_of_dask(twelve: Trial, kind: str) -> None:
    """Two workers share the elements, each once."""
    chosen = ["--elements-list", twelve.write_list()] if kind == "list" else []
    with cluster(twelve, WORK="0.02") as (address, _):
        ended = twelve.start("--executor", address, "--jobs", "2", *chosen).wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert (dict(twelve.states), twelve.user_calls) == ({"processed": 12}, dict.fromkeys(twelve.elements, 1))
    assert twelve.emulator.token not in (twelve.folder / "dask.txt").read_text()


def test_a_signal_reaches_jobs_on_dask(twelve: Trial) -> None:
    """By an event of the scheduler: nothing stays started."""
    with cluster(twelve, WORK="0.7") as (address, _):
        process = twelve.start("--executor", address, "--jobs", "2", "--elements-list", twelve.write_list())
        wait_until(lambda: len(twelve.user_calls) >= 2)
        process.signal(signal.SIGTERM)
        ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 143, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended
    assert twelve.states["processed"] == ended.summary["processed"] >= 2, ended


def test_a_scheduler_that_is_not_there(twelve: Trial) -> None:
    """Out of reach is worth a retry, and nothing is claimed."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    ended = twelve.start("--executor", "dask:tcp://127.0.0.1:9", DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s").wait()

    assert (ended.code, "no Dask scheduler answers" in ended.log) == (69, True), ended
    assert dict(twelve.states) == {"queued": 12}


@pytest.mark.parametrize("kind", ["list", "queue"])
def test_submitit_on_this_machine(twelve: Trial, kind: str) -> None:
    """Two tasks share the elements, each once; nothing that holds a token stays on the disk."""
    pytest.importorskip("submitit", reason="the extra submitit is not installed")
    chosen = ["--elements-list", twelve.write_list()] if kind == "list" else []

    ended = twelve.start("--executor", "submitit:local", "--jobs", "2", *chosen).wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert (dict(twelve.states), twelve.user_calls) == ({"processed": 12}, dict.fromkeys(twelve.elements, 1))
    assert not list(twelve.folder.rglob("submitit-*"))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(50))
def test_a_worker_of_dask_is_killed(tmp_path: Path, seed: int) -> None:
    """At a random moment: each element is ended or still queued and counted as what it is, none is worked on twice."""
    dice = random.Random(seed)
    with trial(tmp_path, 24) as made, cluster(made, WORK="0.05") as (address, workers):
        chosen = ["--elements-list", made.write_list()] if seed % 2 else []
        process = made.start("--executor", address, "--jobs", "2", *chosen)
        count = dice.randrange(1, 20)
        wait_until(lambda: len(made.user_calls) >= count)
        dice.choice(workers).send_signal(signal.SIGKILL)
        ended = process.wait()

        _, processed, failed, skipped, uncertain, _ = ended.numbers
        states = made.states
        assert (processed, failed, skipped) == (states["processed"], states["error"], 0), ended
        assert states["queued"] + states["started"] <= uncertain, ended  # a claim may have lost its answer
        assert not chosen or not states["started"], ended
        assert max(made.user_calls.values()) == 1
