"""Developer mode: with nothing but the worker."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

#: A process that may open no socket, not even look up a name.
CUT_OFF = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"a socket was opened: {event}")
sys.addaudithook(refuse)
"""
WORKER = """
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    count: int = 1

class W(Worker[C]):
    def run(self, context, cache):
        print(context.is_read_only, context.worker_run_id, context.process, context.config.count)
"""


def test_no_socket_is_opened(process: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Neither by a run nor by a check."""
    target = write_worker(WORKER)

    results = [process(verb, target, before=CUT_OFF) for verb in ("run", "check", "explain")]

    assert [(result.code, "was opened" in result.err) for result in results] == [(0, False)] * 3
    assert results[0].out == "True None None 1\n"


def test_empty_environment(tmp_path: Path) -> None:
    """Not even a home or a path are needed."""
    (tmp_path / "w.py").write_text(WORKER)
    command = [sys.executable, "-m", "arkworker", "check", "w.py:W", "--offline"]

    done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "w.py:W: ready to run\n")


def test_what_a_log_begins_with(
    process: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """That nothing will be written, and why; then what the run works with."""
    (tmp_path / "c.yml").write_text("count: 2\nurl: https://a.example/?X-Amz-Signature=abc")
    code = WORKER.replace(
        "count: int = 1", "count: int = 1\n    key: Secret[str] = Secret('canary')\n    url: str = ''"
    )
    target = write_worker(code.replace("import UserC", "import Secret, UserC"))

    result = process("run", target, "-c", "c.yml")

    assert [line.partition("arkworker: ")[2] for line in result.err.splitlines()] == [
        "Running in developer mode, read-only: ARKINDEX_WORKER_RUN_ID is not set",
        "Configuration file c.yml",
        'Configuration {"count": 2, "key": "**********", "url": "https://a.example/?…"}',
        f"Worker will use {tmp_path}/ponos/current as working directory",
    ]


def test_dev_beside_a_worker_run_asks_nobody(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """`--dev` is developer mode whatever the environment says."""
    result = command("run", write_worker(WORKER), "--dev", **arkindex.environment)

    assert (result.code, result.out, arkindex.requests) == (0, "True None None 1\n", [])
    assert "Running in developer mode, read-only\n" in result.err


def test_empty_worker_run_is_none(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """An empty variable is an absent one."""
    result = command("run", write_worker(WORKER), ARKINDEX_WORKER_RUN_ID="")

    assert result.out == "True None None 1\n"


def test_ids_from_the_environment(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Corpus, model and model version."""
    source = WORKER.replace(
        "print(context.is_read_only, context.worker_run_id, context.process, context.config.count)",
        "print(context.corpus_id, context.model_details, context.model_version_id)",
    )
    environment = {"ARKINDEX_CORPUS_ID": "c1", "ARKINDEX_MODEL_ID": "m1", "ARKINDEX_MODEL_VERSION_ID": "v1"}

    assert command("run", write_worker(source), **environment).out == "c1 {'id': 'm1'} v1\n"


def test_corpus_that_nobody_set(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """It is an error where it is used, and the error names the variable."""
    source = WORKER.replace("print(context.is_read_only", "print(context.corpus_id")

    result = command("run", write_worker(source), "--json")

    problem = result.problems["corpus_id"]
    assert (result.code, problem["location"], problem["hint"]) == (78, "ARKINDEX_CORPUS_ID", "set this variable")


def test_configuration_file_beside_a_worker_run_is_reported(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub, tmp_path: Path
) -> None:
    """It is not used, and the log says so."""
    from arkindex_stub import worker_run

    arkindex.serve_run(worker_run(), [])
    file = tmp_path / "worker.yml"
    file.write_text("count: 7\n")

    result = command("run", write_worker(WORKER), "-c", str(file), **arkindex.environment)

    assert result.out.endswith(" 1\n")
    assert "config_file (-c): ignored when there is a worker run; add --dev to use it" in result.err


def test_offline_says_what_cannot_be_known(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Beside a worker run that is not asked: what it brings, and options that it may set."""
    target, environment = write_worker(WORKER), arkindex.environment

    check = command("check", target, "--offline", **environment)
    explanation = command("explain", target, "--offline", "--json", **environment)
    table = command("explain", target, "--offline", **environment)
    known = command("explain", target, "--offline", "--json", "--config.count", "2", **environment)

    assert check.out == f"{target}: ready to run, as far as can be told without the worker run\n"
    assert explanation.data["unknown"] == [
        "config.count",
        "corpus_id",
        "model_configuration",
        "model_details",
        "model_version_id",
        "process",
        "secrets",
        "worker_details",
    ]
    assert "config.count" not in known.data["unknown"]
    assert "offline: ? stands for what Arkindex may provide" in table.out.splitlines()[0]
    assert arkindex.requests == []
