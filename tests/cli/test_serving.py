"""The verb `serve`."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from arkworker.emulator.serving import NO_COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

PROJECT = "elements: [{size: [10, 10], count: 2}]\n"


@pytest.fixture
def project(tmp_path: Path) -> str:
    path = tmp_path / "project.yml"
    path.write_text(PROJECT)
    return str(path)


def test_it_serves_until_a_signal(project: str) -> None:
    """It says where it is, and a SIGTERM ends it in good order."""
    command = [sys.executable, "-m", "arkworker", "serve", project, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)

    assert first.startswith("Emulated Arkindex on http://127.0.0.1:")
    assert (process.returncode, err) == (0, "")


def test_the_page_is_opened(command: Callable[..., Result], project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a browser, when that is asked for, and once it is served."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    done = command("serve", project, "--port", "0", "--open", "--once", "--", sys.executable, "-c", "")

    assert (done.code, [done.out.split()[3]]) == (0, opened)


@pytest.mark.parametrize("code", [0, 3, 69])
def test_a_worker_is_run_once(command: Callable[..., Result], project: str, code: int) -> None:
    """What follows `--` is the worker; with --once, its end is the end, and its exit code is handed on."""
    worker = [sys.executable, "-c", f"import os, sys; sys.exit({code} if os.environ['ARKINDEX_WORKER_RUN_ID'] else 9)"]
    done = command("serve", project, "--port", "0", "--once", "--", *worker)

    assert (done.code, done.err) == (code, "")
    assert f"worker 1 ended with exit code {code}" in done.out


def test_what_a_worker_writes_is_seen(process: Callable[..., Result], project: str) -> None:
    """Its log is on standard error, as if it were run by hand."""
    worker = [sys.executable, "-c", "import sys; print('found'); sys.exit('lost')"]
    done = process("serve", project, "--port", "0", "--once", "--", *worker)

    assert (done.code, sorted(done.err.splitlines())) == (1, ["found", "lost"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--once"], NO_COMMAND),
        (["arkworker", "run"], "unexpected argument; the command of a worker goes after --"),
        (["--"], "after -- comes the command of a worker: -- python -m arkworker run worker.py:PageLines"),
        (["--port", "70000"], "argument --port: should be a whole number from 0 to 65535"),
        (["--port", "-1"], "argument --port: should be a whole number from 0 to 65535"),
        (["--jobs", "0", "--", "true"], "argument --jobs: should be a whole number from 1 to 1024, or auto"),
        (["--jobs", "all", "--", "true"], "argument --jobs: should be a whole number from 1 to 1024, or auto"),
        (["--jobs", "2"], "--jobs is given to the command of a worker: give that after --"),
        (["--directory", "/dev/null"], "--directory: files cannot be kept in /dev/null: not a folder"),
        (["--directory", "/dev/null/x"], "--directory: files cannot be kept in /dev/null/x: Not a directory"),
    ],
)
def test_a_wrong_flag_is_said(command: Callable[..., Result], project: str, flags: list[str], message: str) -> None:
    """A mistake on the command line is one line, with exit code 2."""
    done = command("serve", project, *flags)

    assert (done.code, done.out, done.err) == (2, "", f"arkworker: {message}\n")


@pytest.mark.parametrize("name", ["nothing.yml", "x" * 300])
def test_a_project_that_is_not_there_is_said(name: str, command: Callable[..., Result], tmp_path: Path) -> None:
    """What is wrong with the project is a problem of configuration."""
    done = command("serve", str(tmp_path / name), "--port", "0")

    assert done.code == 78
    assert name[:60] in done.err


def test_a_misspelt_flag(command: Callable[..., Result], project: str) -> None:
    """The nearest one is told, as for the verbs about a worker."""
    done = command("serve", project, "--prot", "0")

    assert (done.code, done.err) == (2, "arkworker: unknown flag --prot; did you mean --port?\n")


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "PIL"])
def test_the_missing_extra_is_named(project: str, missing: str) -> None:
    """Without the packages of the emulator, it says how to get them."""
    code = f"import sys; sys.modules[{missing!r}] = None; from arkworker.cli import main; main(['serve', {project!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "arkworker: serve needs more packages: pip install 'arkworker[testing]'\n"


def test_a_folder_without_images(command: Callable[..., Result], tmp_path: Path) -> None:
    """A misspelt folder does not look like an empty corpus."""
    (tmp_path / "notes.txt").write_text("no image")
    done = command("serve", str(tmp_path), "--port", "0", "--once", "--", sys.executable, "-c", "")
    assert (done.code, f"There are no pages in {tmp_path}" in done.out) == (0, True)


def test_warnings_are_filtered_as_before(command: Callable[..., Result], project: str) -> None:
    """What keeps Pillow quiet is for the emulator, not for the process after it."""
    before = [*warnings.filters]
    command("serve", project, "--port", "0", "--once", "--", sys.executable, "-c", "")

    assert before == [*warnings.filters]


def test_flags_of_the_worker_are_its_own(command: Callable[..., Result], tmp_path: Path) -> None:
    """Neither its --json nor its -v changes how a mistake in the project is told."""
    done = command("serve", str(tmp_path / "no.yml"), "--", "arkworker", "run", "w.py:W", "-v", "--json")

    assert (done.code, done.out, done.err.splitlines()[0]) == (78, "", "arkworker: 1 problem")
    assert "Traceback" not in done.err


def test_standard_output_is_for_json(command: Callable[..., Result], project: str) -> None:
    """With --json, what people read goes to standard error."""
    done = command("serve", project, "--port", "0", "--once", "--json", "--", sys.executable, "-c", "")

    assert (done.code, done.out, done.err.startswith("Emulated Arkindex on ")) == (0, "", True)
