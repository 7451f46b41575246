"""What a file must declare to count as a cache: the tables of a version, as the published library creates them."""

from __future__ import annotations

import functools
import sqlite3
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite

from arkworker.storage.cache.database import UnfitError
from arkworker.storage.cache.models import CacheModel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Column, Table

SCHEMA_VERSION = 5
MERGED_VERSIONS = (3, 4, 5)
#: In the order of their references: a table comes after those that it refers to.
TABLES = (
    "images",
    "elements",
    "transcriptions",
    "classifications",
    "transcription_entities",
    "datasets",
    "dataset_elements",
)

# Which releases of arkindex-base-worker read a version.
_RELEASES = MappingProxyType({1: "0.2.4", 2: "0.3.3", 3: "0.3.6 to 0.4.0", 4: "0.5.0", 5: "0.5.1"})
# The first releases of versions 3 and 4 had no datasets.
_LATER_TABLES = frozenset({"datasets", "dataset_elements"})
# Ours alone: the published library reads the children of an element without any.
_OWN_INDEX = "cachedelement_parent_id"
_MOST_OBJECTS = 1000
_MOST_CHARACTERS = 2**20


@functools.cache
def columns_of(version: int) -> Mapping[str, frozenset[str]]:
    """The columns of every table of a version but `version` itself."""
    columns = {name: frozenset(CacheModel.metadata.tables[name].c.keys()) for name in TABLES}
    if version < 5:
        columns["images"] -= {"version"}
    if version < 4:
        columns["entities"] = frozenset({"id", "type", "name", "validated", "metas", "worker_run_id"})
        columns["transcription_entities"] = columns["transcription_entities"] - {"type"} | {"entity_id"}
    return MappingProxyType(columns)


@functools.cache
def create_statements() -> tuple[str, ...]:
    """The statements that create an empty cache, letter by letter those of the published library; without indexes."""
    return (
        'CREATE TABLE "version" ("version" INTEGER NOT NULL PRIMARY KEY)',
        f'INSERT INTO "version" ("version") VALUES ({SCHEMA_VERSION})',  # noqa: S608 - a constant
        *(_create(CacheModel.metadata.tables[name]) for name in TABLES),
    )


def completing_statements(present: Collection[str]) -> tuple[str, ...]:
    """The statements that create the tables that are not present, and their indexes."""
    lacking = {f'"{name}"' for name in TABLES if name not in present}
    statements = [*create_statements(), *index_statements().values()]
    return tuple(one for one in statements if one.split()[2 if one.startswith("CREATE TABLE") else 4] in lacking)


@functools.cache
def index_statements() -> Mapping[str, str]:
    """The statement that creates each index, by name."""
    statements = {
        str(index.name): f'CREATE INDEX "{index.name}" ON "{name}" ("{index.columns[0].name}")'
        for name in TABLES
        for index in sorted(CacheModel.metadata.tables[name].indexes, key=lambda index: str(index.name))
    }
    return MappingProxyType(statements)


def read_objects(connection: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """The (type, name, statement) of everything that a file declares.

    Raises:
        UnfitError: There is more than a cache could have.
    """
    count, size = connection.execute("SELECT count(*), sum(length(sql)) FROM sqlite_master").fetchone()
    if count > _MOST_OBJECTS or (size or 0) > _MOST_CHARACTERS:
        raise UnfitError(f"has a schema of more than {_MOST_OBJECTS} objects or {_MOST_CHARACTERS} characters")
    return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))


def is_exactly_ours(objects: set[tuple[str, str, str | None]]) -> bool:
    """Whether all the objects of a file are those of version 5, our own index or not."""
    ours = _exact_objects()
    return ours - {entry for entry in ours if entry[1] == _OWN_INDEX} <= objects <= ours


