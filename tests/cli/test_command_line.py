"""The command line as a whole: help, version, verbs, targets, JSON of every failure, a worker's own command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from arkindex_stub import CONFIGURATION_PATH, RUN_PATH, worker_run

import arkworker
from arkworker import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

WORKER = """
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    count: int = 1

class W(Worker[C]):
    def run(self, context, cache):
        print("ran", context.config.count)
"""
IMPATIENT = "import arkworker.clock as clocks; clocks.SystemClock.sleep = lambda self, seconds: None"


@pytest.mark.parametrize("argv", [(), ("-h",), ("--help",)])
def test_help_lists_every_verb(argv: tuple[str, ...], command: Callable[..., Result]) -> None:
    """No verb prints the help, which knows all that there are."""
    result = command(*argv)

    listed = re.findall(r"^  (\w+)  +\w", result.out.partition("VERBS ABOUT")[2].partition("FLAGS")[0], re.MULTILINE)
    assert (result.code, listed) == (0, [*cli.OF_A_WORKER, *cli.OTHERS])


def test_version(command: Callable[..., Result]) -> None:
    """`--version` names the program and its version."""
    assert command("--version").out == f"arkworker {arkworker.__version__}\n"


def test_every_verb_has_its_help(command: Callable[..., Result]) -> None:
    """`VERB --help` needs no target, and all pages are written in one way."""
    sections = ["ARGUMENTS", "CONFIGURATION", "RUNNING", "FLAGS", "SHOWING"]
    wrong = []
    for words in [*([verb] for verb in (*cli.OF_A_WORKER, *cli.OTHERS)), ["secrets", "set"], ["secrets", "list"]]:
        result = command(*words, "--help")
        headings = re.findall(r"^([A-Z][A-Z ]+)$", result.out, re.MULTILINE)
        begins = result.out.startswith(f"usage: arkworker {' '.join(words)}") and "[flags]" in result.out.split("\n")[0]
        ends = result.out.endswith("\n\n  -h, --help\n      Show this page.\n")
        is_alike = headings == [section for section in sections if section in headings]
        wrong += [] if (result.code, begins, ends, is_alike) == (0, True, True, True) else [(words, result)]

    assert wrong == []


def test_help_shows_limits_and_choices(command: Callable[..., Result]) -> None:
    """Of every verb; a flag of two verbs has one text."""
    of_a_worker, publish = command("run", "--help").out, command("publish", "--help").out
    (batches,) = (entry for entry in of_a_worker.split("\n\n") if entry.startswith("  --publication-batch-size"))

    assert f"\n\n{batches}\n\n" in publish
    assert "1…10000 · default 50" in batches
    assert "0…65535 · default 8000" in command("serve", "--help").out
    assert "one of bash, zsh, fish" in command("completion", "--help").out
    assert "one of json-schema, arkindex, markdown" in command("schema", "--help").out


def test_help_without_a_worker(command: Callable[..., Result]) -> None:
    """It has the flags of every kind of worker, and claims nothing of one."""
    page = command("run", "--help").out

    assert [flag for flag in ("--image", "--set", "--summary", "--results", "--jobs") if f"  {flag}" not in page] == []
    assert "  --config.NAME VALUE\n      An option of the worker.\n" in page


def test_help_of_a_worker(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """An option stands there with its type, default and variable."""
    result = command("run", write_worker(WORKER), "--help")

    expected = "  --config.count INTEGER\n      integer · default 1 · ARKINDEX_CONFIG_COUNT\n"
    assert (result.code, expected in result.out) == (0, True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("rnu", "w.py:W"), "unknown verb rnu; did you mean run?"),
        (("version",), "unknown verb version; did you mean --version?"),
        (("--hepl",), "unknown flag --hepl; did you mean --help?"),
        (("\x1b[31m",), f"unknown verb \\x1b[31m; there are {', '.join([*cli.OF_A_WORKER, *cli.OTHERS])}"),
        (("-c", "f.yml", "run", "w.py:W"), "the verb goes before -c: arkworker VERB TARGET, then the flags"),
        (("run",), "TARGET is missing: arkworker run module:name, or path/to/file.py:name, then the flags"),
        (
            ("run", "--dev", "w.py:W"),
            "TARGET is missing: arkworker run module:name, or path/to/file.py:name, then the flags",
        ),
        (("run", "w.py"), "TARGET 'w.py' should be module:name or path/to/file.py:name"),
        (("run", ":W"), "TARGET ':W' should be module:name or path/to/file.py:name"),
        (("run", "no_such_module_x:W"), "there is no module no_such_module_x"),
        (("run", "no_such_file_x.py:W"), "there is no file no_such_file_x.py"),
    ],
)
def test_usage_error_is_one_line(argv: tuple[str, ...], message: str, command: Callable[..., Result]) -> None:
    """What cannot be understood is said on one line."""
    result = command(*argv)

    assert (result.code, result.out, result.err) == (2, "", f"arkworker: {message}\n")


@pytest.mark.parametrize("verb", ["run", "check", "explain", "schema"])
@pytest.mark.parametrize(
    ("target", "flags", "code"),
    [
        ("absent.py:W", (), 2),
        (None, ("--unknown-flag",), 2),
    ],
)
def test_json_of_usage_errors(
    verb: str,
    target: str | None,
    flags: tuple[str, ...],
    code: int,
    command: Callable[..., Result],
    write_worker: Callable[[str], str],
) -> None:
    """With `--json`, every verb says it as data, on standard output alone."""
    target = target or write_worker(WORKER)

    result = command(verb, target, *flags, "--json")

    assert (result.code, result.data["target"], len(result.data["problems"]), result.err) == (code, target, 1, "")


@pytest.mark.parametrize("verb", ["run", "check", "explain"])
def test_json_of_configuration_errors(
    verb: str, command: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """Each problem has its five parts."""
    result = command(verb, write_worker(WORKER), "--config.count", "many", "--json")

    problem = result.problems["config.count"]
    assert (result.code, sorted(problem)) == (78, ["hint", "location", "message", "path", "source"])


@pytest.mark.parametrize("verb", ["run", "check", "explain"])
@pytest.mark.usefixtures("clock")
def test_json_of_an_arkindex_that_is_down(
    verb: str, command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """The operation is the location."""
    arkindex.answers[RUN_PATH] = (500, {})

    result = command(verb, write_worker(WORKER), "--json", **arkindex.environment)

    assert (result.code, result.data["problems"][0]["location"]) == (69, "RetrieveWorkerRun")


def test_json_of_user_code_that_fails(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Kind and place of the exception, not its text, which is in the log."""
    target = write_worker(WORKER.replace('print("ran", context.config.count)', "raise ValueError('canary')"))

    result = command("run", target, "--json")

    file = target.removesuffix(":W")
    assert result.data["problems"][0]["message"] == f"the worker failed: ValueError at {file}:9"


