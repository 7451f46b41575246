"""Parents as files: what may be opened at all, and how SQLite gets at it without writing a byte beside it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from arkworker.storage.cache.header import check_header
from arkworker.storage.cache.log import beside, copy_with_log, recover
from arkworker.storage.cache.refusal import refusal, refusing

if TYPE_CHECKING:
    from os import PathLike

    from arkworker.storage.cache.limits import Limits

_Marks = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class ParentFile:
    """A parent that may be opened.

    Attributes:
        path: As it was given, for messages.
        readable: What to open: the file itself or, when it has a write-ahead log, a private copy that includes it.
        size: Of the readable file, in bytes.
        is_ordinary: Whether its header is one that a copy may keep.
        marks: What tells whether the file or its log changed meanwhile.
        is_shared: Whether others may write to it, so that it is read under SQLite's locks.
    """

    path: str
    readable: Path
    size: int
    is_ordinary: bool
    marks: _Marks = ()
    is_shared: bool = False

    def check_unchanged(self) -> None:
        """Raises: CacheError: Somebody wrote to the parent while it was read."""
        with refusing(self.path):
            if _marks(Path(os.path.realpath(self.path))) != self.marks:
                raise refusal(self.path, "was written to while it was read; merge once its task has ended")


def admit(parent: str | PathLike[str], private: Path, limits: Limits) -> ParentFile:
    """Accept a file as something that SQLite may open.

    Args:
        parent: The path; a symbolic link is followed.
        private: Where to write the copy of a parent with a write-ahead log.
        limits: Its `max_bytes` counts.

    Raises:
        CacheError: It is absent, no regular file, empty, too large, no SQLite database, or in the middle of a write.
    """
    path = os.fsdecode(parent)
    with refusing(path):
        if "\0" in path:
            raise refusal(path, "is no path: it has a NUL character")
        real = Path(os.path.realpath(path))
        marks = _marks(real)
        check_regular(path, real)
        if sum(mark[1] for mark in marks if mark) > limits.max_bytes:
            raise refusal(path, f"is larger than the limit of {limits.max_bytes} bytes")
        _check_journal(path, real)
        readable = copy_with_log(path, real, private) if _size(beside(real, "-wal")) else real
        return ParentFile(path, readable, readable.stat().st_size, check_header(path, readable), marks)


def check_regular(path: str, real: Path) -> None:
    """Raises: CacheError: The path does not lead to a regular file that holds something; FileNotFoundError: to none."""
    status = real.stat()
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    if not stat.S_ISREG(status.st_mode):
        raise refusal(path, f"is {kinds.get(stat.S_IFMT(status.st_mode), 'a device')}, not a file")
    if not status.st_size:
        raise refusal(path, "is empty")


def admit_own(path: str, real: Path) -> ParentFile:
    """Accept the cache of the task itself; what a killed run left of a write is finished by SQLite.

    Raises:
        CacheError: It is absent, no regular file, empty, or no SQLite database.
    """
    with refusing(path):
        check_regular(path, real)
        check_header(path, real)
        recover(path, real)
        return ParentFile(path, real, real.stat().st_size, is_ordinary=check_header(path, real), is_shared=True)


def uri(path: Path, options: str) -> str:
    """The path as SQLite's URI, in which every character of it is plain."""
    return f"file://{quote(os.fsencode(path))}?{options}"


def _check_journal(path: str, real: Path) -> None:
    # A rollback journal holds what a killed writer overwrote. SQLite would play it back into the parent, and may
    # delete files that a forged one names.
    journal = beside(real, "-journal")
    if _size(journal):
        with journal.open("rb") as file:
            if any(file.read(28)):
                raise refusal(path, "has a rollback journal: its last writer was interrupted; run its task again")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _marks(real: Path) -> _Marks:
    return tuple(_mark(path) for path in (real, beside(real, "-wal"), beside(real, "-journal")))


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
