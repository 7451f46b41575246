"""Which elements are in hand, on disk: what a run that was killed had begun is ended by the next run of its task.

A file of slots, mapped into memory: a note costs no system call, and outlives the process.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import logging
import mmap
import os
import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("arkworker.elements")

SLOT = 128  # bytes: a stage, and an id, which is shorter
SLOTS = 256
SIZE = SLOT * (SLOTS + 1)  # the first holds the owner
PATTERN = ".arkworker-elements-*.journal"


class Stage(enum.IntEnum):
    """How far an element is."""

    NONE = 0
    HELD = 1  # claimed or started, and not in user code yet
    WORKING = 2  # in user code, or its results are being published
    PROCESSED = 3  # that is still to be reported
    ERROR = 4  # the same


class Journal:
    """Notes of one process; from any thread. Without a place on disk it does nothing.

    Args:
        folder: Where the file lies: the task's own directory.
        owner: The run that its notes make sense to.
    """

    def __init__(self, folder: Path | None, owner: str) -> None:
        self._lock = threading.Lock()
        self._slots: dict[str, int] = {}
        self._free = list(range(SLOTS, 0, -1))
        self._path: Path | None = None
        self._descriptor = -1
        self._memory: mmap.mmap | None = None
        if folder is not None:
            try:
                self._open(folder / PATTERN.replace("*", secrets.token_hex(8)), owner)
            except (OSError, ValueError) as error:
                logger.warning("%s: no journal can be kept there: %s", folder, error)

    def note(self, element_id: str, stage: Stage) -> None:
        """An element has come that far."""
        content = element_id.encode()
        if self._memory is None or len(content) >= SLOT - 1:
            return
        with self._lock:
            slot = self._slots.get(element_id) or (self._free.pop() if self._free else 0)
            if slot:
                self._slots[element_id] = slot
                self._memory[slot * SLOT : (slot + 1) * SLOT] = bytes([stage]) + content.ljust(SLOT - 1, b"\0")

    def forget(self, element_id: str) -> None:
        """An element has ended, and Arkindex knows."""
        with self._lock:
            slot = self._slots.pop(element_id, 0)
            if slot and self._memory is not None:
                self._memory[slot * SLOT] = Stage.NONE
                self._free.append(slot)

    def close(self) -> None:
        """Remove the file, unless it names elements whose end could not be reported."""
        with self._lock:
            if self._memory is None or self._path is None:
                return
            if not self._slots:
                self._path.unlink(missing_ok=True)
            self._memory.close()
            self._memory = None
            os.close(self._descriptor)

    def _open(self, path: Path, owner: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Written, not only made long: a full disk is noticed here, not at a note.
            os.pwrite(descriptor, owner.encode()[:SLOT].ljust(SIZE, b"\0"), 0)
            self._memory = mmap.mmap(descriptor, SIZE)
        except BaseException:
            os.close(descriptor)
            raise
        self._path, self._descriptor = path, descriptor


def recover(folder: Path, owner: str, journal: Journal) -> dict[str, Stage]:
    """What runs of the same owner that are no more had in hand; it is noted anew, and their files are removed."""
    found: dict[str, Stage] = {}
    for path in sorted(folder.glob(PATTERN)):
        with contextlib.suppress(OSError, ValueError):
            left = _read(path, owner)
            for element_id, stage in left.items():
                journal.note(element_id, stage)
            path.unlink()
            found |= left
    return found


def _read(path: Path, owner: str) -> dict[str, Stage]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its process lives
        content = file.read(SIZE)
    if len(content) != SIZE or content[:SLOT] != owner.encode()[:SLOT].ljust(SLOT, b"\0"):
        return {}
    slots = (content[start : start + SLOT] for start in range(SLOT, SIZE, SLOT))
    return {slot[1:].rstrip(b"\0").decode(): Stage(slot[0]) for slot in slots if slot[0]}
