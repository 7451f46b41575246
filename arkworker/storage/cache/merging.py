"""Merge the caches of the parent tasks into the cache of a task: all of them, in order, or nothing."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from arkworker.storage.cache.database import (
    Limits,
    ParentFile,
    UnfitError,
    admit,
    beside,
    building,
    check_pages,
    copy,
    reading,
    recover,
    refusal,
    refusing,
    uri,
)
from arkworker.storage.cache.models import CacheModel
from arkworker.storage.cache.schema import (
    MERGED_VERSIONS,
    TABLES,
    check_schema,
    columns_of,
    create_statements,
    index_statements,
    is_exactly_ours,
    read_objects,
)
from arkworker.storage.exclusive import private_directory, sync_directory
from arkworker.storage.files import move
from arkworker.storage.locating import paths_in_parents
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

_logger = logging.getLogger("arkworker.cache")
_PREFIX = ".arkworker-merge-"


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did.

    Attributes:
        rows: How many rows each table of the result has.
        conflicts: How many rows replaced one with the same id and other content.
    """

    rows: Mapping[str, int]
    conflicts: int


@dataclass(frozen=True, slots=True)
class _Source(ParentFile):
    """A parent whose schema is known: whether it can be copied as it is, and the tables that it has."""

    version: int
    tables: frozenset[str]
    is_exact: bool


def merge(
    parents: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    on_conflict: Literal["replace", "refuse"] = "replace",
    limits: Limits | None = None,
) -> MergeReport:
    """Merge parents of versions 3 to 5 into a new cache of version 5 that takes the place of `output`.

    Parents are only read. Until the result is complete, checked and on the disk, `output` stays as it is; what it
    held is not part of the result. Of the entities of version 3, only the types have a place in version 5, and one of
    each type in a transcription; others of the same type count as conflicts.

    Args:
        parents: Their paths; a row of a later one replaces a row with the same id of an earlier one.
        output: The path of the task's own cache.
        on_conflict: Whether a row with the same id and other content is replaced, or the merge refused.
        limits: The sizes and the time that are allowed; its `cancel` ends the merge from another thread.

    Raises:
        ValueError: `on_conflict` is neither.
        CacheError: A parent cannot be used, or the result cannot be written. Nothing is left behind.
    """
    if on_conflict not in ("replace", "refuse"):
        raise ValueError(f"on_conflict should be replace or refuse, not {on_conflict!r}")
    target = find_target(output)
    limits = limits or Limits()
    with refusing(target, limits), private_directory(target.parent, _PREFIX) as scratch:
        sources = [_examine(parent, scratch / f"parent-{number}", limits) for number, parent in enumerate(parents)]
        for source in sources:
            if target.exists() and target.samefile(source.path):
                raise refusal(source.path, "is both a parent and the output")
        built = scratch / "cache.sqlite"
        report = _assemble(sources, built, target, limits, strict=on_conflict == "refuse")
        for source in sources:
            source.check_unchanged()
        limits.look()
        _settle(target)
        move(built, target)
    if report.conflicts:
        message = "%s: %d rows of the parents replaced a row with the same id and other content"
        _logger.warning(message, printable(str(target)), report.conflicts)
    return report


def find_target(output: str | PathLike[str]) -> Path:
    """The file to replace; a symbolic link stays and leads to the result.

    Raises:
        CacheError: Something that is not a file is there, or there is no directory for it.
    """
    path = os.fsdecode(output)
    with refusing(path):
        if not path or "\0" in path:
            raise UnfitError("is not the path of a file")
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise UnfitError("is a directory, not a file" if target.is_dir() else "is not a regular file")
        if not target.parent.is_dir():
            raise UnfitError("its directory does not exist")
    return target


