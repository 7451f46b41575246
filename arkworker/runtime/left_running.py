"""Threads and processes that user code left running: the interpreter waits for them at its end, and says nothing."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from arkworker.text import printable

PATIENCE = 0.5  # seconds that they have to end before they are spoken of


def left_running() -> list[Any]:
    """Those that the interpreter would wait for: a `Thread` or a `Process` each."""
    threads: list[Any] = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing is not None else []
    return threads + [child for child in children if not child.daemon]


def wait_for_left_running() -> str:
    """Give them a little time; what to say where some are still running, or nothing."""
    end = time.monotonic() + PATIENCE
    for one in left_running():
        one.join(max(0.0, end - time.monotonic()))
    names = ", ".join(printable(one.name, 60) for one in left_running())
    return f"waiting for what user code left running: {names}; a signal ends it" if names else ""
