"""What user code raised, as its author sees it: in one line, with the place in code that is not ours."""

from __future__ import annotations

import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError
from arkworker.runtime.stopping import Interruption
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType


logger = logging.getLogger("arkworker")

_OURS = frozenset({"arkworker", "importlib", "_frozen_importlib", "_frozen_importlib_external"})


class WorkerFailedError(ArkworkerError):
    """User code raised; its traceback is in the log, or `trace`, where another process is to log it."""

    trace: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> WorkerFailedError:
        """That user code raised an error, without the message of that, which may hold anything."""
        place = place_of(error)
        return cls(f"the worker failed: {type(error).__name__}" + (f" at {place[0]}:{place[1]}" if place else ""))


@contextmanager
def failures_of_worker(*, is_logged: bool) -> Iterator[None]:
    """What user code raises in the block ends the run.

    Args:
        is_logged: Whether its traceback is logged here; else it goes with the error.

    Raises:
        WorkerFailedError: User code raised something of its own.
    """
    try:
        yield
    except (ArkworkerError, Interruption):
        raise
    except BaseException as error:
        # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
        failure = WorkerFailedError.of(error)
        if is_logged:
            logger.error("The worker failed", exc_info=(type(error), error, trace_of(error)))  # noqa: TRY400 - the same, for any exception
        else:
            failure.trace = "".join(traceback.format_exception(type(error), error, trace_of(error)))
        raise failure from error


def described(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {printable(message_of(error), 300)}".rstrip(": ")


def message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - of a class of user code: whatever it raises must not end the run
        return "its message could not be read"


def place_of(error: BaseException) -> tuple[str, int | None] | None:
    """The last file and line outside of ours that an error came through; None for one that came through no other.

    Those of pydantic, which makes the classes of models, count only where there is nothing else.
    """
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if not is_ours(frame)]
    others = [(frame, line) for frame, line in frames if not _root_of(frame).startswith("pydantic")]
    places = [(frame.f_code.co_filename, line) for frame, line in others or frames]
    return places[-1] if places else None


def trace_of(error: BaseException) -> TracebackType | None:
    """The traceback without the frames of ours that lead to user code; all of it where there is no user code in it."""
    trace = error.__traceback__
    while trace is not None and is_ours(trace.tb_frame):
        trace = trace.tb_next
    return trace or error.__traceback__


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is one of arkworker, or of what Python does to import a module."""
    return _root_of(frame) in _OURS


def _root_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
