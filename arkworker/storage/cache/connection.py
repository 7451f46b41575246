"""Connections of `sqlite3` itself to files that somebody else wrote, with every precaution that SQLite offers."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from arkworker.storage.cache.files import uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from arkworker.storage.cache.limits import Limits

_BUSY_SECONDS = 30.0
# Whatever the header of the file asks for: little for what goes from page to page, more for what jumps between them.
_CACHE_KILOBYTES = 500
_BUILDING_KILOBYTES = 2000
_JUMPING_KILOBYTES = 2500
_STEPS_BETWEEN_LOOKS = 50_000
# From "Defense against the dark arts" of SQLite's own documentation.
_PRECAUTIONS = ("PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON", "PRAGMA mmap_size=0")
# The constraints of a file are functions that somebody else chose: they are never computed.
_READ_ONLY = ("PRAGMA query_only=ON", "PRAGMA ignore_check_constraints=ON")
_UNSAFE = ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF")


@contextlib.contextmanager
def reading(
    path: Path, limits: Limits, *, is_shared: bool = False, jumps: bool = False
) -> Iterator[sqlite3.Connection]:
    """Open a file to read it. One that is not shared is read without locks, and nothing is written beside it."""
    cache = _JUMPING_KILOBYTES if jumps else _CACHE_KILOBYTES
    connection = _connect(uri(path, "mode=ro" if is_shared else "mode=ro&immutable=1"), limits)
    try:
        for statement in (*_PRECAUTIONS, *_READ_ONLY, f"PRAGMA cache_size=-{cache}"):
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def building(path: Path, limits: Limits) -> Iterator[sqlite3.Connection]:
    """Open the private file of a merge: without a journal, as a failure throws it away."""
    connection = _connect(uri(path, "mode=rwc"), limits)
    try:
        for statement in (*_PRECAUTIONS, *_UNSAFE, f"PRAGMA cache_size=-{_BUILDING_KILOBYTES}"):
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def _connect(address: str, limits: Limits) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, timeout=_BUSY_SECONDS, uri=True, isolation_level=None, check_same_thread=False
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_value_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, min(limits.max_value_bytes, 2**20))
    connection.set_progress_handler(limits.deadline.stops, _STEPS_BETWEEN_LOOKS)
    return connection
