"""What SQLite keeps beside a database until a write is finished: a write-ahead log, a rollback journal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from arkworker.storage.cache.refusal import refusal

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_SECONDS = 30.0
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


def copy_with_log(path: str, real: Path, private: Path) -> Path:
    """One file with the pages of the database and of its write-ahead log, all committed transactions of it."""
    private.mkdir()
    copy, whole = private / "copy", private / "whole"
    shutil.copyfile(real, copy)
    shutil.copyfile(beside(real, "-wal"), beside(copy, "-wal"))
    with closing(sqlite3.connect(copy, isolation_level=None)) as source, closing(sqlite3.connect(whole)) as target:
        source.execute("PRAGMA mmap_size=0")
        source.execute("PRAGMA trusted_schema=OFF")
        source.backup(target)
        try:
            _check_log(path, copy)
        except (FileNotFoundError, struct.error):
            # SQLite deleted the log, or made no index of it.
            raise refusal(path, "has a write-ahead log that is none, or not its own") from None
    return whole


def _check_log(path: str, copy: Path) -> None:
    """Refuse a log in which SQLite would leave something out in silence.

    SQLite reads it up to the last commit before the first frame that is damaged. What follows may only be the rest of
    an older log, which the two salts of its frames tell (SQLite write-ahead log format, 4.1).
    """
    with beside(copy, "-shm").open("rb") as index:
        accepted = struct.unpack_from(f"{'<' if sys.byteorder == 'little' else '>'}I", index.read(20), 16)[0]
    with beside(copy, "-wal").open("rb") as log:
        header = log.read(32)
        size = beside(copy, "-wal").stat().st_size - 32
        frame = 24 + struct.unpack_from(">I", header.ljust(32, b"\0"), 8)[0]
        whole, rest = divmod(max(size, 0), frame)
        for number in range(accepted, whole):
            log.seek(32 + number * frame + 8)
            salts = log.read(8)
            if salts[:4] == header[16:20] or salts[4:] == header[20:24]:
                raise refusal(path, "has a write-ahead log that is damaged or ends inside a transaction")
        if (rest and accepted == whole) or len(header) < 32:
            raise refusal(path, "has a write-ahead log that is cut")


def recover(path: str, real: Path) -> None:
    """Let SQLite finish, or undo, what a killed run left of its last write.

    Raises:
        CacheError: The journal is one that would delete other files.
        sqlite3.Error: The file is damaged, or in use.
    """
    if not any(beside(real, suffix).exists() for suffix in ("-journal", "-wal")):
        return
    _check_names_no_other(path, beside(real, "-journal"))
    with closing(sqlite3.connect(real, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _check_names_no_other(path: str, journal: Path) -> None:
    # A journal of several databases ends with the name of a file that SQLite deletes. Ours are of one.
    if not journal.exists() or journal.stat().st_size < 8:
        return
    with journal.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        if file.read() == _JOURNAL_MAGIC:
            raise refusal(path, "has a rollback journal of several databases")


def beside(real: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside a database: `-wal`, `-shm` or `-journal`."""
    return real.with_name(real.name + suffix)