@pytest.mark.parametrize(
    ("status", "path", "hint"),
    [
        (401, "api.token", "correct ARKINDEX_TASK_TOKEN: this instance does not know the token"),
        (
            403,
            "api.token",
            "ARKINDEX_TASK_TOKEN is the token of a task: it is valid only for the worker run of that task",
        ),
        (
            404,
            "worker_run_id",
            (
                "correct ARKINDEX_WORKER_RUN_ID, or ARKINDEX_API_URL: this instance has no such worker run, or the "
                "token may not see it"
            ),
        ),
    ],
)
def test_refusal_of_the_worker_run_names_the_variable(
    status: int,
    path: str,
    hint: str,
    command: Callable[..., Result],
    write_worker: Callable[[str], str],
    arkindex: Stub,
) -> None:
    """What must be corrected is not worth another try."""
    arkindex.answers[RUN_PATH] = (status, {"detail": "no"})

    result = command("check", write_worker(WORKER), "--json", **arkindex.environment)

    assert (result.code, result.problems[path]["hint"]) == (78, hint)


def test_refusal_without_a_token(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Who gave no token is told where one goes."""
    arkindex.answers[RUN_PATH] = (401, {"detail": "no"})
    environment = arkindex.environment | {"ARKINDEX_TASK_TOKEN": ""}

    result = command("check", write_worker(WORKER), "--json", **environment)

    assert result.problems["api.token"]["hint"].startswith("set ARKINDEX_API_TOKEN")


def test_refusal_of_the_configuration(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Arkindex gives it to administrators of the project, and to the task itself."""
    arkindex.answers |= {RUN_PATH: (200, worker_run()), CONFIGURATION_PATH: (403, {"detail": "no"})}
    environment = {**arkindex.environment, "ARKINDEX_API_TOKEN": "mine", "ARKINDEX_TASK_TOKEN": ""}

    result = command("check", write_worker(WORKER), "--json", **environment)

    problem = result.problems["api.token"]
    assert (problem["location"], problem["hint"].split(":")[0]) == (
        "RetrieveWorkerRunConfiguration",
        "set ARKINDEX_API_TOKEN to the token of an administrator of the project",
    )


@pytest.mark.usefixtures("clock")
def test_unreachable_arkindex_is_named(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Which host was asked, and which variable said so; nothing that an address may hide."""
    environment = {"ARKINDEX_WORKER_RUN_ID": "r", "ARKINDEX_API_URL": "http://127.0.0.1:9/?token=canary"}

    result = command("run", write_worker(WORKER), **environment)

    last = result.err.splitlines()[-1]
    assert result.code == 69
    assert last == (
        "arkworker: RetrieveWorkerRun: http://127.0.0.1:9: connection refused; ARKINDEX_API_URL sets this address"
    )


@pytest.mark.usefixtures("clock")
def test_what_is_wrong_at_the_desk_goes_before_what_may_be_tried_again(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Both are said; 78 outranks 69."""
    arkindex.answers[RUN_PATH] = (500, {})

    result = command("check", write_worker(WORKER), "--config.count", "x", "--json", **arkindex.environment)

    assert (result.code, [problem["path"] for problem in result.data["problems"]]) == (78, ["config.count", ""])


def test_traceback_only_when_asked_for(command: Callable[..., Result]) -> None:
    """`-v` adds the traceback."""
    shown = [("Traceback" in command("run", "absent.py:W", *flags).err) for flags in [(), ("-v",)]]

    assert shown == [False, True]


def test_mistake_of_ours_is_one_line_without_its_text(
    command: Callable[..., Result], write_worker: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message could hold anything; its kind and place are there to be reported."""
    secret = "canary"

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("arkworker.cli.running.options_of", fail)

    result = command("run", write_worker(WORKER), "-v")

    first = result.err.splitlines()[0]
    assert (result.code, secret in result.err) == (1, False)
    assert re.fullmatch(r"arkworker: a mistake in arkworker: RuntimeError at .*\.py:\d+", first)


def test_console_command_of_a_worker(tmp_path: Path) -> None:
    """`main` has the flags of `run`, and its help the name that was typed."""
    (tmp_path / "lines.py").write_text(WORKER)
    script = tmp_path / "find-lines"
    script.write_text(f"#!{sys.executable}\nfrom lines import W\nW.main()\n")
    script.chmod(0o700)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}

    def run(*flags: str) -> tuple[int, str]:
        done = subprocess.run([script, *flags], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("--config.count", "3") == (0, "ran 3\n")
    assert run("--config.count", "x")[0] == 78
    assert run("--help")[1].startswith("usage: find-lines [flags]\n")


def test_core_dumps_are_off(process: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """A core file would hold secrets."""
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])"

    result = process("run", write_worker(WORKER.replace('print("ran", context.config.count)', code)))

    assert result.out == "0\n"


def test_module_target(process: Callable[..., Result], tmp_path: Path) -> None:
    """A module in the working directory is found, as by `python -m`."""
    (tmp_path / "lines.py").write_text(WORKER)

    assert process("run", "lines:W").out == "ran 1\n"


def test_arkindex_debug_adds_the_traceback(command: Callable[..., Result]) -> None:
    """So does the variable that turns on debugging; `0` does not."""
    shown = [("Traceback" in command("run", "absent.py:W", ARKINDEX_DEBUG=value).err) for value in ("1", "0", "")]

    assert shown == [True, False, False]
