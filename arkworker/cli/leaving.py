"""The end of a process that a signal stopped: threads and processes of user code must not keep it alive."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any, NoReturn

PATIENCE = 0.5  # seconds for what user code left running, which the interpreter would wait for without end


def leave(code: int) -> NoReturn:
    """End the process, at once if user code has left something running that does not end by itself."""
    end = time.monotonic() + PATIENCE
    for one in _left_running():
        one.join(max(0.0, end - time.monotonic()))
    if _left_running():
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def _left_running() -> list[Any]:
    threads: list[Any] = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing is not None else []
    return threads + [child for child in children if not child.daemon]
