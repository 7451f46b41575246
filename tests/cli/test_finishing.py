"""What a worker does after its last element."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

WORKER = """
import os, signal
from arkworker import ElementsWorker, Metadata

class W(ElementsWorker):
    def process_element(self, element, context, cache):
        print(element.name)
        if element.name == "p1":
            {process}

    def finish(self, context, cache):
        print("finish")
        {finish}

    def teardown(self, context):
        print("teardown")
        {teardown}
"""


@pytest.fixture
def run(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> Callable[..., tuple[Result, dict[str, float]]]:
    """Runs over two images with code for the second and for the end; answers the summary, too."""
    images = [tmp_path / f"p{number}.png" for number in range(2)]
    for image in images:
        Image.new("L", (2, 2)).save(image)

    def done(process: str = "pass", finish: str = "pass", teardown: str = "pass") -> tuple[Result, dict[str, float]]:
        target = write_worker(WORKER.format(process=process, finish=finish, teardown=teardown))
        result = command("run", target, "--image", *map(str, images), "--summary", str(tmp_path / "s.json"))
        return result, json.loads((tmp_path / "s.json").read_text())

    return done


def test_after_the_last_element(run: Callable[..., tuple[Result, dict[str, float]]]) -> None:
    """Once, before the teardown."""
    result, summary = run()

    assert (result.code, result.out.split()) == (0, ["p0", "p1", "finish", "teardown"])
    assert (summary["processed"], summary["exit_code"]) == (2, 0)


def test_although_an_element_failed(run: Callable[..., tuple[Result, dict[str, float]]]) -> None:
    """The others are done."""
    result, summary = run("raise ValueError")

    assert (result.code, result.out.split()) == (0, ["p0", "p1", "finish", "teardown"])
    assert (summary["processed"], summary["failed"]) == (1, 1)


@pytest.mark.parametrize("finish", ["raise ValueError", "raise SystemExit(0)", "raise KeyboardInterrupt"])
def test_that_fails(run: Callable[..., tuple[Result, dict[str, float]]], finish: str) -> None:
    """The run has failed, and the summary says so; the elements are what they are."""
    result, summary = run(finish=finish)

    assert (result.code, summary["exit_code"], summary["processed"]) == (1, 1, 2)
    assert "The worker's finish failed" in result.err
    name = finish.removeprefix("raise ").partition("(")[0]
    assert re.match(rf"arkworker: finish failed with {name} at .*\.py:\d+; 2 elements in ", result.err.splitlines()[-1])


@pytest.mark.parametrize("hook", ["finish", "teardown"])
def test_traceback_of_one_that_fails(run: Callable[..., tuple[Result, dict[str, float]]], hook: str) -> None:
    """It begins with the author's line."""
    result, _ = run(**{hook: "raise ValueError"})

    assert f"The worker's {hook} failed\nTraceback (most recent call last):\n" in result.err
    assert result.err.count('  File "') == 1, result.err


def test_not_after_a_signal(run: Callable[..., tuple[Result, dict[str, float]]]) -> None:
    """A run that was stopped is not finished."""
    result, summary = run("os.kill(os.getpid(), signal.SIGTERM)")

    assert (result.code, result.out.split()) == (143, ["p0", "p1", "teardown"])
    assert summary["exit_code"] == 143


def test_a_signal_meanwhile(run: Callable[..., tuple[Result, dict[str, float]]]) -> None:
    """It has the grace time, as an element has, and the run was stopped all the same."""
    result, summary = run(finish="os.kill(os.getpid(), signal.SIGTERM); print('done')")

    assert (result.code, result.out.split()) == (143, ["p0", "p1", "finish", "done", "teardown"])
    assert (summary["exit_code"], summary["processed"]) == (143, 2)


def test_not_where_user_code_ended_the_run(run: Callable[..., tuple[Result, dict[str, float]]]) -> None:
    """`sys.exit` in an element ends the run early."""
    result, _ = run("raise SystemExit(3)")

    assert (result.code, "finish" in result.out) == (1, False)


def test_metric_of_a_run(run: Callable[..., tuple[Result, dict[str, Any]]]) -> None:
    """The log has each value, the summary the last."""
    process = "context.record_metric('loss', 0.5)"
    finish = "context.record_metric('loss', 0.25); context.record_metric('pages read', 1234567, 'pages')"

    result, summary = run(process, finish)

    assert result.code == 0, result.err
    assert summary["metrics"] == {"loss": {"value": 0.25}, "pages read": {"value": 1234567, "unit": "pages"}}
    assert [line.partition("metric ")[2] for line in result.err.splitlines() if "metric " in line] == [
        "loss: 0.5",
        "loss: 0.25",
        "pages read: 1234567 pages",
    ]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_metric_that_is_not_finite(run: Callable[..., tuple[Result, dict[str, Any]]], number: str) -> None:
    """A loss that diverges is told; it ends no training, and no earlier value passes for the last."""
    result, summary = run(f"context.record_metric('loss', 0.5); context.record_metric('loss', float('{number}'))")

    assert (result.code, summary["processed"], "metrics" in summary) == (0, 2, False), result.err
    assert f"WARNING arkworker: metric loss: {number}, which the summary leaves out" in result.err


@pytest.mark.parametrize("metric", ["'', 1", "'a\\nb', 1", "'a', 1, 3", "'a', 10**400", "'a', '3'", "'a', None"])
def test_metric_that_cannot_be_recorded(run: Callable[..., tuple[Result, dict[str, Any]]], metric: str) -> None:
    """A mistake of the author, at the line of it."""
    result, summary = run(f"context.record_metric({metric})")

    assert (summary["failed"], "metrics" in summary) == (1, False)
    assert re.search("(Value|Type)Error", result.err)
