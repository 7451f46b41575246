"""The bar on a terminal, and the lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.runtime.loop.outcome import Tally
from arkworker.runtime.loop.progress import ProgressDisplay

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("test")


class Terminal(io.StringIO):
    clock: Hand

    def isatty(self) -> bool:
        return True

    @property
    def frames(self) -> list[str]:
        """What it showed, one after the other, without colours."""
        return re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self.getvalue()))


class Hand:
    """A clock that moves when it is told."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr("arkworker.runtime.loop.progress.monotonic", hand.monotonic)
    return hand


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, clock: Hand) -> Iterator[Terminal]:
    """One of 100 columns, where the log goes."""
    made = Terminal()
    made.clock = clock
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    handler = logging.StreamHandler(made)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    yield made
    assert handler.stream is made


def show(terminal: Terminal, total: int | None, *, line: str = "") -> None:
    """All the elements, one a second, the first failed."""
    tally = Tally()
    with contextlib.redirect_stderr(terminal), ProgressDisplay(tally, total) as progress:
        for number in range(total or 3):
            terminal.clock.seconds += 1
            tally.count("processed" if number else "failed")
            progress.advance()
            if line:
                logger.info(line)


def test_the_bar_says_how_much_how_fast_and_how_long(terminal: Terminal) -> None:
    """All of all at the end; and nothing is left of it."""
    show(terminal, 3)

    (last,) = {frame for frame in terminal.frames if "3 of 3" in frame}
    assert re.fullmatch(r"━+ 3 of 3 1 failed 1 a second \d:\d\d:\d\d .* left *", last)
    assert terminal.getvalue().endswith("\x1b[1A\x1b[2K")


def test_of_a_queue_nobody_knows_the_end(terminal: Terminal) -> None:
    """The time left is not shown."""
    show(terminal, None)

    assert [frame for frame in terminal.frames if "left" in frame] == []
    assert [frame for frame in terminal.frames if "3 of ?" in frame] != []


@pytest.mark.parametrize(("columns", "shown"), [("60", "3 of 3 1 failed 1 a second"), ("40", "3 of 3 1 failed")])
def test_a_narrow_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: str, shown: str) -> None:
    """First the bar goes, then all but the count."""
    monkeypatch.setenv("COLUMNS", columns)

    show(terminal, 3)

    frames = [frame for frame in terminal.frames if "3 of 3" in frame]
    assert frames != []
    assert [frame for frame in frames if not frame.startswith(shown) or len(frame) > int(columns)] == []


def test_lines_of_the_log_are_written_above_as_they_are(terminal: Terminal) -> None:
    """However long, and whatever they hold."""
    line = "a [bold]line[/bold] " * 20 + "end"

    show(terminal, 3, line=line)

    assert terminal.frames.count(line) == 3


def test_no_colour_where_none_is_wanted(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_COLOR` leaves the bar."""
    monkeypatch.setenv("NO_COLOR", "1")

    show(terminal, 3)

    assert "3 of 3" in terminal.getvalue()
    assert re.findall(r"\x1b\[[\d;]*3\d[\d;]*m", terminal.getvalue()) == []


@pytest.mark.parametrize("kind", ["dumb", "file"])
def test_elsewhere_a_line_now_and_then(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """On a terminal that moves no cursor, and where standard error is a file."""
    monkeypatch.setenv("TERM", "dumb")
    if kind == "file":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    caplog.set_level(logging.INFO)

    show(terminal, 31)

    assert caplog.messages == [
        "15 of 31 elements, 1 failed, 1 a second",
        "30 of 31 elements, 1 failed, 1 a second",
    ]


def test_what_is_printed_stays_on_standard_output(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a file, although standard error is a terminal."""
    with contextlib.redirect_stderr(terminal), ProgressDisplay(Tally(), 1):
        sys.stdout.write("a result\n")

    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in terminal.getvalue()


@pytest.mark.parametrize(("number", "rate"), [(3000, "150"), (200, "10"), (31, "1.6")])
def test_the_rate(clock: Hand, caplog: pytest.LogCaptureFixture, number: int, rate: str) -> None:
    """In digits, however fast the run is."""
    caplog.set_level(logging.INFO)
    tally = Tally()
    progress = ProgressDisplay(tally, None)
    tally.count("processed", number)
    clock.seconds += 20
    progress.advance()

    assert caplog.messages == [f"{number} elements, 0 failed, {rate} a second"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_leaves_the_bar_to_its_parent(terminal: Terminal) -> None:
    """The thread that draws the bar may hold its locks just then, and is missing there."""
    handler: Any = next(one for one in logging.getLogger().handlers if getattr(one, "stream", None) is terminal)
    with contextlib.redirect_stderr(terminal), ProgressDisplay(Tally(), 3):
        assert terminal not in (handler.stream, sys.stderr)
        pid = os.fork()
        if pid == 0:
            os._exit(int(handler.stream is not terminal or sys.stderr is not terminal))
        assert os.waitpid(pid, 0)[1] == 0
        assert terminal not in (handler.stream, sys.stderr)


@pytest.mark.parametrize("chosen", [False, True], ids=["pdb", "another debugger"])
def test_a_breakpoint_ends_the_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, chosen: bool) -> None:  # noqa: FBT001 - a parameter
    """Its prompt would be overwritten; the debugger of Python stops in user code, not in that of the bar."""
    stopped: list[object] = []
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    monkeypatch.setattr("pdb.Pdb.set_trace", lambda _, frame: stopped.append(frame))
    hook = partial(stopped.append, "chosen") if chosen else sys.__breakpointhook__
    monkeypatch.setattr(sys, "breakpointhook", hook)
    tally = Tally()
    with contextlib.redirect_stderr(terminal), ProgressDisplay(tally, 40) as progress:
        sys.breakpointhook()  # noqa: T100 - what is tested
        shown = terminal.getvalue()
        terminal.clock.seconds += 20
        progress.advance()

    assert stopped == ["chosen" if chosen else sys._getframe()]
    assert shown.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
    assert terminal.getvalue() == f"{shown}0 of 40 elements, 0 failed, 0 a second\n"
    assert sys.breakpointhook is hook
