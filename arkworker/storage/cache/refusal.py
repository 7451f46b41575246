"""Refusals: one line that names the file and says what is wrong with it, whatever the file and its name hold."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from arkworker.errors import CacheError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from arkworker.storage.cache.limits import Deadline
_WRITE_ERRORS = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE}


def refusal(path: str | PathLike[str], reason: str) -> CacheError:
    """The error for a cache that cannot be used."""
    return CacheError(printable(os.fspath(path), limit=4096), printable(reason, limit=300))


@contextlib.contextmanager
def refusing(
    path: str | PathLike[str], deadline: Deadline | None = None, *, output: str | PathLike[str] | None = None
) -> Iterator[None]:
    """Turn what SQLite and the system say about a file into a refusal of it.

    Args:
        path: The file that is read.
        deadline: What may have ended a statement.
        output: The file that is written meanwhile, if any: a full disk is a matter of this one.

    Raises:
        CacheError: Naming the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        if deadline is not None and deadline.interruption is not None:
            raise deadline.interruption from error
        if deadline is not None and deadline.passed:
            raise refusal(path, f"not done within the limit of {deadline.seconds:g} s") from error
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
