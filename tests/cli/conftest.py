"""Command lines, in this process and in their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import Stub, serve

from arkworker.cli import running
from arkworker.clock import SystemClock
from arkworker.testing.invocation import Invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Result:
    """What a command line left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def problems(self) -> dict[str, Any]:
        """The problems of `--json` by their path."""
        return {problem["path"]: problem for problem in self.data["problems"]}


@pytest.fixture(scope="session")
def _server() -> Iterator[Stub]:
    with serve() as stub:
        yield stub


@pytest.fixture
def arkindex(_server: Stub) -> Stub:
    """An Arkindex that answers nothing yet."""
    _server.answers.clear()
    _server.requests.clear()
    return _server


@pytest.fixture
def write_worker(tmp_path: Path) -> Callable[[str], str]:
    """Writes a module with a worker `W`; answers its TARGET."""

    def write(source: str, name: str = "W") -> str:
        path = tmp_path / f"worker_{abs(hash((source, str(tmp_path))))}.py"
        path.write_text(source, encoding="utf-8")
        return f"{path}:{name}"

    return write


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Runs a command line in this process, with the given environment added: by the test kit, without its Arkindex."""
    path, modules = list(sys.path), set(sys.modules)
    invoke = Invoke(tmp_path, None, partial(pytest.fail, "the tests of command lines have an Arkindex of their own"))

    def run(*argv: str, stdin: bytes = b"", **environment: str) -> Result:
        done = invoke(*argv, environ=environment, stdin=stdin)
        return Result(done.code, done.out, done.err)

    yield run
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("worker_"):
            del sys.modules[name]


class QuickClock(SystemClock):
    """Waits for nobody, and knows how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> QuickClock:
    """The clock of command lines in this process."""
    quick = QuickClock()
    monkeypatch.setattr(running, "SystemClock", lambda: quick)
    return quick


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line in a process of its own, with no environment but the given one; `before` is Python."""

    def run(*argv: str, before: str = "", stdin: bytes = b"", **environment: str) -> Result:
        code = f"{before}\nfrom arkworker.cli import main\nmain()"
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PONOS_DATA": str(tmp_path / "ponos")}
        done = subprocess.run(
            [sys.executable, *(["-c", code] if before else ["-m", "arkworker"]), *argv],
            env=clean | environment,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
            input=stdin,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
