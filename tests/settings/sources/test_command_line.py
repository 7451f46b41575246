"""Flags: those that Arkindex users know, those of the worker, and one for each option."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field
from resolving import settle

from arkworker import Secret, UserConfiguration
from arkworker.cli.flags import Command, run_parser
from arkworker.errors import UsageError
from arkworker.settings.catalogue import WorkerOptions


class Inner(UserConfiguration):
    batch_size: int = 4


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, description="Lines below it are dropped, all 100%.")
    flag: bool = False
    name: str = ""
    tags: list[str] = Field(default_factory=list)
    table: dict[str, int] = Field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    depth: int = Field(3, alias="how deep")
    advanced: Inner = Inner()
    token: Secret[str] | None = None


class Arguments(UserConfiguration):
    batch_name: str = "all"
    dry: bool = False
    limit: int = Field(10, alias="most")
    kinds: list[str] = Field(default_factory=list)


def config_of(*argv: str) -> Configuration:
    """The configuration that a command line makes."""
    outcome = settle(Configuration, *argv)
    assert outcome.problems == ()
    assert isinstance(outcome.config, Configuration)
    return outcome.config


VALUES: list[tuple[list[str], str, object]] = [
    (["--config.threshold", "-1e-5"], "threshold", -1e-5),
    (["--config.threshold", "-.5E3"], "threshold", -500.0),
    (["--config.tags", "a", "b"], "tags", ["a", "b"]),
    (["--config.tags", "-1,-2"], "tags", ["-1", "-2"]),
    (["--config.threshold", "0.7"], "threshold", 0.7),
    (["--config.threshold=0.7"], "threshold", 0.7),
    (["--config.threshold", "-0.5"], "threshold", -0.5),
    (["--config.flag"], "flag", True),
    (["--config.flag", "no"], "flag", False),
    (["--config.flag=1"], "flag", True),
    (["--config.name", ""], "name", ""),
    (["--config.name=a=b"], "name", "a=b"),
    (["--config.name=-v"], "name", "-v"),
    (["--config.name", "no"], "name", "no"),
    (["--config.tags", "a,b"], "tags", ["a", "b"]),
    (["--config.tags", "a", "--config.tags", "b"], "tags", ["a", "b"]),
    (["--config.tags", "['a,b']"], "tags", ["a,b"]),
    (["--config.table", "a=1,b=2"], "table", {"a": 1, "b": 2}),
    (["--config.kind", "b"], "kind", "b"),
    (["--config.how deep", "5"], "depth", 5),
    (["--config.advanced.batch_size", "8"], "advanced", Inner(batch_size=8)),
    (["--config.threshold", "0.1", "--config.threshold", "0.2"], "threshold", 0.2),
]


@pytest.mark.parametrize(("argv", "name", "expected"), VALUES, ids=str)
def test_flag_sets_its_option(argv: list[str], name: str, expected: object) -> None:
    """Each option has a flag of its name; the last of several counts, and lists add up."""
    assert getattr(config_of(*argv), name) == expected


PROBLEMS: list[tuple[list[str], str, str]] = [
    (["--config.thresold", "1"], "config.thresold", "unknown option; did you mean threshold?"),
    (["--config.thresold=1"], "config.thresold", "unknown option; did you mean threshold?"),
    (["--config.batch_size", "1"], "config.batch_size", "unknown option; did you mean advanced.batch_size?"),
    (["--config.advanced", "1"], "config.advanced", "this is a group: give its options, each with its own flag"),
    (["--config.", "1"], "config.", "unknown option"),
    (["--config.threshold"], "config.threshold", "a value is missing"),
    (["--config.threshold", "--dev"], "config.threshold", "a value is missing"),
    (["--config.threshold", "x"], "config.threshold", "Input should be a valid number"),
    (["--config.kind", "c"], "config.kind", "Input should be 'a' or 'b'"),
    (["--config.flag", "2"], "config.flag", "Input should be true or false"),
    (["--config.token="], "config.token", "a secret is given by reference"),
    (["--config.tags", "[a"], "config.tags", "this '[' is not closed, or a comma is missing in it"),
    (["-c", ""], "config_file", "a value is missing"),
    (["--log-format", "xml"], "log_format", "Input should be 'text' or 'json'"),
]


@pytest.mark.parametrize(("argv", "path", "message"), PROBLEMS, ids=str)
def test_problem_names_its_flag(argv: list[str], path: str, message: str) -> None:
    """What a flag says wrongly is told with all other problems: exit code 78."""
    problem = settle(Configuration, *argv).problem

    assert (problem.path, problem.message, problem.source) == (path, message, "command line")
    assert problem.location == argv[0].partition("=")[0]


USAGE: list[tuple[list[str], str]] = [
    (["--thresold"], "unknown flag --thresold"),
    (["--extra-dir", "x"], "unknown flag --extra-dir; did you mean --extras-dir?"),
    (["--extras"], "unknown flag --extras"),
    (["--verb"], "unknown flag --verb"),
    (["stray"], "unexpected argument: put a value that contains blanks in quotes"),
    (
        ["--config.name", "a", "b"],
        "unexpected argument after --config.name: put a value that contains blanks in quotes",
    ),
    (["--element", "a"], "--element is for workers that process elements"),
    (["--dev=s3cr3t"], "argument --dev: takes no value"),
    (["-c"], "argument -c/--config: expected one argument"),
    (["--\x1b[31m"], r"unknown flag --\x1b[31m"),
    (["--config.name", "-s3cr3t"], "unknown flag -s"),
]


@pytest.mark.parametrize(("argv", "message"), USAGE, ids=ascii)
def test_command_line_that_cannot_be_parsed(argv: list[str], message: str) -> None:
    """It is a mistake of usage, exit code 2, and repeats no value."""
    with pytest.raises(UsageError) as caught:
        settle(Configuration, *argv)

    assert str(caught.value).startswith(message)
    assert "s3cr3t" not in str(caught.value)


def test_file_and_options_go_together() -> None:
    """`--config FILE` and `--config.x` are two things, and the flag is the stronger one."""
    outcome = settle(Configuration, "--config.threshold", "0.7", file="threshold: 0.1\nname: a\n")

    assert (outcome.config.threshold, outcome.config.name) == (0.7, "a")


def test_free_mapping_takes_any_flag() -> None:
    """Dots are part of the name; YAML 1.1 says what a text is."""
    outcome = settle(None, "--config.a.b", "010", "--config.c", "x y", "--config.d", "no", "--config.e=[1]")

    assert outcome.config == {"a.b": 8, "c": "x y", "d": False, "e": [1]}


def test_flag_without_a_value_is_told_in_a_free_mapping() -> None:
    """Nobody says that it is a switch."""
    problem = settle(None, "--config.\x1ba").problem

    assert (problem.message, problem.hint) == ("a value is missing", r"write --config.\x1ba=…")


def test_arguments_of_the_worker() -> None:
    """Extra flags are in kebab case at the top level; each has its type."""
    outcome = settle(Configuration, "--batch-name", "b", "--dry", "--limit", "5", "--kinds", "x,y", arguments=Arguments)

    assert outcome.arguments == Arguments.model_validate(
        {"batch_name": "b", "dry": True, "most": 5, "kinds": ["x", "y"]}
    )
    assert outcome.origins["arguments.batch_name"].location == "--batch-name"


def test_arguments_have_defaults() -> None:
    """Without a flag, a default."""
    assert settle(Configuration, arguments=Arguments).arguments == Arguments()


def test_missing_argument_names_its_flag() -> None:
    """What has no default must be given."""

    class Needed(UserConfiguration):
        batch_name: str

    problem = settle(Configuration, arguments=Needed).problem

    assert (problem.path, problem.message, problem.hint) == (
        "arguments.batch_name",
        "a value is needed",
        "set it with --batch-name",
    )


def test_flags_of_elements_are_those_of_element_workers() -> None:
    """Several ids may follow, and the flag may be repeated."""
    outcome = settle(None, "--element", "a", "b", "--element", "c", "--no-worker-activity", elements=True)

    assert outcome.resolution.settings.element == ("a", "b", "c")
    assert outcome.resolution.settings.no_worker_activity


@pytest.mark.parametrize("flag", ["-v", "--verbose", "--debug"])
def test_spellings_of_verbose(flag: str) -> None:
    """Three spellings, one meaning."""
    assert settle(None, flag).resolution.wants_debug


def test_help_describes_every_flag() -> None:
    """Descriptions, defaults and variables; a percent sign is one."""
    text = run_parser(Command("run", "W", ()), WorkerOptions("W", Configuration, Arguments)).format_help()

    assert "Lines below it are dropped, all 100%." in text
    assert "ARKINDEX_CONFIG_THRESHOLD" in text
    assert "--batch-name TEXT" in text
    assert "--element" not in text


def test_undecodable_flag_is_refused() -> None:
    """Bytes of another encoding on the command line are not text."""
    assert settle(Configuration, "--config.name", "caf\udce9").told == {"config.name": "not valid Unicode text"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--kinds", "u", "v"], ["u", "v"]),
        (["--kinds", "u", "--kinds", "v,w"], ["u", "v", "w"]),
        (["--kinds=[u]"], ["u"]),
    ],
)
def test_extra_flag_of_several_values(argv: list[str], expected: list[str]) -> None:
    """One after the other, one flag each, or in one text."""
    assert settle(Configuration, *argv, arguments=Arguments).arguments.kinds == expected
