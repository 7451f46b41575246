"""What a command line changes in its process: given back where that goes on, as in a test, a notebook or a program."""

from __future__ import annotations

import contextlib
import gc
import io
import resource
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMITS = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)


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
