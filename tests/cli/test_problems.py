"""The report of problems: readable, bounded, harmless to a terminal, and the same as data."""

from __future__ import annotations

from pydantic import Field
from resolving import settle

from arkworker import Secret, UserConfiguration
from arkworker.cli.problems import as_data, as_segments, as_text
from arkworker.errors import Problem


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, le=1)
    bucket: Secret[str]


def test_report_reads_as_promised() -> None:
    """A heading, then each problem with its place, what is wrong, the line, and the remedy."""
    outcome = settle(Configuration, "--config.thresold=1", file="threshold: 1.7\n")

    assert (
        as_text(outcome.problems, "page_lines:PageLines")
        == """\
arkworker: 3 problems in the configuration of page_lines:PageLines

  config.thresold   --config.thresold
    unknown option; did you mean threshold?

  config.threshold  worker.yml:1:12
    Input should be less than or equal to 1
      1 │ threshold: 1.7
        │            ^

  config.bucket     not set anywhere
    a value is needed
    set bucket in worker.yml, or ARKINDEX_CONFIG_BUCKET, to the name of the secret
"""
    )


def test_source_of_a_worker_is_named() -> None:
    """Its places do not say by themselves what they are."""
    text = as_text([Problem("config.count", "vault", "config.count", "m"), Problem("", "vault", "vault", "n")], "t")

    assert "\n  config.count  vault  config.count\n" in text
    assert "\n  vault         vault\n" in text


def test_caret_stands_below_the_value() -> None:
    """Escapes before it make the line longer."""
    problem = Problem("a", "configuration file", "w:1:4", "m", excerpt="\x1b\tx", line=12, column=3)

    lines = as_text([problem], "t").splitlines()

    assert lines[-2:] == [r"      12 │ \x1b\tx", "         │       ^"]


def test_problems_of_no_worker() -> None:
    """Where there is no target, as with `import`, the heading leaves it out."""
    assert as_text([Problem("slug", "s", "l", "m")], "").startswith("arkworker: 1 problem\n")


def test_ten_problems_are_shown() -> None:
    """And how many more there are; data holds all."""
    problems = [Problem(f"config.a{number}", "s", "l", "m") for number in range(25)]

    assert as_text(problems, "t").count("\n    m\n") == 10
    assert as_text(problems, "t").endswith("\n  and 15 more: --json shows all\n")
    assert len(as_data(problems, "t")["problems"]) == 25


def test_data_has_no_excerpt() -> None:
    """The interface has five fields, and no line of a file."""
    problem = Problem("p", "s", "l", "m", "h", "excerpt", 1, 1)

    assert as_data([problem], "t") == {
        "target": "t",
        "problems": [{"path": "p", "source": "s", "location": "l", "message": "m", "hint": "h"}],
    }


def test_target_is_escaped() -> None:
    """It is what a person typed."""
    assert "\x1b" not in as_text([Problem("p", "s", "l", "m")], "\x1b[31m:W")


def test_segments_are_the_text() -> None:
    """Colours add nothing to read."""
    problems = settle(Configuration, file="threshold: 1.7\n").problems

    assert "".join(text for text, _ in as_segments(problems, "t")) == as_text(problems, "t")
    assert {style for _, style in as_segments(problems, "t")} >= {"path", "place", "message", "caret", "hint"}
