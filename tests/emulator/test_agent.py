from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import requests

from arkworker.emulator import run_worker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.emulator.conftest import World

SCRIPT = """
import os, pathlib, sys
data = pathlib.Path(os.environ["PONOS_DATA"])
print("parents", sorted(str(p.relative_to(data)) for p in data.glob("*/in.txt") if "current" not in p.parts))
print("to stderr", file=sys.stderr)
(data / "current" / "out.txt").write_text(os.environ["ARKINDEX_WORKER_RUN_ID"])
sys.exit(int(sys.argv[1]))
"""


def run(world: World, code: int) -> tuple[str, int]:
    """A run whose task has a parent with an artifact, and the exit code of its command."""
    parent = world.emulator.add_task()
    world.emulator.add_artifact(parent, "in.txt", b"x")
    identifier = world.emulator.add_worker_run(parents=[parent])
    return identifier, run_worker(world.emulator, identifier, [sys.executable, "-c", SCRIPT, str(code)])


def test_a_worker_finds_its_parents_files_and_leaves_its_own(world: World) -> None:
    """What it leaves in its directory becomes an artifact of its task."""
    identifier, code = run(world, 0)
    (task,) = world.emulator.tasks(identifier)

    found = world.client.send("GET", f"/task/{task.id}/artifact/out.txt")

    assert (code, task.state, found.text) == (0, "completed", identifier)


def test_its_output_is_the_tasks_log(world: World) -> None:
    """Both outputs, as they came; the page shows them."""
    identifier, _ = run(world, 0)
    (task,) = world.emulator.tasks(identifier)

    log = requests.get(f"{world.emulator.url}/viewer/tasks/{task.id}/log", timeout=30).text

    assert "to stderr" in log
    assert f"parents ['{task.parents[0]}/in.txt']" in log


def test_a_failed_worker_is_a_failed_task(world: World) -> None:
    """Its exit code is told, and its task can claim no more."""
    identifier, code = run(world, 3)

    assert (code, world.emulator.tasks(identifier)[0].state) == (3, "failed")


def test_a_log_can_be_sent_while_it_grows(world: World) -> None:
    """A worker elsewhere can pipe its output into a request; pieces are appended."""
    url = f"{world.emulator.url}/viewer/tasks/{world.emulator.tasks(world.run)[0].id}/log"
    for part in (b"one\n", b"two\n"):
        requests.put(url, data=iter([part]), timeout=30)

    assert requests.get(url, params={"offset": 4}, timeout=30).text == "two\n"


def test_a_command_beside_python_is_found(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `arkworker` is where tests run in an environment that nobody activated."""
    program = tmp_path / "bin" / "my-worker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program.with_name("python")))

    assert run_worker(world.emulator, world.run, ["my-worker"]) == 3


def test_a_command_that_failed_says_why(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A test that expects 0 shows the log; one that went well shows nothing."""
    script = "import sys; print('the model is missing'); sys.exit(int(sys.argv[1]))"
    ends = [run_worker(world.emulator, world.run, [sys.executable, "-c", script, code]) for code in "03"]

    (message,) = caplog.messages
    assert (ends, message.splitlines()[-1]) == ([0, 3], "the model is missing")
