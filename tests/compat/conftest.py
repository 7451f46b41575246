"""The published packages, each in an environment of its own (`make compat` installs them)."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENVIRONMENTS = Path(__file__).parents[2] / ".venv-compat"


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Path]:
    """The Python interpreter of a published package's environment, such as `base-worker-0.6.0`."""

    def find(name: str) -> Path:
        python = ENVIRONMENTS / name / "bin" / "python"
        if not python.exists():
            pytest.fail(f"{python} is missing: run `make compat`")
        return python

    return find


#: The command `worker-validator` on one declaration a line, in one process: starting it takes a tenth of a second.
SERVER = """
import contextlib, io, json, sys
from worker_configuration.cli import main

path = sys.argv[1]
answers = sys.stdout
for line in sys.stdin:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(json.loads(line))
    sys.argv = ["worker-validator", "validate", path]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main()
    except SystemExit as exit:
        verdict = "invalid" if exit.code else "valid"
    except Exception:
        verdict = "crash"
    print(json.dumps(verdict), file=answers, flush=True)
"""


@pytest.fixture(scope="session")
def official(peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The official verdict on a declaration: `valid`, `invalid` or `crash`."""
    file = tmp_path_factory.mktemp("declarations") / "worker.yml"
    command = [str(peer("base-worker-0.6.0")), "-c", SERVER, str(file)]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(server.kill)
        asked, answered = server.stdin, server.stdout
        assert asked is not None
        assert answered is not None

        def ask(declaration: str) -> str:
            asked.write(json.dumps(declaration) + "\n")
            asked.flush()
            return str(json.loads(answered.readline()))

        yield ask