def check_schema(
    connection: sqlite3.Connection,
    objects: set[tuple[str, str, str | None]],
    versions: Collection[int],
    *,
    is_completed: bool = False,
) -> tuple[int, frozenset[str]]:
    """Check the version row and that each table of that version is a plain one with exactly its columns.

    Args:
        connection: To the file.
        objects: What it declares.
        versions: Those that are accepted.
        is_completed: Whether it gets the tables that it lacks, as the published library does with a task's own cache.
            Those of datasets may then be missing. A file that has nothing but its version is empty in any case.

    Returns:
        The version, and the tables that are there.

    Raises:
        UnfitError: One of them is not as it must be.
    """
    if connection.execute("PRAGMA encoding").fetchone() != ("UTF-8",):
        raise UnfitError("is encoded in UTF-16, not in UTF-8")
    # SQLite normalises the first words of what it keeps: such a table is neither a virtual one nor a view.
    plain = {name for kind, name, sql in objects if kind == "table" and (sql or "").startswith("CREATE TABLE ")}
    version = _read_version(connection, plain, versions)
    tables = columns_of(version)
    if version < SCHEMA_VERSION:
        tables = {name: names for name, names in tables.items() if name in plain or name not in _LATER_TABLES}
    if plain == {"version"} or (is_completed and tables.keys() - plain <= _LATER_TABLES):
        tables = {name: names for name, names in tables.items() if name in plain}
    for table, columns in tables.items():
        if table not in plain:
            raise UnfitError(f"has no plain table {table}")
        _check_columns(connection, table, columns)
    return version, frozenset(tables)


def _read_version(connection: sqlite3.Connection, plain: set[str], versions: Collection[int]) -> int:
    expected = " or ".join(str(version) for version in versions)
    if "version" not in plain:
        raise UnfitError(f"is not a cache: it has no table version (expected version {expected})")
    _check_columns(connection, "version", frozenset({"version"}))
    rows = connection.execute('SELECT "version" FROM "version" LIMIT 2').fetchall()
    if len(rows) != 1 or type(rows[0][0]) is not int:
        raise UnfitError(f"does not have exactly one version row (expected version {expected})")
    found = int(rows[0][0])
    if found in versions:
        return found
    release = f", which arkindex-base-worker {_RELEASES[found]} reads" if found in _RELEASES else ""
    remedy = "; convert it with arkworker.storage.cache.merge([OLD], NEW)" if found in MERGED_VERSIONS else ""
    raise UnfitError(f"is of version {found}{release}; expected version {expected}{remedy}")


def _check_columns(connection: sqlite3.Connection, table: str, expected: frozenset[str]) -> None:
    rows = connection.execute(f'PRAGMA table_xinfo("{table}")').fetchall()
    found = {str(row[1]) for row in rows}
    if missing := expected - found:
        raise UnfitError(f"table {table} lacks the column {min(missing)}")
    if unknown := found - expected:
        raise UnfitError(f"table {table} has an unknown column {min(unknown)}")
    if any(row[6] for row in rows):
        raise UnfitError(f"table {table} has generated columns")
    if ("table", table, 1) in {(row[2], row[1], row[4]) for row in connection.execute("PRAGMA table_list")}:
        raise UnfitError(f"table {table} has no row ids")
    # An index on an expression, or on some rows, would have its functions run when the file is checked.
    for _, name, _, _, partial in connection.execute(f'PRAGMA index_list("{table}")').fetchall():
        keys = connection.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,)).fetchall()
        if partial or any(cid == -2 for (cid,) in keys):
            raise UnfitError(f"table {table} has an index on more than columns")


@functools.cache
def _exact_objects() -> frozenset[tuple[str, str, str | None]]:
    connection = sqlite3.connect(":memory:")
    for statement in [*create_statements(), *index_statements().values()]:
        connection.execute(statement)
    objects = frozenset(connection.execute("SELECT type, name, sql FROM sqlite_master"))
    connection.close()
    return objects


def _create(table: Table) -> str:
    keys = list(table.primary_key.columns)
    parts = [_define(column, is_key=keys == [column]) for column in table.columns]
    if len(keys) > 1:
        parts.append(f"PRIMARY KEY ({', '.join(_quoted(column) for column in keys)})")
    for column in table.columns:
        parts += [
            f'FOREIGN KEY ({_quoted(column)}) REFERENCES "{key.column.table.name}" ({_quoted(key.column)})'
            for key in column.foreign_keys
        ]
    return f'CREATE TABLE "{table.name}" ({", ".join(parts)})'


def _define(column: Column[Any], *, is_key: bool) -> str:
    default = getattr(column.server_default, "arg", None)
    checks = [constraint for constraint in column.constraints if hasattr(constraint, "sqltext")]
    parts = [
        _quoted(column),
        str(column.type.compile(dialect=sqlite.dialect())),
        "" if column.nullable else "NOT NULL",
        "PRIMARY KEY" if is_key else "",
        f"DEFAULT '{default}'" if default is not None else "",
        *(f"CHECK ({constraint.sqltext})" for constraint in checks),
    ]
    return " ".join(filter(None, parts))


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'
