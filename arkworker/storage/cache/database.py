"""A cache as an SQLite file: which may be opened, how SQLite reads it, what is reported of one that is refused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from arkworker.errors import CacheError
from arkworker.storage.exclusive import open_regular
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from os import PathLike

MAX_BYTES = 16 * 2**30
MAX_VALUE_BYTES = 16 * 2**20
MAX_SECONDS = 900.0

_MAGIC = b"SQLite format 3\0"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_BUSY_SECONDS = 30.0
_READING_KILOBYTES = 2000
_BUILDING_KILOBYTES = 16000  # ids are random, and each goes to another page of their index
_STEPS_BETWEEN_LOOKS = 50_000
_THOROUGH_BYTES = 10 * 2**20
_PIECE = 2**18  # bytes that are copied between two looks; what fits the caches is faster
# From "Defense against the dark arts" of SQLite's own documentation.
PRECAUTIONS = ("PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON", "PRAGMA mmap_size=0")
# The constraints of a file are functions that a stranger may have chosen: they are never computed.
_READ_ONLY = ("PRAGMA query_only=ON", "PRAGMA ignore_check_constraints=ON")
_UNSAFE = ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF")
_WRITE_ERRORS = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE}

_Marks = tuple[tuple[int, int, int] | None, ...]


class Limits:
    """The limits of a merge or a check, and the means to end it.

    Args:
        max_bytes: The size of one parent, its write-ahead log included.
        max_value_bytes: The size of one value of a parent.
        max_seconds: The time of all of it.
    """

    def __init__(
        self, max_bytes: int = MAX_BYTES, max_value_bytes: int = MAX_VALUE_BYTES, max_seconds: float = MAX_SECONDS
    ) -> None:
        self.max_bytes = max_bytes
        self.max_value_bytes = max_value_bytes
        self.interruption: BaseException | None = None
        self._max_seconds = max_seconds
        self._end = time.monotonic() + max_seconds
        self._is_cancelled = False
        self._connections: list[sqlite3.Connection] = []

    def cancel(self) -> None:
        """End what is under way, at once; from any thread."""
        self._is_cancelled = True
        for connection in [*self._connections]:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed by now
                connection.interrupt()

    def look(self) -> None:
        """Raises: CacheError: The time is up, or it was cancelled."""
        if reason := self.reason:
            raise refusal("the caches", reason)

    @property
    def reason(self) -> str:
        """Why it is to end; empty while it may go on."""
        if self._is_cancelled:
            return "stopped by a signal before it was done"
        return f"not done within the limit of {self._max_seconds:g} s" if time.monotonic() >= self._end else ""

    @contextlib.contextmanager
    def guarding(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        """Hold a connection to the limits, and close it in the end."""
        self._connections.append(connection)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.max_value_bytes)
            connection.set_progress_handler(self._stops, _STEPS_BETWEEN_LOOKS)
            yield connection
        finally:
            self._connections.remove(connection)
            connection.close()

    def _stops(self) -> bool:
        try:
            return bool(self.reason)
        except BaseException as error:  # noqa: BLE001 - SQLite would lose the exception of a signal: it is kept
            self.interruption = error
            return True


class UnfitError(Exception):
    """A file cannot be used as a cache; the message says why, and `refusing` which file it is."""


def refusal(path: str | PathLike[str], reason: str) -> CacheError:
    """The error for a cache that cannot be used: one line, whatever the file and its name hold."""
    return CacheError(printable(os.fspath(path), limit=4096), printable(reason, limit=300))


@contextlib.contextmanager
def refusing(
    path: str | PathLike[str], limits: Limits | None = None, *, output: str | PathLike[str] | None = None
) -> Iterator[None]:
    """Turn what we, SQLite and the system say about a file into a refusal of it.

    Args:
        path: The file that is read.
        limits: What may have ended a statement.
        output: The file that is written meanwhile, if any: a full disk is a matter of this one.

    Raises:
        CacheError: Naming the file.
    """
    try:
        yield
    except UnfitError as error:
        raise refusal(path, str(error)) from None
    except sqlite3.Error as error:
        if limits is not None and limits.interruption is not None:
            raise limits.interruption from error
        if limits is not None and limits.reason:
            raise refusal(path, limits.reason) from error
        guilty = output if output is not None and _is_about_writing(error) else path
        raise refusal(guilty, str(error)) from error
    except UnicodeDecodeError as error:
        # From a message of SQLite itself, which quotes the file.
        raise refusal(path, "is damaged: its names are not text in UTF-8") from error
    except OSError as error:
        raise refusal(path, error.strerror or str(error)) from error
    except MemoryError as error:
        raise refusal(path, "needs more memory than there is") from error


def _is_about_writing(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 255 == sqlite3.SQLITE_FULL or code in _WRITE_ERRORS


@dataclass(frozen=True, slots=True)
class ParentFile:
    """A parent that may be opened.

    Attributes:
        path: As it was given, for messages.
        readable: What to open: the file itself or, when it has a write-ahead log, a private copy that includes it.
        marks: What tells whether the file or its log changed meanwhile.
    """

    path: str
    readable: Path
    marks: _Marks

    def check_unchanged(self) -> None:
        """Raises: CacheError: The parent was written to while it was read."""
        with refusing(self.path):
            if _marks(Path(os.path.realpath(self.path))) != self.marks:
                raise UnfitError("was written to while it was read; merge once its task has ended")


def admit(parent: str | PathLike[str], private: Path, limits: Limits) -> ParentFile:
    """Accept a file as something that SQLite may open; nothing is written beside it.

    Args:
        parent: The path; a symbolic link is followed.
        private: Where to write the copy of a parent with a write-ahead log.
        limits: Its `max_bytes` counts.

    Raises:
        CacheError: It is absent, not a regular file, too large, not a SQLite database, or in the middle of a write.
    """
    path = os.fsdecode(parent)
    with refusing(path, limits):
        if "\0" in path:
            raise UnfitError("is not a path: it has a NUL character")
        real = Path(os.path.realpath(path))
        check_file(real)
        marks = _marks(real)
        if sum(mark[1] for mark in marks if mark) > limits.max_bytes:
            raise UnfitError(f"is larger than the limit of {limits.max_bytes} bytes")
        _check_journal(real)
        has_log = marks[1] is not None and marks[1][1]
        return ParentFile(path, _copy_with_log(real, private, limits) if has_log else real, marks)


def check_file(real: Path) -> None:
    """Raises: UnfitError: It is not an SQLite database; OSError: It is not a regular file, or nothing is there."""
    with os.fdopen(open_regular(real), "rb") as file:
        header = file.read(100)
    if not header:
        raise UnfitError("is empty")
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise UnfitError("is not an SQLite database: of another format, damaged, cut or encrypted")


def check_pages(connection: sqlite3.Connection, *, thorough: bool = False) -> None:
    """Check the structure of a file, its free pages included.

    Args:
        connection: To the file.
        thorough: Whether each entry of the indexes is looked up, too, in a file that is small enough.

    Raises:
        UnfitError: It is damaged.
    """
    (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    check = "integrity_check" if thorough and pages * size < _THOROUGH_BYTES else "quick_check"
    answer = connection.execute(f"PRAGMA {check}(1)").fetchone()
    if answer != ("ok",):
        raise UnfitError(f"is damaged: {answer[0] if answer else 'no answer'}")


def reading(path: Path, limits: Limits, *, is_shared: bool = False) -> AbstractContextManager[sqlite3.Connection]:
    """Open a file to read it. One that is not shared is read without locks, and nothing is written beside it."""
    statements = (*PRECAUTIONS, *_READ_ONLY, f"PRAGMA cache_size=-{_READING_KILOBYTES}")
    return _opened(uri(path, "mode=ro" if is_shared else "mode=ro&immutable=1"), limits, statements)


def building(path: Path, limits: Limits, *, adds: bool) -> AbstractContextManager[sqlite3.Connection]:
    """Open the private file of a merge: without a journal, as a failure throws it away; to add rows, or to check it."""
    cache = _BUILDING_KILOBYTES if adds else _READING_KILOBYTES
    statements = (*PRECAUTIONS, *_UNSAFE, f"PRAGMA cache_size=-{cache}")
    return _opened(uri(path, "mode=rwc"), limits, statements)


@contextlib.contextmanager
def _opened(address: str, limits: Limits, statements: tuple[str, ...]) -> Iterator[sqlite3.Connection]:
    with limits.guarding(
        sqlite3.connect(address, timeout=_BUSY_SECONDS, uri=True, isolation_level=None, check_same_thread=False)
    ) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


def uri(path: Path, options: str) -> str:
    """The path as SQLite's URI, in which every character of it is plain."""
    return f"file://{quote(os.fsencode(path))}?{options}"


