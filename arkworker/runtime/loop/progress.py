"""How far the run is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import logging
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from arkworker.runtime import logs

if TYPE_CHECKING:
    from arkworker.runtime.loop.outcome import Tally

logger = logging.getLogger("arkworker.elements")

INTERVAL = 15.0  # seconds between two lines


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

    def __enter__(self) -> Self:
        if self._is_shown and logs.is_on_terminal():
            self._show_bar()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            for handler, stream in self._handlers:
                handler.setStream(stream)

    def advance(self) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._tally.elements, failed=self._tally["failed"])
            return
        now = monotonic()
        if self._is_shown and now - self._last >= INTERVAL:
            self._last = now
            logger.info("%s", self._line(now))

    def _line(self, now: float) -> str:
        done = self._tally.elements
        total = "" if self._total is None else f" of {self._total}"
        return f"{done}{total} elements, {self._tally['failed']} failed, {done / (now - self._start):.2g} a second"

    def _show_bar(self) -> None:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[failed]} failed"),
            progress.TimeElapsedColumn(),
        )
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task("", total=self._total, failed=0)
        self._bar.start()
        # The bar puts a stand-in there, which writes above it.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and (stream := handler.setStream(sys.stderr)):
                self._handlers.append((handler, stream))
