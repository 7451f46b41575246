"""The report of problems: the same segments as plain text, in colour, and as data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.errors import Problem

#: A text and its style: `path`, `place`, `message`, `hint`, `caret` or nothing.
Segment = tuple[str, str]

MOST_SHOWN = 10

#: The sources whose locations say what they are: a file, a flag, a class.
_SPEAKING = frozenset(
    {"command line", "configuration file", "env file", "results file", "journal", "project", "connection", "worker"}
    | {"declaration file", "declaration files", "code of the worker", "default", "validator"}
)


def as_segments(
    problems: Sequence[Problem], target: str, *, kind: str = "problem", subject: str = "the configuration of "
) -> list[Segment]:
    """The report: a heading, each problem with its place and remedy, ten at most and how many more."""
    count = f"{len(problems)} {kind}" + ("s" if len(problems) != 1 else "")
    place = f" in {subject}{printable(target)}" if target else ""  # of verbs without a worker
    segments: list[Segment] = [("arkworker: ", ""), (f"{count}{place}\n", "path")]
    width = max((len(problem.path or problem.source) for problem in problems[:MOST_SHOWN]), default=0)
    for problem in problems[:MOST_SHOWN]:
        segments += _problem(problem, width)
    if len(problems) > MOST_SHOWN:
        segments.append((f"\n  and {len(problems) - MOST_SHOWN} more: --json shows all\n", ""))
    return segments


def _problem(problem: Problem, width: int) -> Iterator[Segment]:
    yield "\n  ", ""
    yield (problem.path or problem.source).ljust(width), "path"
    yield f"  {_where(problem)}\n", "place"
    yield f"    {problem.message}\n", "message"
    if problem.excerpt:
        yield from _excerpt(problem)
    if problem.hint:
        yield f"    {problem.hint}\n", "hint"


def _where(problem: Problem) -> str:
    """The location; with its source where it does not say by itself what it is."""
    if problem.source in _SPEAKING or problem.location in ("", problem.source):
        return problem.location or problem.source
    return f"{problem.source}  {problem.location}"


def _excerpt(problem: Problem) -> Iterator[Segment]:
    number = str(problem.line)
    # Escapes widen what stands before the caret.
    before = printable(problem.excerpt[: problem.column - 1], limit=1000)
    yield f"      {number} │ ", "place"
    yield f"{printable(problem.excerpt, limit=1000)}\n", ""
    yield f"      {' ' * len(number)} │ {' ' * len(before)}", "place"
    yield "^\n", "caret"


def as_text(problems: Sequence[Problem], target: str) -> str:
    return "".join(text for text, _ in as_segments(problems, target))


def as_data(problems: Sequence[Problem], target: str) -> dict[str, Any]:
    """The interface of `--json`: all problems, without excerpts."""
    names = ("path", "source", "location", "message", "hint")
    items = [{name: value for name, value in dataclasses.asdict(p).items() if name in names} for p in problems]
    return {"target": target, "problems": items}