def beside(real: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside a database: `-wal`, `-shm` or `-journal`."""
    return real.with_name(real.name + suffix)


def copy(source: Path, target: Path, limits: Limits) -> None:
    """Copy a file, piece by piece, so that it can be ended."""
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(_PIECE):
            limits.look()
            written.write(piece)


def copy_all(source: Path, target: Path, limits: Limits) -> None:
    """Copy a database, with the log or the journal of a write that is not finished."""
    copy(source, target, limits)
    for suffix in ("-wal", "-journal"):
        if _mark(beside(source, suffix)):
            copy(beside(source, suffix), beside(target, suffix), limits)


def recover(real: Path) -> None:
    """Let SQLite finish, or undo, what a killed run left of its last write.

    Raises:
        UnfitError: The journal is not a file, or one that would delete other files.
        sqlite3.Error: The file is damaged, or in use.
    """
    _, *journals = _marks(real)
    if not any(journals):
        return
    _check_names_no_other(beside(real, "-journal"))
    with closing(sqlite3.connect(real, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _copy_with_log(real: Path, private: Path, limits: Limits) -> Path:
    """A copy of the database with all committed transactions of its write-ahead log."""
    private.mkdir()
    whole = private / "whole"
    copy_all(real, whole, limits)
    with limits.guarding(sqlite3.connect(whole, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        frames = connection.execute("PRAGMA wal_checkpoint").fetchone()[1]
        # SQLite leaves a log out in silence that is damaged from the start, or another's. Its header alone is nothing.
        if frames <= 0 and beside(real, "-wal").stat().st_size != 32:
            raise UnfitError("has a write-ahead log that is damaged, or belongs to another database")
        connection.execute("PRAGMA journal_mode=DELETE")
    return whole


def _check_journal(real: Path) -> None:
    # A rollback journal holds what a killed writer overwrote. SQLite would play it back into the parent, and may
    # delete files that a forged one names.
    with contextlib.suppress(FileNotFoundError), beside(real, "-journal").open("rb") as file:
        if any(file.read(28)):
            raise UnfitError("has a rollback journal: its last writer was interrupted; run its task again")


def _check_names_no_other(journal: Path) -> None:
    # A journal of several databases ends with the name of a file that SQLite deletes. Ours are of one.
    if not journal.exists() or journal.stat().st_size < 8:
        return
    with journal.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        if file.read() == _JOURNAL_MAGIC:
            raise UnfitError("has a rollback journal of several databases")


def _marks(real: Path) -> _Marks:
    return tuple(_mark(path) for path in (real, beside(real, "-wal"), beside(real, "-journal")))


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise UnfitError("has a journal that is not a regular file")
    return status.st_ino, status.st_size, status.st_mtime_ns
