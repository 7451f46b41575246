"""Each exit code, by a real process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from arkindex_stub import RUN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

#: Python that makes a process wait for nobody.
IMPATIENT = "import arkworker.clock as clocks; clocks.SystemClock.sleep = lambda self, seconds: None"

WORKER = """
import sys
from arkworker import ReadOnlyError, UserConfiguration, Worker

class C(UserConfiguration):
    count: int = 1

class W(Worker[C]):
    def run(self, context, cache):
        {}
"""


def test_success_is_0(process: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """A worker that returns has done its work."""
    assert process("run", write_worker(WORKER.format("print('done')"))).code == 0


@pytest.mark.parametrize(
    ("code", "last_line"),
    [
        ("raise ValueError('no page')", "arkworker: the worker failed: ValueError at {file}:10"),
        ("sys.exit(0)", "arkworker: the worker failed: SystemExit at {file}:10"),
        ("raise KeyboardInterrupt", "arkworker: the worker failed: KeyboardInterrupt at {file}:10"),
        ("raise MemoryError", "arkworker: the worker failed: MemoryError at {file}:10"),
        ("raise ReadOnlyError('refused')", "arkworker: refused"),
    ],
)
def test_failure_of_user_code_is_1(
    code: str, last_line: str, process: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """Whatever user code raises is a failure, never a silent success; the last line says what and where."""
    target = write_worker(WORKER.format(code))

    result = process("run", target)

    assert result.code == 1
    assert result.err.splitlines()[-1] == last_line.format(file=target.removesuffix(":W"))


def test_usage_is_2(process: Callable[..., Result]) -> None:
    """A target that is not there cannot be imported."""
    result = process("run", "absent.py:W")

    assert (result.code, result.err) == (2, "arkworker: there is no file absent.py\n")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_unavailable_is_69(
    status: int, process: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """An Arkindex that keeps failing is worth a retry."""
    arkindex.answers[RUN_PATH] = (status, {"detail": "busy"})

    result = process("run", write_worker(WORKER.format("pass")), before=IMPATIENT, **arkindex.environment)

    assert result.code == 69


def test_configuration_is_78(process: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """A value to correct."""
    assert process("run", write_worker(WORKER.format("pass")), "--config.count", "many").code == 78


@pytest.mark.parametrize(
    "argv",
    [
        ("validate", "{}/absent"),
        ("import", "{}/absent"),
        ("init", "{}/new", "--from", "{}/absent"),
        ("schema", "{worker}", "--check", "{}/absent"),
        ("run", "{worker}", "-c", "{}/absent"),
        ("run", "{worker}", "--env-file", "{}/absent"),
        ("publish", "{}/absent"),
        ("serve", "{}/absent"),
        ("serve", "--from-export", "{}/absent"),
    ],
    ids=" ".join,
)
def test_a_missing_file_is_one_code(
    argv: tuple[str, ...], command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """Whatever the verb, it must be corrected; nothing is made."""
    worker = write_worker("from arkworker import Worker\nclass W(Worker):\n    def run(self, context, cache): ...\n")
    result = command(*(text.replace("{}", str(tmp_path)).replace("{worker}", worker) for text in argv))
    assert (result.code, "absent" in result.out + result.err, (tmp_path / "new").exists()) == (78, True, False)


FORKING = """
import os, sys
from arkworker import Worker

class W(Worker):
    def setup(self, context):
        self.fork("setup")

    def run(self, context, cache):
        self.fork("run")

    def teardown(self, context):
        os.write(1, b"torn down\\n")

    def fork(self, hook):
        if os.environ["HOOK"] == hook and os.fork() == 0:
            {way}
        elif os.environ["HOOK"] == hook:
            os.wait()
"""


@pytest.mark.parametrize("hook", ["setup", "run"])
@pytest.mark.parametrize("way", ["pass", "sys.exit(3)", "raise ValueError('of the child')"])
def test_a_child_that_comes_back_from_user_code(
    write_worker: Callable[[str], str], process: Callable[..., Result], way: str, hook: str
) -> None:
    """It goes no further: the run, its failures and its end are told by the parent, once."""
    ended = process("run", write_worker(FORKING.format(way=way)), "--dev", HOOK=hook)

    assert (ended.code, ended.out.count("torn down"), ended.err.count("the worker failed")) == (0, 1, 0), ended.err
    assert ended.err.count("ValueError: of the child") == ("ValueError" in way)


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({}, {}))"


@pytest.mark.parametrize("limit", [5, 8, 20])
@pytest.mark.parametrize("verb", ["run", "schema", "--help"])
def test_too_few_descriptors(process: Callable[..., Result], verb: str, limit: int) -> None:
    """One line says so, before a module or a file is missing somewhere."""
    ended = process(verb, "w:W", before=LIMITED.format(limit, limit))

    assert (ended.code, ended.out, ended.err.count("\n")) == (78, "", 1)
    assert "at least 64 (ulimit -n) are needed" in ended.err


def test_few_descriptors_that_may_be_more(process: Callable[..., Result]) -> None:
    """A limit that the process itself can raise is raised."""
    assert process("--version", before=LIMITED.format(8, 64)).code == 0
