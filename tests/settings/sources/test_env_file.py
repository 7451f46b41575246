"""The file of `--env-file`: weaker than the environment, and every line of it accounted for."""

from __future__ import annotations

import time

import pytest
from resolving import settle

from arkworker import UserConfiguration


class Configuration(UserConfiguration):
    threshold: float = 0.5
    name: str = ""


def test_lines_set_variables() -> None:
    """Comments, quotes, `export`, blanks and escapes are those of python-dotenv."""
    text = (
        "# a comment\n\nexport ARKINDEX_CONFIG_THRESHOLD=0.7\nARKINDEX_CONFIG_NAME = \"a\\nb\" # c\nPONOS_DATA='/d'\n"
    )

    outcome = settle(Configuration, env_file=text)

    assert outcome.config == Configuration(threshold=0.7, name="a\nb")
    assert outcome.resolution.settings.data_dir == "/d"
    assert outcome.origins["config.threshold"].location == "worker.env:3"


def test_environment_is_stronger() -> None:
    """What the process was started with wins, and says what it replaced."""
    outcome = settle(Configuration, environ={"ARKINDEX_CONFIG_NAME": "b"}, env_file="ARKINDEX_CONFIG_NAME=a\n")

    assert outcome.config.name == "b"
    assert [shadowed.origin.location for shadowed in outcome.origins["config.name"].shadowed][:1] == ["worker.env:1"]


def test_empty_value_is_an_absent_one() -> None:
    """As in the environment."""
    assert settle(Configuration, env_file="ARKINDEX_CONFIG_THRESHOLD=\n").config == Configuration()


PROBLEMS: list[tuple[str, int, str]] = [
    ("ARKINDEX_CONFIG_NAME\n", 1, "not a line of the form NAME=value"),
    ("\n\nARKINDEX_CONFIG_NAME\n", 3, "not a line of the form NAME=value"),
    ("some words\n", 1, "not a line of the form NAME=value"),
    ("=value\n", 1, "not a line of the form NAME=value"),
    ("9LIVES=1\n", 1, "not a line of the form NAME=value"),
    ("threshold: 0.5\n", 1, "not a line of the form NAME=value"),
    ('{"threshold": 1}\n', 1, "not a line of the form NAME=value"),
    ("<html>\n", 1, "not a line of the form NAME=value"),
    ('A=1\nARKINDEX_CONFIG_NAME="never closed\n', 2, "not a line of the form NAME=value"),
    ("A=1\nB=2\nA=1\n", 3, "A is given twice, first in line 1"),
    ("ARKINDEX_CONFIG_NAME=a\nARKINDEX_CONFIG_NAME=\n", 2, "ARKINDEX_CONFIG_NAME is given twice, first in line 1"),
    ('A="\\0"\nARKINDEX_CONFIG_THRESOLD=1\n', 2, "unknown option; did you mean ARKINDEX_CONFIG_THRESHOLD?"),
    ("\nARKINDEX_CONFIG_THRESHOLD=x\n", 2, "Input should be a valid number"),
]


@pytest.mark.parametrize(("text", "line", "message"), PROBLEMS)
def test_problem_names_its_line(text: str, line: int, message: str) -> None:
    """Each line that means nothing, or not what it says, is told of by number, without its content."""
    problem = settle(Configuration, env_file=text).problem

    assert (problem.source, problem.location, problem.message) == ("env file", f"worker.env:{line}", message)


def test_all_problems_are_told_at_once() -> None:
    """A broken line does not hide the next one."""
    outcome = settle(Configuration, env_file="a b\nARKINDEX_CONFIG_THRESHOLD=x\nc d\n")

    assert sorted(problem.location for problem in outcome.problems) == ["worker.env:1", "worker.env:2", "worker.env:3"]


@pytest.mark.parametrize("line", ["A=1\r", "#\n", "A\n", 'A="\n', "\n"])
def test_long_file_is_refused_at_once(line: str) -> None:
    """A megabyte of lines is not an env file, and reading it would take long."""
    started = time.process_time()

    problem = settle(Configuration, env_file=line * (1024 * 1024 // len(line))).problem

    assert problem.message == "more than 10,000 lines"
    assert time.process_time() - started < 20  # it would be minutes


def test_missing_file_is_an_error() -> None:
    """A file that a person named must exist."""
    problem = settle(Configuration, "--env-file", "nowhere.env").problem

    assert (problem.location, problem.message) == ("--env-file nowhere.env", "no such file")


def test_names_a_worker_run() -> None:
    """What turns off developer mode may stand in the file."""
    assert not settle(Configuration, env_file="ARKINDEX_WORKER_RUN_ID=a\n").resolution.is_developer_mode
