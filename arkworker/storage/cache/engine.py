"""Open the cache of a task, and hand sessions on it to user code."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import sqlite3
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Insert, create_engine, event
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from arkworker.errors import CacheError
from arkworker.storage.cache.database import (
    PRECAUTIONS,
    Limits,
    UnfitError,
    check_file,
    check_pages,
    copy_all,
    reading,
    recover,
    refusal,
    refusing,
    uri,
)
from arkworker.storage.cache.merging import find_target, merge
from arkworker.storage.cache.schema import (
    SCHEMA_VERSION,
    check_schema,
    completing_statements,
    create_statements,
    index_statements,
    read_objects,
)
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine

_logger = logging.getLogger("arkworker.cache")
_BUSY_SECONDS = 30.0
_COLLECTED = 10_000  # containers, between two looks of the garbage collector
_SHARED_SECONDS = 24 * 3600.0  # as long as user code of another process takes for its element
_SETTINGS = (
    # A write-ahead log needs shared memory, which network file systems do not have.
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    *PRECAUTIONS,
)


def open_cache(
    path: Path | None,
    *,
    create: bool = False,
    checked: bool = False,
    is_shared: bool = False,
    limits: Limits | None = None,
) -> Engine:
    """Open a cache of version 5; `dispose()` of the engine closes it.

    A read-only file is opened as a temporary copy, which is removed when it is closed; a warning says so. From then on,
    Python's garbage collector of young objects runs after 10,000 of them, unless it is set to more, or off.

    Args:
        path: The file; None is a cache in memory, on one connection.
        create: Whether an empty cache is created where there is no file.
        checked: Whether the file is known to be sound, as one that `merge` has just written.
        is_shared: Whether several processes work on it for a long time: a session then belongs to the file only from
            its first write on, and waits for the session of another process that has written.
        limits: What the check of the file may take; its `cancel` ends it from another thread.

    Raises:
        CacheError: The file does not exist, is damaged, hostile or of another version, or it cannot be created.
    """
    if path is None:
        return _open_in_memory()
    limits = limits or Limits()
    target = find_target(path)
    if not target.exists():
        if not create:
            raise refusal(path, "does not exist")
        merge([], target, limits=limits)
    elif not checked:
        with refusing(path, limits):
            check_file(target)
            # SQLite keeps a journal in the directory while it writes.
            if not (os.access(target, os.W_OK) and os.access(target.parent, os.W_OK | os.X_OK)):
                return _open_copy(path, target, limits)
        _check_own(os.fspath(path), target, limits)
    seconds = _SHARED_SECONDS if is_shared else _BUSY_SECONDS
    engine = create_engine(URL.create("sqlite", database=str(target)), creator=lambda: _connect(target, seconds))
    return _prepare(engine, is_shared=is_shared)


@contextlib.contextmanager
def session_scope(engine: Engine) -> Iterator[Session]:
    """A session whose work is committed when the block succeeds, and rolled back when anything else leaves it.

    Objects remain readable afterwards.

    Raises:
        CacheError: The commit fails for a reason outside the rows: the disk is full, the file is locked.
    """
    with _Session(engine, expire_on_commit=False) as session:
        try:
            yield session
        except BaseException:
            _roll_back(session)
            raise
        _commit(session, engine)


class _Session(Session):
    """Inserts rows of a class as those of its table, where that comes to the same and takes a quarter less time."""

    def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(statement, Insert) and isinstance(params, list) and _is_plain(statement, params):
            options["execution_options"] = {"dml_strategy": "raw", **(options.get("execution_options") or {})}
        return super().execute(statement, params, **options)


def _is_plain(statement: Insert, rows: list[Any]) -> bool:
    """Whether all rows give the same columns, none of which is left to its default, and nothing is to be returned."""
    defaults = [column.name for column in statement.table.columns if column.default or column.server_default]
    return not len(statement.exported_columns) and all(
        isinstance(row, dict)
        and row.keys() == rows[0].keys()
        and not any(row.get(name, 0) is None for name in defaults)
        for row in rows
    )


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


def _check_own(path: str, target: Path, limits: Limits) -> None:
    """Raises: CacheError: The cache of the task itself cannot be used. User code will write to it."""
    with refusing(path, limits):
        recover(target)
        with reading(target, limits, is_shared=True) as connection:
            objects = read_objects(connection)
            check_pages(connection, thorough=True)
            if any(kind in ("trigger", "view") for kind, *_ in objects):
                raise UnfitError("has triggers or views, which would run when it is used")
            _, tables = check_schema(connection, objects, (SCHEMA_VERSION,), is_completed=True)
        if completing_statements(tables):
            _complete(target)


def _complete(target: Path) -> None:
    with contextlib.closing(_connect(target, _BUSY_SECONDS)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        # Asked again: another process that opens the file may have been faster.
        present = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for statement in completing_statements([name for (name,) in present]):
            connection.execute(statement)
        connection.execute("COMMIT")


def _open_copy(path: Path, target: Path, limits: Limits) -> Engine:
    """A copy that can be written to, for a cache that is not."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="arkworker-cache-"))
    except OSError:
        raise refusal(path, "is read-only, and there is no temporary directory for a copy: set TMPDIR") from None
    try:
        copy = folder / "db.sqlite"
        copy_all(target, copy, limits)
        try:
            engine = open_cache(copy, limits=limits)
        except CacheError as error:
            raise refusal(path, error.reason) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove = weakref.finalize(engine, _remove, folder, os.getpid())
    event.listen(engine, "engine_disposed", lambda _: remove())
    _logger.warning("%s is read-only: a copy is used, and what is added to it is not kept", printable(str(path)))
    return engine


def _remove(folder: Path, owner: int) -> None:
    # A forked child that disposes of its engine, or exits, leaves it to its parent.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _open_in_memory() -> Engine:
    engine = _prepare(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))
    with engine.begin() as connection:
        for statement in [*create_statements(), *index_statements().values()]:
            connection.exec_driver_sql(statement)
    return engine


def _connect(target: Path, seconds: float) -> sqlite3.Connection:
    # The mode does not create: a file that went away meanwhile is an error.
    return sqlite3.connect(
        uri(target, "mode=rw"), uri=True, timeout=seconds, check_same_thread=False, isolation_level=None
    )


def _prepare(engine: Engine, *, is_shared: bool = False) -> Engine:
    _relax_collector()
    event.listen(engine, "connect", _configure)
    if is_shared:
        event.listen(engine, "before_cursor_execute", _begin_to_write)
    else:
        event.listen(engine, "begin", _begin)
    return engine


def _relax_collector() -> None:
    # A polygon is a list of lists. By default the collector looks after every 700 of them, and again at those it has
    # looked at before, which took more than half of the time of reading many rows.
    young, *older = gc.get_threshold()
    if 0 < young < _COLLECTED:
        gc.set_threshold(_COLLECTED, *older)


def _configure(connection: Any, _record: object) -> None:
    # With its own rule, sqlite3 begins no transaction before a savepoint, whose release would then commit.
    connection.isolation_level = None
    for statement in _SETTINGS:
        connection.execute(statement)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Any, cursor: Any, statement: str, *_: object) -> None:  # noqa: ARG001 - an event
    # A transaction that has read, and then writes, would not wait for another one but fail.
    if not cursor.connection.in_transaction and not statement.lstrip()[:6].upper().startswith(("SELECT", "PRAGMA")):
        cursor.connection.execute("BEGIN IMMEDIATE")
