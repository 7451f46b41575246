"""The end of a process that a signal stopped: what user code left running must not keep it alive."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any, NoReturn

from arkworker.runtime.stopping import endings

PATIENCE = 0.5  # seconds for threads and processes that the interpreter would wait for without end


def leave(code: int) -> NoReturn:
    """End the process with this exit code, soon; at another signal, at once.

    Not by the interpreter's own end: it gives up the handlers first, and a signal then would change the exit code.
    """
    for number in endings():
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(code))
    end = time.monotonic() + PATIENCE
    for one in _left_running():
        one.join(max(0.0, end - time.monotonic()))
    if not _left_running():
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter would do next
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _left_running() -> list[Any]:
    threads: list[Any] = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing is not None else []
    return threads + [child for child in children if not child.daemon]
