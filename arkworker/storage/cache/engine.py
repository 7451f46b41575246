"""Open the cache of a task, and hand sessions on it to user code."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from arkworker.storage.cache.examination import check_own
from arkworker.storage.cache.files import uri
from arkworker.storage.cache.merging import merge
from arkworker.storage.cache.publication import find_target
from arkworker.storage.cache.refusal import refusal
from arkworker.storage.cache.schema import create_statements, index_statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

_logger = logging.getLogger("arkworker.cache")
_BUSY_SECONDS = 30.0
_SETTINGS = (
    # A write-ahead log needs shared memory, which network file systems do not have.
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
)


def open_cache(path: Path | None, *, create: bool = False, checked: bool = False) -> Engine:
    """Open a cache of version 5; `dispose()` of the answer closes it.

    Args:
        path: The file; None is a cache in memory, on one connection.
        create: Whether an empty cache is created where there is no file.
        checked: Whether the file is known to be sound, as one that `merge` has just written: its rows are not read.

    Raises:
        CacheError: There is no file, it is damaged, hostile or of another version, or it cannot be created.
    """
    if path is None:
        return _open_in_memory()
    target = find_target(path)
    if not target.exists():
        if not create:
            raise refusal(path, "does not exist")
        merge([], target)
    elif not checked:
        check_own(os.fspath(path), target)
    engine = create_engine(URL.create("sqlite", database=str(target)), creator=lambda: _connect(target))
    return _prepare(engine)


@contextlib.contextmanager
def session_scope(engine: Engine) -> Iterator[Session]:
    """A session whose work is committed when the block succeeds, and rolled back when anything else leaves it.

    Objects stay readable afterwards.

    Raises:
        CacheError: The commit fails for a reason outside the rows: the disk is full, the file is locked.
    """
    with Session(engine, expire_on_commit=False) as session:
        try:
            yield session
        except BaseException:
            _roll_back(session)
            raise
        _commit(session, engine)


def _commit(session: Session, engine: Engine) -> None:
    try:
        session.commit()
    except OperationalError as error:
        _roll_back(session)
        raise refusal(engine.url.database or "cache in memory", f"cannot be written: {error.orig}") from error


def _roll_back(session: Session) -> None:
    try:
        session.rollback()
    except SQLAlchemyError:
        # What is under way is more important; the connection is thrown away.
        _logger.warning("the cache could not be rolled back", exc_info=True)


def _open_in_memory() -> Engine:
    engine = _prepare(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))
    with engine.begin() as connection:
        for statement in [*create_statements(), *index_statements().values()]:
            connection.exec_driver_sql(statement)
    return engine


def _connect(target: Path) -> sqlite3.Connection:
    # The mode does not create: a file that went away meanwhile is an error.
    return sqlite3.connect(uri(target, "mode=rw"), uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)


def _prepare(engine: Engine) -> Engine:
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    # With its own rule, sqlite3 begins no transaction before a savepoint, whose release would then commit.
    connection.isolation_level = None
    for statement in _SETTINGS:
        connection.execute(statement)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
