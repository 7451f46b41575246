"""Which elements are in hand, on disk: what a run that was killed had begun is ended by the next run of its task.

A file of slots of a fixed size, written in place: what the process had noted when it was killed is there afterwards.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import itertools
import logging
import os
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arkworker.storage import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("arkworker.elements")

SLOT = 128  # bytes: a stage, and an id, which is shorter
SLOTS = 512
SIZE = SLOT * (SLOTS + 1)  # the first holds the owner
PATTERN = ".arkworker-elements-*.journal"
_LOST = "lost answers"


class Stage(enum.IntEnum):
    """How far an element is."""

    NONE = 0
    HELD = 1  # claimed or started, and not in user code yet
    WORKING = 2  # in user code, or its results are being published
    PROCESSED = 3  # that is still to be reported
    ERROR = 4  # the same
    STARTING = 5  # its start is being reported
    CLAIMING = 6  # no element yet: a claim is under way
    LOST = 7  # no element either: how many claims have lost their answer


@dataclass
class Left:
    """What a killed run left behind.

    Attributes:
        stages: How far its elements were, by their ids.
        uncertain: How many claims it had lost the answer of, and how many were under way.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    uncertain: int = 0

    def add(self, name: str, stage: Stage) -> None:
        """Read a note."""
        if stage is Stage.CLAIMING:
            self.uncertain += 1
        elif stage is Stage.LOST:
            self.uncertain += int(name.removeprefix(_LOST))
        else:
            self.stages[name] = stage


class InHand:
    """Notes of one process; from any thread. Without a place on disk they are kept in memory only.

    Args:
        path: The file, which is made; None for none.
        owner: The run that its notes make sense to.
    """

    def __init__(self, path: Path | None, owner: str) -> None:
        self._lock = threading.Lock()
        self._slots: dict[str, int] = {}
        self._free = list(range(SLOTS, 0, -1))
        self._claims = itertools.count(1)
        self._lost = 0
        self._path: Path | None = None
        self._descriptor = self._inode = -1
        if path is not None:
            try:
                self._open(path, owner)
            except (OSError, ValueError) as error:
                logger.warning("%s: no journal can be kept there: %s", path.parent, error)

    def __contains__(self, element_id: str) -> bool:
        """Whether an element has begun, and not ended."""
        return element_id in self._slots

    @property
    def is_kept(self) -> bool:
        """Whether the notes are on disk."""
        return self._path is not None

    def note(self, element_id: str, stage: Stage) -> None:
        """An element has come that far."""
        with self._lock:
            self._write(element_id, stage, element_id)

    def forget(self, element_id: str) -> None:
        """An element has ended, and Arkindex knows."""
        with self._lock:
            if slot := self._slots.pop(element_id, 0):
                self._put(slot, bytes([Stage.NONE]))
                self._free.append(slot)

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        """While a claim is under way: if the process is killed then, it is unknown whether an element was started."""
        name = f"claim {next(self._claims)}"
        self.note(name, Stage.CLAIMING)
        try:
            yield
        finally:
            self.forget(name)

    def note_lost(self, number: int) -> None:
        """Claims have lost their answer; the summary of this run, or else the next run, tells."""
        with self._lock:
            self._lost += number
            self._write(_LOST, Stage.LOST, f"{_LOST}{self._lost}")

    def close(self) -> None:
        """Remove the file, unless it names elements whose end could not be reported."""
        self.forget(_LOST)
        with self._lock:
            if self._path is None:
                return
            # Its directory may have become read-only, and user code may have closed every file.
            with contextlib.suppress(OSError):
                if not self._slots:
                    self._path.unlink(missing_ok=True)
            self._path = None
            with contextlib.suppress(OSError):
                os.close(self._descriptor)

    def _write(self, key: str, stage: Stage, text: str) -> None:
        content = text.encode()
        if len(content) >= SLOT - 1:
            return
        slot = self._slots.get(key) or (self._free.pop() if self._free else 0)
        if slot:
            self._slots[key] = slot
            self._put(slot, bytes([stage]) + content.ljust(SLOT - 1, b"\0"))

    def _put(self, slot: int, content: bytes) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):  # the file has its size already: hardly possible, and no reason to stop
                # User code may have closed every file, and opened others under the same numbers.
                if os.fstat(self._descriptor).st_ino == self._inode:
                    os.pwrite(self._descriptor, content, slot * SLOT)

    def _open(self, path: Path, owner: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            locked = exclusive.lock(descriptor)
            # Written, not only made long: a full disk is noticed here, not at a note.
            _fill(descriptor, owner.encode()[:SLOT].ljust(SIZE, b"\0"))
        except BaseException:
            os.close(descriptor)
            path.unlink()
            raise
        if not locked:  # it could not be found out later whether its process lives
            os.close(descriptor)
            path.unlink()
            raise OSError(errno.ENOLCK, "files cannot be locked there")
        self._path, self._descriptor, self._inode = path, descriptor, os.fstat(descriptor).st_ino


def _fill(descriptor: int, content: bytes) -> None:
    """Write it at once; a disk that has room for a part only says nothing."""
    if os.pwrite(descriptor, content, 0) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def new_path(folder: Path) -> Path:
    """A file for the notes of one process, that no other has."""
    return folder / PATTERN.replace("*", secrets.token_hex(8))


def recover(folder: Path, owner: str, in_hand: InHand) -> Left:
    """What ended runs of the same owner had in hand; it is noted anew, and their files are removed."""
    found = Left()
    for path in sorted(folder.glob(PATTERN)):
        with contextlib.suppress(OSError, ValueError):
            left = read(path, owner)
            for element_id, stage in left.stages.items():
                in_hand.note(element_id, stage)
            if left.uncertain:
                in_hand.note_lost(left.uncertain)
            found.stages |= left.stages
            found.uncertain += left.uncertain
            path.unlink()
    return found


def read(path: Path, owner: str, *, is_over: bool = False) -> Left:
    """What an ended process had in hand.

    Args:
        path: The file.
        owner: The run that its notes make sense to.
        is_over: Whether the process is known to have ended; else the file is asked, which says so only once those that
            user code has forked have ended, too.

    Raises:
        OSError: It lives, or there is no file.
        ValueError: It is damaged.
    """
    left = Left()
    with os.fdopen(exclusive.open_regular(path, os.O_RDWR | os.O_NOFOLLOW), "rb") as file:
        if not is_over and not exclusive.lock(file):
            raise BlockingIOError(errno.EAGAIN, "its process is still running")
        content = file.read(SIZE)
    if len(content) != SIZE or content[:SLOT] != owner.encode()[:SLOT].ljust(SLOT, b"\0"):
        return left
    for start in range(SLOT, SIZE, SLOT):
        if stage := content[start]:
            left.add(content[start + 1 : start + SLOT].rstrip(b"\0").decode(), Stage(stage))
    return left
