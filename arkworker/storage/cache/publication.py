"""The private directory of a merge, and the one step that makes its result the cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.storage.cache.log import beside, recover
from arkworker.storage.cache.refusal import refusal, refusing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

_PREFIX = ".arkworker-merge-"


def find_target(output: str | PathLike[str]) -> Path:
    """The file to replace; a symbolic link stays and leads to the result.

    Raises:
        CacheError: Something that is no file is there, or there is no directory for it.
    """
    path = os.fsdecode(output)
    with refusing(path):
        if not path or "\0" in path:
            raise refusal(path, "is no path of a file")
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise refusal(path, "is no file that could be replaced")
        if not target.parent.is_dir():
            raise refusal(path, "its directory does not exist")
    return target


@contextlib.contextmanager
def scratch_directory(target: Path) -> Iterator[Path]:
    """A directory beside the target, removed at the end; those of killed merges are removed first."""
    with refusing(target):
        for stale in target.parent.glob(f"{_PREFIX}*"):
            _remove_stale(stale)
        scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=target.parent))
    try:
        with contextlib.closing(_lock(scratch)):
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def publish(built: Path, target: Path) -> None:
    """Put the result in place of the target, whole and on the disk.

    Raises:
        CacheError: The target is in use, or the disk refuses.
    """
    with refusing(target):
        _settle(target)
        _sync(built)
        built.replace(target)
        _sync(target.parent)


def _lock(scratch: Path) -> sqlite3.Connection:
    # SQLite's lock: it ends with its process, however that ends, and works on every system.
    connection = sqlite3.connect(scratch / "lock", timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _remove_stale(scratch: Path) -> None:
    with contextlib.suppress(sqlite3.Error):
        _lock(scratch).close()
        shutil.rmtree(scratch, ignore_errors=True)


def _settle(target: Path) -> None:
    """Leave no journal of the file that is replaced: SQLite would play it back into the new one."""
    journals = [beside(target, suffix) for suffix in ("-journal", "-wal", "-shm")]
    if not any(journal.exists() for journal in journals):
        return
    if target.exists():
        try:
            recover(str(target), target)
        except sqlite3.DatabaseError as error:
            # Anything but a lock: the old file is damaged, and there is nothing in it to keep.
            if error.sqlite_errorcode & 255 in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
    for journal in journals:
        journal.unlink(missing_ok=True)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
