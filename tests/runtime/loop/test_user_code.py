"""User code that does what it should not, in real processes."""

from __future__ import annotations

import os
import pty
import re
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from element_runs import trial

if TYPE_CHECKING:
    from pathlib import Path

SWALLOWED = {
    "and returns": "try: time.sleep(60)\nexcept BaseException: pass",
    "in a loop of asyncio": "import asyncio\nasyncio.run(asyncio.sleep(60))",
    "and raises another": "try: time.sleep(60)\nexcept BaseException: raise KeyError('mine')",
}


@pytest.mark.parametrize("hook", SWALLOWED.values(), ids=SWALLOWED)
def test_swallows_the_interruption(tmp_path: Path, hook: str) -> None:
    """What was cut off by the end of the grace time is not a success, whatever user code makes of it."""
    with trial(tmp_path, 3) as made:
        process = made.start("--grace", "0.1", HOOK=hook)
        made.wait_for("StartWorkerActivity", 3)

        process.signal()
        ended = process.wait()

        assert (ended.code, dict(made.states)) == (143, {"error": 3}), ended
        assert "interrupted" in ended.log


GREEDY = """
import threading
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
open(os.environ["USER_LOG"] + ".ready", "w").close()
"""
WAITING = {"sleeps": "time.sleep(60)", "catches all": "while True:\n try: time.sleep(60)\n except BaseException: pass"}


@pytest.mark.parametrize("hook", WAITING.values(), ids=WAITING)
def test_takes_every_thread_that_there_is(tmp_path: Path, hook: str) -> None:
    """A signal ends the run all the same, and what was claimed ends with it."""
    with trial(tmp_path, 3) as made:
        process = made.start("--grace", "0.1", HOOK=GREEDY + hook)
        made.wait_for_file("user.log.ready")

        process.signal()
        ended = process.wait()

        assert (ended.code, made.states["started"], ended.summary["exit_code"]) == (143, 0, 143), ended
        assert made.states["error"] == ended.summary["failed"] > 0


PUBLISHED = """
from arkworker.errors import PublicationError
error = PublicationError('no answer', {}, {'transcriptions': 1}, {})
"""
DOUBTFUL = {
    "itself": f"{PUBLISHED}raise error",
    "as the cause of another": f"{PUBLISHED}raise KeyError('mine') from error",
}


@pytest.mark.parametrize("hook", DOUBTFUL.values(), ids=DOUBTFUL)
def test_publication_of_which_nobody_knows(tmp_path: Path, hook: str) -> None:
    """What user code published itself, and whose answer was lost, makes its element an uncertain one."""
    with trial(tmp_path, 2) as made:
        ended = made.start(HOOK=hook).wait()

        assert (ended.code, ended.summary["failed"], ended.summary["uncertain"]) == (75, 0, 2), ended
        assert dict(made.states) == {"error": 2}


@pytest.mark.parametrize("recorded", [False, True], ids=["published", "recorded"])
def test_exception_without_a_message(tmp_path: Path, recorded: bool) -> None:  # noqa: FBT001 - a parameter
    """An exception that cannot even be shown fails its element alone."""
    flags = ["--results", str(tmp_path / "results.jsonl")] if recorded else []
    hook = "class E(Exception):\n def __str__(self): raise RuntimeError\nif element.name.endswith('2'): raise E"
    with trial(tmp_path, 3) as made:
        ended = made.start(*flags, HOOK=hook).wait()

        assert (ended.code, ended.summary["processed"], ended.summary["failed"]) == (0, 2, 1), ended
        assert "failed once: E: its message could not be read" in ended.log


@pytest.mark.parametrize("way", ["pass", "raise SystemExit(3)"])
def test_forks(tmp_path: Path, way: str) -> None:
    """A forked child that comes back from user code reports nothing: its parent does."""
    hook = f"pid = os.fork()\nif pid == 0:\n {way}\nelse:\n os.waitpid(pid, 0)"
    with trial(tmp_path, 3) as made:
        ended = made.start(HOOK=hook).wait()

        assert (ended.code, ended.summary["processed"]) == (0, 3), ended
        assert [made.emulator.ledger.history(element)[1:] for element in made.elements] == [
            ["started", "processed"]
        ] * 3


@pytest.mark.parametrize("signals", [1, 2])
def test_terminal_of_a_run_that_is_ended_at_once(tmp_path: Path, signals: int) -> None:
    """The bar is gone, and its cursor is back: after a second Ctrl-C, or where user code does not end."""
    hook = "open(os.environ['USER_LOG'] + '.ready', 'w').close()\n" + WAITING["catches all"]
    with trial(tmp_path, 1) as made:
        reader, writer = pty.openpty()
        process = made.start("--grace", "0.3", HOOK=hook, TERM="xterm", stream=writer)
        os.close(writer)
        made.wait_for_file("user.log.ready")
        for _ in range(signals):
            process.signal(signal.SIGINT)
            time.sleep(0.1)  # two at once are one
        shown = b"".join(iter(partial(_read, reader), b""))
        os.close(reader)

        assert process.wait().code == 128 + signal.SIGINT
    assert (shown.count(b"\x1b[?25l"), shown.count(b"\r\x1b[2K\x1b[?25h")) == (1, 1), shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side has closed
        return b""


def test_bar_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal a bar shows the progress, and the log goes on above it."""
    with trial(tmp_path, 3) as made:
        reader, writer = pty.openpty()
        process = made.start("--elements-list", made.write_list(), HOOK="time.sleep(0.3)", TERM="xterm", stream=writer)
        os.close(writer)
        shown = b"".join(iter(partial(_read, reader), b""))
        os.close(reader)

        assert process.wait().code == 0, shown
    assert re.search(rb"1 of 3\b.*0 failed", shown), shown
    assert b"3 processed, 0 failed" in shown