def find_parent_caches(
    task_data_dir: str | PathLike[str], parent_ids: Sequence[str], chunk: str | None = None
) -> list[Path]:
    """The caches of the parent tasks that exist, in order.

    Args:
        task_data_dir: The directory that holds one directory per task.
        parent_ids: Ids of the parent tasks.
        chunk: The chunk of this task: a parent may have left one cache for each.

    Raises:
        ApiContentError, ConfigurationError: An id or the chunk leads out of the directory.
        CacheError: A file cannot be looked at.
    """
    places = paths_in_parents("db.sqlite", parent_ids=parent_ids, task_data_dir=Path(task_data_dir), chunk=chunk)
    return [path for path in places if _is_file(path)]


def _is_file(path: Path) -> bool:
    # Not Path.is_file: a parent that may not be read must not be left out in silence.
    with refusing(path):
        try:
            return stat.S_ISREG(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False


def _examine(parent: str | PathLike[str], private: Path, limits: Limits) -> _Source:
    """Raises: CacheError: The file is not a cache of one of the versions."""
    file = admit(parent, private, limits)
    with refusing(file.path, limits), reading(file.readable, limits) as connection:
        objects = read_objects(connection)
        version, tables = check_schema(connection, objects, MERGED_VERSIONS)
        return _Source(file.path, file.readable, file.marks, version, tables, is_exactly_ours(objects))


def _assemble(sources: list[_Source], built: Path, target: Path, limits: Limits, *, strict: bool) -> MergeReport:
    """Put the result together: from a copy of the first parent where that has exactly our tables, else from nothing."""
    first = sources[0] if sources and sources[0].is_exact else None
    rest = sources[1:] if first else sources
    if first:
        with refusing(first.path, limits, output=target):
            copy(first.readable, built, limits)
    with building(built, limits, adds=bool(rest)) as connection:
        if first:
            with refusing(first.path, limits):
                check_pages(connection, thorough=True)
        else:
            for statement in create_statements():
                connection.execute(statement)
        if rest:  # indexes are made at once at the end
            for name in index_statements():
                connection.execute(f'DROP INDEX IF EXISTS "{name}"')
        conflicts = 0
        for source in rest:
            with refusing(source.path, limits, output=target):
                _check_parent(source, limits)
                conflicts += _add(connection, source, strict=strict)
        for statement in index_statements().values():
            connection.execute(statement.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS"))
        for table in TABLES:
            _check_references(connection, table, sources, target, limits)
        if rest:
            check_pages(connection)
        rows = {table: _count(connection, table) for table in TABLES}
    return MergeReport(MappingProxyType(rows), conflicts)


def _check_parent(source: _Source, limits: Limits) -> None:
    with reading(source.readable, limits) as connection:
        check_pages(connection)
        if "entities" not in source.tables:
            return
        # A link of version 3 to no entity has no type, and must not vanish.
        missing = connection.execute(
            'SELECT t."transcription_id", t."entity_id" FROM "transcription_entities" AS t '
            'LEFT JOIN "entities" AS e ON e."id" = t."entity_id" WHERE e."id" IS NULL LIMIT 1'
        ).fetchone()
        if missing:
            identity, entity = (str(value)[:80] for value in missing)
            raise UnfitError(f"table transcription_entities, id {identity}: its entity_id {entity} is not in entities")


def _add(connection: sqlite3.Connection, source: _Source, *, strict: bool) -> int:
    """Add the rows of a parent in one transaction; how many replaced one with the same id and other content."""
    connection.execute("ATTACH ? AS source", (uri(source.readable, "mode=ro&immutable=1"),))
    connection.execute("PRAGMA source.cache_size=-500")
    connection.execute("BEGIN")
    present = [table for table in TABLES if table in source.tables]
    conflicts = sum(_add_table(connection, source, table, strict=strict) for table in present)
    connection.execute("COMMIT")
    connection.execute("DETACH source")
    return conflicts


def _add_table(connection: sqlite3.Connection, source: _Source, table: str, *, strict: bool) -> int:
    if strict:
        _refuse_conflicts(connection, source, table)
    before, changes = _count(connection, table), connection.total_changes
    connection.execute(_upsert(table, source.version))
    conflicts = (connection.total_changes - changes) - (_count(connection, table) - before)
    if conflicts and strict:
        raise UnfitError(f"table {table}: {conflicts} rows replace rows of this same parent")
    return conflicts


def _refuse_conflicts(connection: sqlite3.Connection, source: _Source, table: str) -> None:
    names, keys = _names(table), _keys(table)
    ours, theirs = (", ".join(f'{side}."{name}"' for name in names) for side in ("ours", "theirs"))
    same = " AND ".join(f'ours."{name}" = theirs."{name}"' for name in keys)
    found = connection.execute(
        f'SELECT ours."{keys[0]}" FROM ({_select(table, source.version)}) AS theirs '  # noqa: S608 - names of our own schema
        f'JOIN main."{table}" AS ours ON {same} WHERE ({ours}) IS NOT ({theirs}) LIMIT 1'
    ).fetchone()
    if found:
        raise UnfitError(f"table {table}, id {found[0]}: an earlier parent has it with other content")


def _upsert(table: str, version: int) -> str:
    """The statement that adds a table by column names; rows that are there already and equal are left alone."""
    names = _names(table)
    key = ", ".join(f'"{name}"' for name in _keys(table))
    columns = ", ".join(f'"{name}"' for name in names)
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    ours, theirs = (", ".join(f'{side}."{name}"' for name in names) for side in (f'"{table}"', "excluded"))
    return (
        f'INSERT INTO main."{table}" ({columns}) {_select(table, version)} WHERE true '
        f"ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE ({ours}) IS NOT ({theirs})"
    )


def _select(table: str, version: int) -> str:
    """The rows of a parent of any version, with the columns of version 5, in the order in which they were written."""
    present = columns_of(version)[table]
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
    return [column.name for column in CacheModel.metadata.tables[table].columns]


def _keys(table: str) -> list[str]:
    return [column.name for column in CacheModel.metadata.tables[table].primary_key.columns]


def _count(connection: sqlite3.Connection, table: str) -> int:
    statement = f'SELECT count(*) FROM "{table}"'  # noqa: S608 - a name of our own schema
    return int(connection.execute(statement).fetchone()[0])


def _check_references(
    connection: sqlite3.Connection, table: str, sources: Sequence[_Source], target: Path, limits: Limits
) -> None:
    """Raises: CacheError: A row refers to none; it names the parent that the row is from."""
    for column in CacheModel.metadata.tables[table].columns:
        for reference in column.foreign_keys:
            name, key = reference.column.table.name, _keys(table)[0]
            there = f'SELECT 1 FROM "{name}" AS there WHERE there."{reference.column.name}" = here."{column.name}"'  # noqa: S608 - names of our own schema
            nowhere = f'FROM "{table}" AS here WHERE here."{column.name}" IS NOT NULL AND NOT EXISTS ({there}) LIMIT 1'
            if connection.execute(f"SELECT 1 {nowhere}").fetchone():  # by the index of the column alone
                found = connection.execute(f'SELECT here."{key}", here."{column.name}" {nowhere}').fetchone()
                owners = (one.path for one in reversed(sources) if _has(one, table, key, found[0], limits))
                reason = f"table {table}, id {found[0]}: its {column.name} {found[1]} is not in {name}"
                raise refusal(next(owners, target), reason)


def _has(source: _Source, table: str, key: str, identity: object, limits: Limits) -> bool:
    if table not in source.tables:
        return False
    statement = f'SELECT 1 FROM "{table}" WHERE "{key}" = ? LIMIT 1'  # noqa: S608 - names of our own schema
    with reading(source.readable, limits) as connection:
        return connection.execute(statement, (identity,)).fetchone() is not None


def _settle(target: Path) -> None:
    """Leave no journal of the file that is replaced: SQLite would play it back into the new one."""
    journals = [beside(target, suffix) for suffix in ("-journal", "-wal", "-shm")]
    if not any(journal.exists() for journal in journals):
        return
    if target.exists():
        try:
            recover(target)
        except sqlite3.DatabaseError as error:
            # Anything but a lock: the old file is damaged, and there is nothing in it to keep.
            if error.sqlite_errorcode & 255 in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
    for journal in journals:
        journal.unlink(missing_ok=True)
    sync_directory(target.parent)
