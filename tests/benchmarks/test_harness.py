"""The table of `make bench`, and when it is not to be believed."""

from __future__ import annotations

import math
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from benchmarks.__main__ import CASES
from benchmarks.harness import ROOT, Case, Outcome, Place, Row, Watch, execute, measure, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness import Measure


def outcome(*rows: Row, **figures: list[Sequence[float]]) -> Outcome:
    return Outcome(Case("case", rows, lambda _: {}), dict(figures))


def test_a_ratio_is_the_median_of_the_rounds_and_its_spread_their_range() -> None:
    """Each round is compared with itself, since its subjects met the same noise."""
    row = Row("one call", "µs", goal="0.50")
    found = outcome(row, arkworker=[(2.0,), (1.0,), (30.0,)], published=[(4.0,), (4.0,), (100.0,)])
    assert found.lines() == [["one call", "µs", "4", "", "2", "0.30 x peer", "0.25 to 0.50", "≤ 0.50"]]


def test_more_is_better_of_what_is_counted_by_the_second() -> None:
    """The goal of a rate is the least that it should be."""
    row = Row("rows", "rows/s", "limit", "0.70")
    assert outcome(row, arkworker=[(7.0,)], limit=[(10.0,)]).lines()[0][-1] == "≥ 0.70"


def test_a_figure_that_a_subject_does_not_have_is_left_out() -> None:
    """`tar` tells nothing of its memory."""
    found = outcome(Row("memory", "MiB", "limit"), arkworker=[(7.0,)], limit=[(float("nan"),)])
    assert found.lines() == [["memory", "MiB", "", "", "7", "", "", ""]]


def test_the_table_is_one_of_markdown() -> None:
    """It is copied into the README as it is."""
    lines = table([outcome(Row("a case", "ms"), arkworker=[(1234.5,)], published=[(2469.0,)])]).split("\n")
    assert lines[0] == "| Case   | unit | peer  | limit | ours  | ratio       | spread       | goal |"
    assert lines[1] == "| ------ | ---- | ----- | ----- | ----- | ----------- | ------------ | ---- |"
    assert lines[2] == "| a case | ms   | 2,469 |       | 1,234 | 0.50 x peer | 0.50 to 0.50 |      |"


def test_subjects_take_turns_and_warm_up_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first turn of each is not counted."""
    monkeypatch.setattr(Watch, "_time_loop", lambda _: 1.0)
    turns: list[str] = []

    def take(name: str) -> tuple[int]:
        turns.append(name)
        return (len(turns),)

    def prepare(_: Place) -> Mapping[str, Measure]:
        return {"arkworker": partial(take, "arkworker"), "limit": partial(take, "limit")}

    with ExitStack() as stack:
        found = measure(Case("case", (), prepare), Place(tmp_path, stack), rounds=2)
    assert turns == ["arkworker", "limit"] * 3
    assert found.figures == {"arkworker": [(3,), (5,)], "limit": [(4,), (6,)]}


@pytest.mark.parametrize(
    ("times", "loops", "said"),
    [
        ([(0, 0, 0), (10, 6, 5.5)], [1.0, 1.0], ""),
        ([(0, 0, 0), (10, 9, 5)], [1.0, 1.0], "other work took 40% of the processors"),
        ([(0, 0, 0), (10, 6, 5.5)], [1.0, 1.5], "the processors ran 1.5 times slower than before"),
    ],
)
def test_a_busy_or_slow_machine_is_told(
    monkeypatch: pytest.MonkeyPatch, times: list[tuple[float, float, float]], loops: list[float], said: str
) -> None:
    """Time of the processors that is not ours belongs to others; the same loop shows when the host takes some."""
    monkeypatch.setattr(Watch, "fastest", math.inf)
    monkeypatch.setattr(Watch, "_times", lambda _: times.pop(0))
    monkeypatch.setattr(Watch, "_time_loop", lambda _: loops.pop(0))
    assert said == Watch().complaint()


def test_a_subject_that_fails_ends_the_run_with_its_errors(tmp_path: Path) -> None:
    """A figure of something that failed would be a lie."""
    with pytest.raises(SystemExit, match=r"failed with exit code 1:\n(?s:.*)ZeroDivisionError"):
        execute([sys.executable, "-c", "1 / 0"], tmp_path)


def test_a_case_that_is_unknown_is_told_with_those_that_are_there() -> None:
    """A name mistaken should cost no quarter of an hour."""
    command = [sys.executable, "-m", "benchmarks", "api"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"no such case: api; there are {', '.join(CASES)}" in done.stderr


def test_every_case_is_described() -> None:
    """A figure is worth nothing to who cannot tell what was measured."""
    described = (ROOT / "benchmarks" / "README.md").read_text()
    assert not [name for name in CASES if f"`{name}`" not in described]
