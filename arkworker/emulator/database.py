"""SQLite behind the emulator, one transaction at a time.

One connection serves the whole emulator and a lock orders its users: the server's thread, and the tests that set things
up. Each request is a transaction, so that a claim is atomic and a refused bulk operation leaves nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, bindparam, create_engine, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from arkworker.emulator.tables import Base, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Select

RowType = TypeVar("RowType", bound=Row)


class Transaction(Session):
    """What one caller reads and writes, before another one does."""

    def find(self, table: type[RowType], identifier: str | None) -> RowType | None:
        """The row with this id, if there is one."""
        row: RowType | None = self.scalar(_by_id(table), {"id": identifier})
        return row

    def look_up(self, table: type[RowType], identifier: str) -> RowType:
        """The row with this id.

        Raises:
            LookupError: There is none.
        """
        row = self.find(table, identifier)
        if row is None:
            raise LookupError(f"no {table.__name__} has the id {identifier!r}")
        return row

    def keep(self, row: RowType) -> RowType:
        """Write a new row, which then has an id and the defaults of its table."""
        self.add(row)
        self.flush()
        return row


@cache
def _by_id(table: type[Row]) -> Select[Any]:
    # Nearly every operation begins with it: built once a table.
    return select(table).where(table.id == bindparam("id"))


class Database:
    """The tables, in memory or in the file `path`.

    Raises:
        sqlite3.DatabaseError: The file cannot be opened, or is not a database.
    """

    def __init__(self, path: Path | None = None) -> None:
        url = URL.create("sqlite", database=":memory:" if path is None else str(path))
        self._engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", _set_pragmas)
        self._lock = threading.RLock()
        try:
            with self._engine.connect() as connection:
                connection.connection.executescript(_schema())
        except (DatabaseError, sqlite3.Error) as error:
            self._engine.dispose()
            # SQLAlchemy wraps what happens while it connects, and not what comes after.
            raise sqlite3.DatabaseError(str(getattr(error, "orig", error))) from None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A session; what it did is kept when the block ends, and forgotten when it raises."""
        # Rows stay readable after the end: nothing else changes them behind the caller's back.
        with self._lock, Transaction(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def version(self) -> int:
        """A number that grows with every row that is written."""
        with self._lock, self._engine.connect() as connection:
            return int(connection.connection.total_changes)

    def close(self) -> None:
        self._engine.dispose()


@cache
def _schema() -> str:
    """The tables as SQL, put into words once a process: tests make an emulator each, and half of its cost was this."""
    dialect = sqlite.dialect()
    tables = Base.metadata.sorted_tables
    makers: list[CreateTable | CreateIndex] = [CreateTable(table, if_not_exists=True) for table in tables]
    makers += [CreateIndex(index, if_not_exists=True) for table in tables for index in table.indexes]
    return ";\n".join(str(maker.compile(dialect=dialect)) for maker in makers)


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # The emulator's own file is disposable: speed before safety against power cuts.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
