"""How far the run is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from arkworker.runtime import logs
from arkworker.runtime.stopping import last_acts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import ProgressColumn

    from arkworker.runtime.loop.outcome import Tally

logger = logging.getLogger("arkworker.elements")

INTERVAL = 15.0  # seconds between two lines
_WIDEST_BAR = 40
_BESIDE_THE_BAR = 66  # columns that the figures may take
_FEWEST_COLUMNS = 50  # below that, there is only the count


class ProgressDisplay:
    """Told after each element.

    Args:
        tally: What to show.
        total: How many elements there are; None for a queue.
        is_shown: Whether anything is shown; not by one process of several.
    """

    def __init__(self, tally: Tally, total: int | None, *, is_shown: bool = True) -> None:
        self._tally = tally
        self._total = total
        self._is_shown = is_shown
        self._start = self._last = monotonic()
        self._bar: Any = None
        self._handlers: list[tuple[logging.StreamHandler[Any], Any]] = []
        self._breakpointhook = sys.breakpointhook

    def __enter__(self) -> Self:
        if self._is_shown and logs.is_terminal(sys.stderr):
            self._show_bar()
        return self

    def __exit__(self, *_: object) -> None:
        self._take_away()

    def _take_away(self) -> None:
        """No bar from here on; lines of the log say how far the run is, as elsewhere."""
        if self._bar is None:
            return
        _on_terminal.remove(self)
        last_acts.remove(_give_back_terminal)
        sys.breakpointhook = self._breakpointhook
        with contextlib.ExitStack() as held:
            for handler, _ in self._handlers:  # a line of another thread would come between the parts of the bar
                handler.acquire()
                held.callback(handler.release)
            self._update()
            self._bar.stop()
            for handler, stream in self._handlers:
                handler.setStream(stream)
        self._bar, self._handlers = None, []

    def _debug(self, *args: Any, **named: Any) -> Any:
        """`breakpoint()` in user code: no prompt can be read that the bar overwrites ten times a second."""
        self._take_away()
        hook = sys.breakpointhook  # what the person has chosen
        if args or named or "PYTHONBREAKPOINT" in os.environ or hook is not sys.__breakpointhook__:
            return hook(*args, **named)
        from pdb import Pdb  # as the hook, but for the frame, which is to be that of user code

        return Pdb().set_trace(sys._getframe(1))  # noqa: SLF001 - as pdb itself

    def let_go(self) -> None:
        """In a process that user code has forked: the bar and its locks belong to the parent."""
        for handler, stream in self._handlers:
            handler.setStream(stream)
        sys.breakpointhook = self._breakpointhook
        sys.stdout, sys.stderr = (getattr(stream, "rich_proxied_file", stream) for stream in (sys.stdout, sys.stderr))
        self._bar, self._is_shown = None, False

    def advance(self) -> None:
        if self._bar is not None:
            self._update()
            return
        now = monotonic()
        if self._is_shown and now - self._last >= INTERVAL:
            self._last = now
            done = self._tally.elements
            total = "" if self._total is None else f" of {self._total}"
            noun = "element" if (self._total or done) == 1 else "elements"
            logger.info("%d%s %s, %d failed, %s a second", done, total, noun, self._tally["failed"], self._rate())

    def _rate(self) -> str:
        seconds = monotonic() - self._start
        rate = self._tally.elements / seconds if seconds > 0 else 0.0
        return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"

    def _update(self) -> None:
        (task,) = self._bar.task_ids
        self._bar.update(task, completed=self._tally.elements, failed=self._tally["failed"], rate=self._rate())

    def _show_bar(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        if not console.is_interactive:  # a dumb terminal gets lines
            return
        # What goes to standard output must not end up on the terminal when it is a file.
        is_redirected = logs.is_terminal(sys.stdout)
        columns = self._columns(console.width)
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=is_redirected)
        self._bar.add_task("", total=self._total, failed=0, rate="0")
        self._bar.start()
        _on_terminal.append(self)
        last_acts.append(_give_back_terminal)
        self._breakpointhook, sys.breakpointhook = sys.breakpointhook, self._debug
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and (stream := handler.setStream(_Above(console))):
                self._handlers.append((handler, stream))

    def _columns(self, width: int) -> Iterator[ProgressColumn]:
        from rich import progress

        if width > _BESIDE_THE_BAR:
            yield progress.BarColumn(min(_WIDEST_BAR, width - _BESIDE_THE_BAR))
        yield progress.MofNCompleteColumn(separator=" of ")
        yield progress.TextColumn("{task.fields[failed]} failed")
        if width >= _FEWEST_COLUMNS:
            yield progress.TextColumn("{task.fields[rate]} a second")
            yield progress.TimeElapsedColumn()
            if self._total is not None:
                yield progress.TimeRemainingColumn()
                yield progress.TextColumn("left")


_on_terminal: list[ProgressDisplay] = []


def _give_back_terminal() -> None:
    """Without the bar, and with its cursor; at once, or not at all where the terminal is being held."""
    terminal = select.poll()
    terminal.register(2, select.POLLOUT)
    with contextlib.suppress(OSError):
        if os.isatty(2) and terminal.poll(0):
            os.write(2, b"\r\x1b[2K\x1b[?25h")


def _let_go_in_child() -> None:
    for shown in tuple(_on_terminal):
        shown.let_go()
    _on_terminal.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


class _Above:
    """A stream whose lines appear above the bar, as they are: not wrapped, so that they can be copied and searched."""

    closed = False

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.out(text, end="", highlight=False)
        return len(text)

    def flush(self) -> None:
        self._console.file.flush()
