"""The private file in which a merge puts its result together."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from arkworker.storage.cache.connection import reading
from arkworker.storage.cache.files import uri
from arkworker.storage.cache.refusal import refusal
from arkworker.storage.cache.schema import SCHEMA_VERSION, TABLES, columns_of, create_statements, index_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from arkworker.storage.cache.files import ParentFile
    from arkworker.storage.cache.limits import Limits

# Columns of a key; every other table has the key `id`.
_KEYS = {"transcription_entities": ("transcription_id", "type")}


@dataclass(frozen=True, slots=True)
class Source:
    """A cache whose schema is known.

    Attributes:
        file: Where it is.
        version: Of its schema.
        is_exact: Whether it has exactly our tables and indexes, so that it may be copied as it is.
        is_inert: Whether it has no triggers and no views.
    """

    file: ParentFile
    version: int
    is_exact: bool
    is_inert: bool


def copy(source: Source, built: Path) -> Source:
    """Start from a file with exactly our tables and indexes; what is returned reads the copy, which nobody changes."""
    shutil.copyfile(source.file.readable, built)
    return replace(source, file=replace(source.file, readable=built))


def create(connection: sqlite3.Connection) -> None:
    """Start from an empty cache, without indexes: they are made at once at the end."""
    for statement in create_statements():
        connection.execute(statement)


def drop_indexes(connection: sqlite3.Connection) -> None:
    for name in index_statements():
        connection.execute(f'DROP INDEX IF EXISTS "{name}"')


def complete_indexes(connection: sqlite3.Connection) -> None:
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    for name, statement in index_statements().items():
        if name not in present:
            connection.execute(statement)


def add(connection: sqlite3.Connection, source: Source, *, refuse_conflicts: bool) -> int:
    """Add the rows of a parent in one transaction; a row with the same id and other content is replaced.

    Returns:
        How many were.

    Raises:
        CacheError: A row would be replaced and that is refused.
        sqlite3.Error: The parent cannot be read, or the result cannot be written.
    """
    with _attached(connection, source):
        connection.execute("BEGIN")
        conflicts = sum(_add_table(connection, source, table, refuse_conflicts=refuse_conflicts) for table in TABLES)
        connection.execute("COMMIT")
    return conflicts


def count_rows(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f'SELECT count(*) FROM main."{table}"').fetchone()  # noqa: S608 - a name of our own schema
    return int(count)


def check_references(
    connection: sqlite3.Connection, table: str, sources: Sequence[Source], output: str, limits: Limits
) -> None:
    """Check that every foreign key of a table of the result leads to a row.

    Raises:
        CacheError: Naming the table, the id and the parent of the first one that does not.
    """
    references = connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
    if not any(_leads_nowhere(connection, table, *reference[2:5]) for reference in references):
        return
    violation = connection.execute(f'PRAGMA foreign_key_check("{table}")').fetchone()
    if violation is None:
        return
    _, row, referred, number = violation
    key = _KEYS.get(table, ("id",))[0]
    column = next(reference[3] for reference in references if reference[0] == number)
    statement = f'SELECT "{key}", "{column}" FROM "{table}" WHERE rowid = ?'  # noqa: S608 - names of our own schema
    identity, missing = connection.execute(statement, (row,)).fetchone()
    parents = (source for source in reversed(sources) if _has(source, table, key, identity, limits))
    path = next((source.file.path for source in parents), output)
    raise refusal(path, f"table {table}, id {identity}: its {column} {missing} is not in {referred}")


def _leads_nowhere(connection: sqlite3.Connection, table: str, referred: str, column: str, key: str) -> bool:
    """Whether some value of a column is no key: SQLite merges their indexes, ten times faster than its own check."""
    statement = (
        f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL '  # noqa: S608 - names of our own schema
        f'EXCEPT SELECT "{key}" FROM "{referred}" ORDER BY 1 LIMIT 1'
    )
    return connection.execute(statement).fetchone() is not None


def _has(source: Source, table: str, key: str, identity: object, limits: Limits) -> bool:
    statement = f'SELECT 1 FROM "{table}" WHERE "{key}" = ? LIMIT 1'  # noqa: S608 - names of our own schema
    with reading(source.file.readable, limits) as connection:
        return connection.execute(statement, (identity,)).fetchone() is not None


@contextlib.contextmanager
def _attached(connection: sqlite3.Connection, source: Source) -> Iterator[None]:
    connection.execute("ATTACH ? AS source", (uri(source.file.readable, "mode=ro&immutable=1"),))
    connection.execute("PRAGMA source.cache_size=-500")
    yield
    connection.execute("DETACH source")


def _add_table(connection: sqlite3.Connection, source: Source, table: str, *, refuse_conflicts: bool) -> int:
    if refuse_conflicts:
        _refuse_conflicts(connection, source, table)
    before, changes = count_rows(connection, table), connection.total_changes
    connection.execute(_upsert(table, source.version))
    conflicts = (connection.total_changes - changes) - (count_rows(connection, table) - before)
    if conflicts and refuse_conflicts:
        raise refusal(source.file.path, f"table {table}: {conflicts} rows replace rows of this same parent")
    return conflicts


def _refuse_conflicts(connection: sqlite3.Connection, source: Source, table: str) -> None:
    names = _names(table)
    key = _KEYS.get(table, ("id",))
    ours, theirs = (", ".join(f'{side}."{name}"' for name in names) for side in ("ours", "theirs"))
    same = " AND ".join(f'ours."{name}" = theirs."{name}"' for name in key)
    found = connection.execute(
        f'SELECT ours."{key[0]}" FROM ({_select(table, source.version)}) AS theirs '  # noqa: S608 - names of our own schema
        f'JOIN main."{table}" AS ours ON {same} WHERE ({ours}) IS NOT ({theirs}) LIMIT 1'
    ).fetchone()
    if found:
        raise refusal(source.file.path, f"table {table}, id {found[0]}: an earlier parent has it with other content")


def _upsert(table: str, version: int) -> str:
    """The statement that adds a table by column names; rows that are there already and equal are left alone."""
    names = _names(table)
    key = ", ".join(f'"{name}"' for name in _KEYS.get(table, ("id",)))
    columns = ", ".join(f'"{name}"' for name in names)
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    ours, theirs = (", ".join(f'{side}."{name}"' for name in names) for side in (f'"{table}"', "excluded"))
    return (
        f'INSERT INTO main."{table}" ({columns}) {_select(table, version)} WHERE true '
        f"ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE ({ours}) IS NOT ({theirs})"
    )


def _select(table: str, version: int) -> str:
    """The rows of a parent of any version, with the columns of version 5, in the order in which they were written."""
    present = {column.name for column in columns_of(version)[table]}
    origin = f'source."{table}" AS rows'
    values = {name: f'rows."{name}"' for name in _names(table)}
    if "entity_id" in present:
        # Version 3: the type is the entity's. CROSS keeps the links in the outer loop, hence their order.
        origin += ' CROSS JOIN source."entities" AS entities ON entities."id" = rows."entity_id"'
        values["type"] = 'entities."type"'
    elif "version" in values and "version" not in present:
        # Versions 3 and 4 know the second version of the image protocol only.
        values["version"] = "2"
    columns = ", ".join(f'{value} AS "{name}"' for name, value in values.items())
    return f"SELECT {columns} FROM {origin}"  # noqa: S608 - names of our own schema


def _names(table: str) -> list[str]:
    return [column.name for column in columns_of(SCHEMA_VERSION)[table]]
