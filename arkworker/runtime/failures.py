"""What user code raised, as its author sees it: in one line, with the place in code that is not ours; and grouped."""

from __future__ import annotations

import logging
import os
import re
import sysconfig
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError
from arkworker.runtime import log_lines
from arkworker.runtime.stopping import Interruption
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from types import FrameType, TracebackType


logger = logging.getLogger("arkworker")
_of_elements = logging.getLogger("arkworker.elements")

MOST_GROUPS = 100  # kept; what goes beyond is counted together
MOST_SHAPES = 5  # of messages from one place; what goes beyond differs in no way that helps
MOST_SHOWN = 10
MOST_NAMED = 10  # elements of a group
LONGEST_TRACE = 4000  # characters, the last ones

_OURS = frozenset({"arkworker", "importlib", "_frozen_importlib", "_frozen_importlib_external"})
# Ids and other words with digits in them, numbers, and what is in quotes, where it is not an apostrophe.
_DETAILS = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)|[\w-]*\d[\w.-]*""")


class WorkerFailedError(ArkworkerError):
    """User code raised; its traceback is in the log, or `trace`, where another process is to log it."""

    trace: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> WorkerFailedError:
        """That user code raised an error, without the message of that, which may hold anything."""
        return cls(f"the worker failed: {named(error)}")


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
            logger.error("The worker failed", exc_info=shown_of(error))  # noqa: TRY400 - the same, for any exception
        else:
            failure.trace = "".join(traceback.format_exception(*shown_of(error)))
        raise failure from error


def named(error: BaseException) -> str:
    """The type of an error and its place, without its message, which may hold anything."""
    place = place_of(error)
    return type(error).__name__ + (f" at {place[0]}:{place[1]}" if place else "")


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

    Those of Python and of installed packages count only where there is nothing else, as where the worker is installed;
    and of these, those of pydantic, which makes the classes of models.
    """
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if not is_ours(frame)]
    others = [(frame, line) for frame, line in frames if not _root_of(frame).startswith("pydantic")]
    own = [(frame, line) for frame, line in others if not _is_installed(frame)]
    places = [(frame.f_code.co_filename, line) for frame, line in own or others or frames]
    return places[-1] if places else None


def _is_installed(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_installed_folders())


@cache
def _installed_folders() -> tuple[str, ...]:
    """Where Python and packages are; to ask takes long for each frame of each failure."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(f"{folder}{os.sep}" for folder in folders)


def trace_of(error: BaseException) -> TracebackType | None:
    """The traceback without the frames of ours that lead to user code; all of it where there is no user code in it."""
    trace = error.__traceback__
    while trace is not None and is_ours(trace.tb_frame):
        trace = trace.tb_next
    return trace or error.__traceback__


def shown_of(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """What a log shows of an error of user code."""
    return type(error), error, trace_of(error)


def _is_of_ours_alone(error: BaseException) -> bool:
    """Whether arkworker has refused something, and not because a line of user code asked for it there."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return isinstance(error, ArkworkerError) and all(map(is_ours, frames))


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is one of arkworker, or of what Python does to import a module."""
    return _root_of(frame) in _OURS


def _root_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@dataclass(slots=True)
class Group:
    """Errors of one kind, raised at one place.

    Attributes:
        text: The first of them, in one line.
        count: How many there are.
        elements: The first ones that they concern.
        trace: Where the first was raised, as Python shows it; empty where that does not concern the worker's author.
    """

    text: str
    count: int = 0
    elements: list[str] = field(default_factory=list)
    trace: str = ""

    def add(self, element_id: str) -> None:
        self.count += 1
        if len(self.elements) < MOST_NAMED:
            self.elements.append(printable(element_id, 60))

    def __str__(self) -> str:
        times = "once" if self.count == 1 else f"{self.count} times"
        more = self.count - len(self.elements)
        return f"failed {times}: {self.text} ({', '.join(self.elements)}{f' and {more} more' if more else ''})"


class Failures:
    """Logs failures as they come, and groups them for the end. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Hashable, Group] = {}
        self._shapes: dict[Hashable, set[str]] = {}  # of the messages of a type of error from one place

    def add(self, element_id: str, error: BaseException, *, traced: bool) -> None:
        """An element failed.

        Args:
            element_id: Its id.
            error: Why.
            traced: Whether the author of the worker wants to see where: not for what Arkindex answered.
        """
        message, text = message_of(error), described(error)
        place, shape = (type(error), place_of(error)), _shape_of(message)
        with self._lock:
            shapes = self._shapes.setdefault(place, set()) if len(self._shapes) < MOST_GROUPS else set()
            if len(shapes) < MOST_SHAPES:
                shapes.add(shape)
            kind = place, shape if shape in shapes else None
        is_new = self.note(element_id, kind, text)
        is_shown = traced and is_new and not _is_of_ours_alone(error)
        shown = shown_of(error) if is_shown else None
        if shown is not None:
            self.illustrate(kind, "".join(traceback.format_exception(*shown)))
        with log_lines.about(element_id):
            _of_elements.error("element %s failed: %s", printable(element_id, 60), text, exc_info=shown)

    def add_reason(self, element_id: str, reason: str) -> None:
        """An element failed for a reason that is not an exception."""
        self.note(element_id, reason, reason)
        with log_lines.about(element_id):
            _of_elements.warning("element %s ends in error: %s", printable(element_id, 60), reason)

    def illustrate(self, kind: Hashable, trace: str) -> None:
        """Keep an example of failures of a kind: the traceback of the first."""
        with self._lock:
            if (group := self._groups.get(kind)) is not None:
                group.trace = group.trace or trace[-LONGEST_TRACE:]

    @property
    def groups(self) -> list[Group]:
        """All failures, grouped, the most frequent first."""
        with self._lock:
            return sorted(self._groups.values(), key=lambda group: -group.count)

    def report(self) -> None:
        """Log all failures, grouped, the most frequent first."""
        groups = self.groups
        for group in groups[:MOST_SHOWN]:
            _of_elements.error("%s", group)
        if len(groups) > MOST_SHOWN:
            rest = sum(group.count for group in groups[MOST_SHOWN:])
            _of_elements.error("failed %d more times, in %d other ways", rest, len(groups) - MOST_SHOWN)

    def note(self, element_id: str, kind: Hashable, text: str) -> bool:
        """Count a failure among those of its kind; whether it is the first."""
        with self._lock:
            is_new = kind not in self._groups
            if is_new and len(self._groups) >= MOST_GROUPS:
                kind, text, is_new = None, "other errors", False
            self._groups.setdefault(kind, Group(text)).add(element_id)
        return is_new


def _shape_of(message: str) -> str:
    """Equal for messages that differ by a name in quotes, an id or a number only."""
    return _DETAILS.sub("#", message[:300])
