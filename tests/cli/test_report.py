"""`run --report FILE`: what the page says, and what never gets into it."""

from __future__ import annotations

import platform
import re
from html.parser import HTMLParser
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Run = Callable[..., tuple[Result, str]]

WORKER = """
import os
from arkworker import Child, ElementsWorker, Secret, UserConfiguration

class C(UserConfiguration):
    key: Secret[str] | None = None
    margin: int = 3

class W(ElementsWorker[C]):
    def setup(self, context):
        {setup}

    def process_element(self, element, context, cache):
        image = element.open_image()
        context.record_metric("<b>lines</b>", 1234567, "lines")
        if element.name == "two":
            key = context.config.key and context.config.key.get_secret_value()
            raise ValueError(f"<script src='https://evil.example/x.js'>" + f" {{key}} \\x1b[31m")
        {work}
        box = [[1, 1], [image.width - 1, 1], [image.width - 1, 5], [1, 5]]
        return [Child(type="line", polygon=box), Child(type="line", polygon=box)]
"""
#: Attributes whose value a browser would fetch, or run.
FETCHING = {"src", "href", "srcset", "action", "background", "data", "poster", "xlink:href"}


class Page(HTMLParser):
    """What a browser would make of a page: tags, what it would fetch, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in FETCHING]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.fixture
def run(tmp_path: Path, process: Callable[..., Result]) -> Run:
    """Runs the worker over three images; answers how it ended, and the page."""
    for name in ("one", "two", "<i>three"):
        Image.new("RGB", (60, 40), "white").save(tmp_path / f"{name}.png")
    images = [flag for name in ("one", "two", "<i>three") for flag in ("--image", f"{name}.png")]

    def start(*flags: str, setup: str = "pass", work: str = "pass", **environment: str) -> tuple[Result, str]:
        (tmp_path / "w.py").write_text(WORKER.format(setup=setup, work=work))
        result = process("run", "w.py:W", "--dev", *images, "--report", "run.html", *flags, **environment)
        report = tmp_path / "run.html"
        return result, report.read_text() if report.exists() else ""

    return start


def test_what_a_run_was(run: Run) -> None:
    """Versions, states, phases, slowest elements, errors with an example, metrics, configuration with its origin."""
    result, source = run("--config.margin", "7", "--summary", "s.json")

    text = re.sub(r"\s+", " ", Page(source).text)
    assert result.code == 0, result.err
    assert [
        told
        for told in (
            "w.py:W: report of a run",
            "done; some elements failed",
            "elements 3 processed 2 failed 1 skipped 0 uncertain 0",
            f"arkworker {version('arkworker')} Python {platform.python_version()}",
            "work of the worker's code",
            "Slowest elements",
            "once: ValueError",
            "raise ValueError(f",
            "<b>lines</b> 1234567 lines",
            "config.margin 7 command line --config.margin",
            "run.summary",
            "page <i>three",
        )
        if told not in text
    ] == []


def test_pictures_have_what_was_found(run: Run) -> None:
    """Small ones, with an outline for each child; what failed has none."""
    _, source = run()
    assert source.count("data:image/jpeg;base64,") == 3
    assert sorted(re.findall(r": (no outline|\d outlines)<", source)) == ["2 outlines", "2 outlines", "no outline"]
    assert source.count("M1.0,1.0 L59.0,1.0 L59.0,5.0 L1.0,5.0 L1.0,1.0 Z") == 4


def test_a_narrow_picture_is_not_stretched(run: Run) -> None:
    """The back of a book would be as long as all the rest of the page: none is shown larger than it is."""
    (style,) = re.findall(r"figure img \{([^}]*)\}", run()[1])
    assert ("max-width: 100%" in style, re.search(r"(?<!-)width: 100%", style)) == (True, None)


def test_nothing_from_outside_is_markup(run: Run) -> None:
    """Names and messages are text; nothing is fetched, nothing is run, and no control character is left."""
    page = Page(run()[1])
    assert page.tags.isdisjoint({"script", "i", "b", "link", "iframe", "object", "form", "base"})
    assert [address for address in page.fetched if not address.startswith("data:image/jpeg;base64,")] == []
    assert page.handlers == []
    assert "<script src='https://evil.example/x.js'>" in page.text
    assert "\x1b" not in page.text


def test_no_secret(run: Run) -> None:
    """Neither an option, nor a token, nor an error that holds one."""
    result, source = run("--config.key", "env:KEY", KEY="canary-in-key", ARKINDEX_API_TOKEN="canary-in-token")
    assert result.code == 0, result.err
    assert "canary" not in source
    assert "**********" in Page(source).text


@pytest.mark.parametrize(
    ("hooks", "code", "told"),
    [
        ({"setup": "raise RuntimeError('no model')"}, 1, "the worker failed: RuntimeError"),
        ({"work": "import signal; os.kill(os.getpid(), signal.SIGTERM)"}, 143, "stopped by signal 15 (exit code 143)"),
        ({"work": "raise KeyError('gone')"}, 1, "failed (exit code 1)"),
        ({"work": "import sys; sys.exit(3)"}, 1, "failed (exit code 1)"),
    ],
    ids=["setup", "signal", "all", "exit"],
)
def test_runs_that_do_not_end_well(run: Run, hooks: dict[str, str], code: int, told: str) -> None:
    """They have a report, too, which says so."""
    result, source = run(**hooks)
    assert (result.code, told in Page(source).text) == (code, True), source


def test_user_code_that_does_not_come_back(run: Run) -> None:
    """The process is ended by force, after the report is written."""
    stuck = (
        "import signal, time; os.kill(os.getpid(), signal.SIGTERM)\n"
        "        while True:\n"
        "            try: time.sleep(60)\n"
        "            except BaseException: pass"
    )
    result, source = run("--grace", "0", work=stuck)
    assert (result.code, "stopped by signal 15" in Page(source).text) == (143, True), result.err


def test_several_processes(run: Run) -> None:
    """Each has a line; pictures, tracebacks and metrics are theirs."""
    result, source = run("--jobs", "2", "--summary", "s.json")
    text = Page(source).text
    assert result.code == 0, result.err
    assert "Processes" in text
    assert "raise ValueError(f" in text
    assert "<b>lines</b>" in text
    assert source.count("data:image/jpeg;base64,") == 3


def test_a_report_before_is_replaced_and_other_pages_are_not(run: Run, tmp_path: Path) -> None:
    """It is known by its mark."""
    first, second = run(), run()
    (tmp_path / "run.html").write_text("<!DOCTYPE html><title>precious</title>")
    third, kept = run()
    assert [first[0].code, second[0].code, third.code] == [0, 0, 78]
    assert "holds something other than the report of a run" in third.err
    assert kept == "<!DOCTYPE html><title>precious</title>"


REFUSED = {
    "a wrong value": (("--config.margin", "<i>x</i>"), "config.margin --config.margin Input should be a valid"),
    "two sources": (("--element", "11111111-1111-1111-1111-111111111111"), "the elements are already given"),
    "another file": (("--summary", "w.py"), "is the same file as the code of w"),
}


@pytest.mark.parametrize(("flags", "told"), REFUSED.values(), ids=REFUSED)
def test_a_refused_run_leaves_no_report_of_another(run: Run, tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    """The page says why it was refused."""
    (tmp_path / "run.html").write_text('<meta name="generator" content="arkworker run --report">BEFORE')
    result, source = run(*flags)
    text = re.sub(r"\s+", " ", Page(source).text)
    assert (result.code, "BEFORE" in source) == (78, False), result.err
    assert "ended before the work (exit code 78)" in text
    assert told in text


def test_a_run_that_is_killed_leaves_no_report_of_another(run: Run, tmp_path: Path) -> None:
    """The file is emptied first."""
    run()
    result, source = run(work="os.kill(os.getpid(), 9)")
    assert (result.code, source) == (-9, "")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".arkworker")] == []


def test_a_value_that_cannot_be_shown(run: Run, tmp_path: Path) -> None:
    """The log says that there is no report; the run ends as it did."""
    setup = "context.config.__class__.model_fields['lost'] = context.config.__class__.model_fields['margin']"
    result, source = run("--summary", "s.json", setup=setup)
    assert (result.code, source) == (0, ""), result.err
    assert "run.html: the report cannot be written" in result.err
    assert '"processed": 2' in (tmp_path / "s.json").read_text()
