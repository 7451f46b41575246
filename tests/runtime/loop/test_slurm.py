"""Runs on Slurm itself: its daemons and one node, on this machine, for the time of a test."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from element_runs import LONG, ROOT, WORKER, trial, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from element_runs import Trial

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("slurm")]

CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
"""


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def daemon(log: Path, *command: str, environ: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=file)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster of one node, which takes four jobs at once; the commands of Slurm talk to it."""
    for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed (Debian: munge, slurmctld, slurmd, slurm-client)")
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:  # a short path: sockets are in it
        folder, host = Path(name), socket.gethostname().partition(".")[0]
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key, settings = folder / "munge.key", folder / "slurm.conf"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(1024))
        text = CONFIGURATION.format(host=host, ports=free_ports(2), user=getpass.getuser(), folder=folder)
        settings.write_text(text)
        monkeypatch.setenv("SLURM_CONF", str(settings))
        environ = dict(os.environ)
        files = {"key-file": key} | {kind: folder / f"munge.{kind}" for kind in ("socket", "pid-file", "seed-file")}
        munge = [f"--{flag}={path}" for flag, path in files.items()]
        with (
            daemon(folder / "munged.txt", "munged", "--foreground", "--force", *munge, environ=environ),
            daemon(folder / "slurmctld.txt", "slurmctld", "-D", environ=environ),
            daemon(folder / "slurmd.txt", "slurmd", "-D", "-N", host, environ=environ),
        ):
            wait_until(lambda: "idle" in told("sinfo", "--noheader", "--format=%T"), LONG)
            yield
            told("scancel", f"--user={getpass.getuser()}")  # what a test has left, or what is just about to end
            wait_until(lambda: not told("squeue", "--noheader").strip(), LONG)


def told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def submit(made: Trial, array: str, *flags: str, **variables: str) -> str:
    """Submit an array job as `docs/scale.md` has it; answers its id."""
    summary = made.folder / "summary-$SLURM_ARRAY_TASK_ID.json"
    script = made.folder / "job.sh"
    line = " ".join([sys.executable, str(WORKER), *flags, "--summary", str(summary)])
    script.write_text(f"#!/bin/sh\nexec {line}\n")
    environ = os.environ | {"PYTHONPATH": str(ROOT), "USER_LOG": str(made.folder / "user.log")} | variables
    environ |= made.emulator.environment(made.run, data_dir=made.folder / "data")
    output = f"--output={made.folder}/log-%a.txt"
    command = ["sbatch", "--parsable", f"--array={array}", output, str(script)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def summaries(made: Trial, job: str) -> list[dict[str, int]]:
    """What the tasks of an array job told, once they have ended."""
    wait_until(lambda: not told("squeue", "--noheader", f"--jobs={job}").strip(), LONG)
    return [json.loads(path.read_text()) for path in sorted(made.folder.glob("summary-*.json"))]


def test_an_array_job(tmp_path: Path) -> None:
    """Each task knows its part: each element once, and all of them."""
    with trial(tmp_path, 30) as made:
        found = summaries(made, submit(made, "4-6", "--elements-list", made.write_list()))

        assert [one["exit_code"] for one in found] == [0, 0, 0], list(tmp_path.glob("log-*"))
        assert sum(one["processed"] for one in found) == 30
        assert (dict(made.states), made.user_calls) == ({"processed": 30}, dict.fromkeys(made.elements, 1))


def test_an_array_job_that_is_sent_a_signal(tmp_path: Path) -> None:
    """As `--signal=B:TERM@30` sends it: elements that were begun end, and nothing stays started."""
    with trial(tmp_path, 40) as made:
        job = submit(made, "1-2", "--elements-list", made.write_list(), "--jobs", "2", WORK="0.5")
        wait_until(lambda: len(made.user_calls) >= 4, LONG)
        subprocess.run(["scancel", "--batch", "--signal=TERM", job], check=True)
        found = summaries(made, job)

        assert [one["exit_code"] for one in found] == [143, 143]
        assert made.states["started"] <= sum(one["uncertain"] for one in found)
        assert made.states["processed"] == sum(one["processed"] for one in found) == sum(made.user_calls.values())


@pytest.mark.parametrize("kind", ["list", "queue"])
def test_jobs_that_submitit_submits(tmp_path: Path, kind: str) -> None:
    """Two of them share the elements, each once; nothing that holds a token stays on the disk."""
    pytest.importorskip("submitit", reason="the extra submitit is not installed")
    with trial(tmp_path, 12) as made:
        chosen = ["--elements-list", made.write_list()] if kind == "list" else []
        engine = "submitit:slurm?timeout_min=30"

        ended = made.start("--executor", engine, "--jobs", "2", *chosen, WORK="0.05").wait(LONG)

        assert (ended.code, ended.summary["processed"]) == (0, 12), ended
        assert (dict(made.states), made.user_calls) == ({"processed": 12}, dict.fromkeys(made.elements, 1))
        assert not list(tmp_path.rglob("submitit-*"))


def test_a_signal_reaches_jobs_that_submitit_submitted(tmp_path: Path) -> None:
    """By a file in the working directory, which nodes share."""
    pytest.importorskip("submitit", reason="the extra submitit is not installed")
    with trial(tmp_path, 40) as made:
        engine = "submitit:slurm?timeout_min=30"
        process = made.start("--executor", engine, "--jobs", "2", "--elements-list", made.write_list(), WORK="0.7")
        wait_until(lambda: len(made.user_calls) >= 2, LONG)
        process.signal(signal.SIGTERM)
        ended = process.wait(LONG)

        assert ended.code == ended.summary["exit_code"] == 143, ended
        assert made.states["started"] <= ended.summary["uncertain"], ended
        assert made.states["processed"] == ended.summary["processed"] == sum(made.user_calls.values()), ended
