"""What a command line changes in its process, given back where that goes on; and the end of one that a signal stopped.

It goes on in a test, a notebook or a program. What user code left running may come to its end, and is named where it
takes long; after a signal, it must not keep the process alive.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import resource
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from arkworker.runtime.left_running import left_running, wait_for_left_running
from arkworker.runtime.stopping import endings

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMITS = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)


def is_debugging() -> bool:
    """Whether the environment asks for debug logs, as `-v` does."""
    from arkworker.settings.platform import OFF

    return os.environ.get("ARKINDEX_DEBUG", "").strip().lower() not in OFF


def set_up(*, verbose: bool, log_format: str | None) -> None:
    """Log as the flags say, before the settings are resolved: that may have something to say. Write no core files."""
    from arkworker.cli import terminal
    from arkworker.runtime import logs

    logs.configure(
        verbose=verbose or is_debugging(),
        style="json" if log_format == "json" else "text",
        is_colourful=terminal.is_colourful(sys.stderr),
        is_terminal=sys.stderr.isatty(),
    )
    # A core file would hold every secret of the process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


@contextmanager
def given_back(*, is_own: bool) -> Iterator[None]:
    """Put back, after the block, logging, limits and how the standard streams treat what they cannot encode.

    So is how often the garbage collector runs, which opening a cache changes.

    Args:
        is_own: Whether the process ends with the command line. Then these stay, for what is said at its very end.
    """
    limits = [(limit, resource.getrlimit(limit)) for limit in _LIMITS]
    thresholds = gc.get_threshold()
    streams = [(one, one.errors) for one in (sys.stdout, sys.stderr) if isinstance(one, io.TextIOWrapper)]
    try:
        yield
    finally:
        if "arkworker.runtime.logs" in sys.modules:
            sys.modules["arkworker.runtime.logs"].release(is_last=is_own)
        if not is_own:
            gc.set_threshold(*thresholds)
        for limit, before in () if is_own else limits:
            with contextlib.suppress(ValueError, OSError):  # user code has lowered the hard one
                resource.setrlimit(limit, before)
        for stream, errors in () if is_own else streams:
            with contextlib.suppress(ValueError, OSError):  # user code has closed it
                stream.reconfigure(errors=errors)


def leave(code: int) -> NoReturn:
    """End the process with this exit code, soon; at another signal, at once.

    Not by the interpreter's own end: it gives up the handlers first, and a signal then would change the exit code.
    """
    _end_at_signals(code)
    if not wait_for_left_running():
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter would do next
    _flush()
    os._exit(code)


def wait_for_user_code(code: int) -> None:
    """Say what the interpreter is going to wait for, where that takes long; a signal ends it, with this exit code."""
    if not left_running():
        return
    _end_at_signals(code)
    _flush()
    if told := wait_for_left_running():
        from arkworker.cli import terminal

        terminal.write_error(f"arkworker: {told}\n")


def _end_at_signals(code: int) -> None:
    for number in endings():
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(code))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
