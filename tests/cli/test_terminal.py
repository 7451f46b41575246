"""Standard streams in every state: closed, full, read by nobody, of another encoding, a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORKER = """
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    name: str = "Éléonore"

class W(Worker[C]):
    def run(self, context, cache):
        print(context.config.name)
"""


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs a line of a shell, where `ark` is the command."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PONOS_DATA": str(tmp_path)}
        script = f"set -o pipefail; ark() {{ '{sys.executable}' -m arkworker \"$@\"; }}; {line}"
        return subprocess.run(
            ["bash", "-c", script],
            env=clean | environment,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def worker(tmp_path: Path) -> str:
    (tmp_path / "w.py").write_text(WORKER, encoding="utf-8")
    return "w.py:W"


def terminal_output(argv: list[str], folder: Path, **environment: str) -> str:
    """What a command writes on a terminal."""
    master, slave = pty.openpty()
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "arkworker", *argv], env=clean | environment, cwd=folder, stdout=slave, stderr=slave
    )
    os.close(slave)
    written = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the terminal is gone when its last user is
            break
        if not piece:
            break
        written += piece
    process.wait(30)
    os.close(master)
    return written.decode()


@pytest.mark.parametrize("arguments", ["--help", "explain w.py:W", "schema w.py:W"])
def test_nobody_reads(arguments: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str) -> None:
    """A reader that leaves is not an error."""
    done = shell(f"ark {arguments} | true")

    assert (done.stderr, worker) == (b"", "w.py:W")


@pytest.mark.parametrize("arguments", ["--help", "explain w.py:W", "run w.py:W"])
def test_full_disk(arguments: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str) -> None:
    """Output that is lost is a failure, said in one line."""
    done = shell(f"ark {arguments} > /dev/full")

    last = done.stderr.decode().splitlines()[-1]
    assert (done.returncode, last, worker) == (
        1,
        "arkworker: standard output cannot be written: No space left on device",
        "w.py:W",
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("explain w.py:W --json > /dev/full", 1),
        ("run w.py:W --config.nam x --json > /dev/full", 78),
        ("run w.py:W --config.nam x --json | true", 78),
    ],
)
def test_json_that_cannot_be_written(
    line: str, code: int, shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str
) -> None:
    """The exit code is still that of what happened; a full disk is told in words."""
    done = shell(f"ark {line}")

    is_told = b"arkworker: standard output cannot be written: No space left on device" in done.stderr.splitlines()
    assert (done.returncode, is_told, worker) == (code, "/dev/full" in line, "w.py:W")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", ["--help", "explain w.py:W", "run w.py:W"])
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(
    arguments: str, closed: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str
) -> None:
    """Daemons close their streams: the exit code is what counts."""
    done = shell(f"ark {arguments} {closed}")

    assert (done.returncode, b"Traceback" in done.stderr, worker) == (0, False, "w.py:W")


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}],
)
def test_poor_locale(
    environment: dict[str, str], shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str
) -> None:
    """Characters that a stream does not know are written as escapes; JSON stays JSON."""
    text = shell(f"ark explain {worker} && ark run {worker}", **environment)
    data = shell(f"ark explain {worker} --json", **environment)

    assert text.returncode == 0
    assert json.loads(data.stdout)["context"]["config"]["name"] == "Éléonore"


def test_json_commands_no_terminal(shell: Callable[..., subprocess.CompletedProcess[bytes]], worker: str) -> None:
    """What a terminal obeys is an escape; other characters are not."""
    name = "é\x7f\x9b31m\u202e"

    data = shell(f"ark explain {worker} --json", ARKINDEX_CONFIG_NAME=name, PYTHONIOENCODING="utf-8")

    assert json.loads(data.stdout)["context"]["config"]["name"] == name
    assert r'"é\u007f\u009b31m\u202e"' in data.stdout.decode()


def test_colours_on_a_terminal(tmp_path: Path, worker: str) -> None:
    """Logs and reports are coloured there, and say no more than elsewhere."""
    written = terminal_output(["run", worker, "--config.nam", "x"], tmp_path)

    assert ("\033[" in written, "config.nam" in written) == (True, True)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("arguments", [["run"], ["explain"], ["run", "--config.nam", "x"], ["run", "--help"]])
def test_no_colours_where_none_are_wanted(
    arguments: list[str], environment: dict[str, str], tmp_path: Path, worker: str
) -> None:
    """`NO_COLOR` and a dumb terminal are respected."""
    written = terminal_output([arguments[0], worker, *arguments[1:]], tmp_path, **environment)

    assert "\033" not in written


def test_table_on_a_terminal(tmp_path: Path, worker: str) -> None:
    """`explain` has a header there."""
    written = terminal_output(["explain", worker], tmp_path, NO_COLOR="1")

    assert [line.split() for line in written.splitlines()[1:3]] == [
        ["name", "value", "origin"],
        ["config.name", "Éléonore", "default", "C.name"],
    ]


CLOSING = {
    "closed": "sys.stdout.close(); sys.stderr.close()",
    "none": "sys.stdout = sys.stderr = None",
    "closed files": "os.close(1); os.close(2)",
    # As scripts do that log what is printed, too.
    "replaced": "sys.stdout = sys.stderr = type('Tee', (), {'write': lambda self, text: os.write(2, text.encode())})()",
}


@pytest.mark.parametrize("code", CLOSING.values(), ids=CLOSING)
def test_streams_that_user_code_took(
    code: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """A run that succeeds answers 0, and there is no traceback."""
    worker = WORKER.replace("        print(context.config.name)", f"        import os, sys; {code}")
    (tmp_path / "w.py").write_text(worker)

    done = shell("ark run w.py:W")

    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


@pytest.mark.parametrize("code", CLOSING.values(), ids=CLOSING)
def test_streams_that_user_code_took_when_it_was_imported(
    code: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """The answer is written all the same."""
    (tmp_path / "w.py").write_text(f"import os, sys; {code}\n{WORKER}")

    done = shell("ark check w.py:W --offline")

    assert (done.returncode, done.stdout) == (0, b"w.py:W: ready to run\n")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["schema w.py:W", "explain w.py:W --json", "check w.py:W --json --offline"])
def test_what_user_code_prints_is_no_part_of_the_answer(
    line: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """When it is imported, when it reads a value, and from outside of Python: it goes to standard error."""
    chatty = WORKER.replace(
        '"Éléonore"\n', '"Éléonore"\n    model_config = {"json_schema_extra": lambda schema: print("in a schema")}\n'
    )
    chatty += "\n    def __init__(self):\n        print('made')\n"
    (tmp_path / "w.py").write_text(f"import os; print('imported'); os.system('echo system'); print('again')\n{chatty}")

    done = shell(f"ark {line}")

    assert (done.returncode, isinstance(json.loads(done.stdout), dict)) == (0, True)
    assert done.stderr.split()[:3] == [b"imported", b"system", b"again"]


def test_standard_output_that_was_closed_is_left_alone() -> None:
    """What could not be written was told by whoever tried; Python does not try again, to exit with 120."""
    late = (
        "import os\nfrom arkworker.cli import terminal\nos.close(1)\ntry: terminal.write('x')\nexcept OSError: pass\n"
    )
    late += "raise SystemExit(terminal.finish(0))"
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, check=False, env={"PYTHONUNBUFFERED": ""})

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("code", [*CLOSING.values(), "os.closerange(3, 200)"])
def test_streams_that_user_code_took_before_the_first_element(
    code: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """The elements are worked on, and the summary says what the exit code does."""
    worker = (
        "import os, sys\nfrom arkworker import ElementsWorker\nclass W(ElementsWorker):\n"
        f"    def setup(self, context):\n        {code}\n"
        "    def process_element(self, element, context, cache):\n        return []\n"
    )
    (tmp_path / "w.py").write_text(worker)
    (tmp_path / "p.png").touch()

    done = shell("ark run w.py:W --image p.png --summary s.json")

    summary = json.loads((tmp_path / "s.json").read_text())
    assert (done.returncode, summary["exit_code"], summary["processed"]) == (0, 0, 1)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("code", [CLOSING["closed"], CLOSING["none"]])
def test_failure_after_user_code_took_the_streams(
    code: str, shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """It is told on what is behind them."""
    worker = WORKER.replace("        print(context.config.name)", f"        import sys; {code}; raise ValueError")
    (tmp_path / "w.py").write_text(worker)

    done = shell("ark run w.py:W")

    assert (done.returncode, b"The worker failed" in done.stderr) == (1, True)
    assert b"arkworker: the worker failed: ValueError at " in done.stderr


@pytest.mark.parametrize("sink", ["2>/dev/full", "2> >(exit)"], ids=["full", "pipe"])
@pytest.mark.parametrize(
    ("line", "code"),
    [("ark run w.py:W", 0), ("ark run w.py:W --config.nam x", 78), ("ark run w.py:V", 2), ("ark publish no.jsonl", 78)],
)
def test_standard_error_that_cannot_be_written(
    sink: str, line: str, code: int, worker: str, shell: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    """The exit code still tells how it went."""
    assert worker
    assert shell(f"{line} {sink}").returncode == code


@pytest.mark.parametrize(
    ("line", "code"),
    [("ark run w.py:W --log-format json --nosuch", 2), ("ark run w.py:W --config.nam x --log-format=json", 78)],
)
def test_last_word_of_a_log_in_json(
    line: str, code: int, worker: str, shell: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    """It is a line of JSON, too, although the flags could not be parsed."""
    assert worker
    done = shell(line)

    last = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, last["exit_code"], last["level"]) == (code, code, "ERROR")
