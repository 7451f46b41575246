"""What a file must be to count as a cache: its version row, its tables, its structure."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from arkworker.storage.cache.refusal import refusal
from arkworker.storage.cache.schema import RELEASES, columns_of

if TYPE_CHECKING:
    from collections.abc import Collection

# Above, only the structure is checked, not each index against its table: that takes longer than the merge.
THOROUGH_BYTES = 100 * 2**20


def read_objects(connection: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """The (type, name, statement) of everything that a file declares."""
    return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))


def check_schema(connection: sqlite3.Connection, path: str, versions: Collection[int]) -> int:
    """Check the version row and that each table of that version is a plain one with exactly its columns.

    Returns:
        The version.

    Raises:
        CacheError: One of them is not as it must be.
    """
    if connection.execute("PRAGMA encoding").fetchone() != ("UTF-8",):
        raise refusal(path, "is encoded in UTF-16, not in UTF-8")
    plain = {name for kind, name, sql in read_objects(connection) if kind == "table" and _is_plain(sql)}
    version = _read_version(connection, path, plain, versions)
    for table, columns in columns_of(version).items():
        if table not in plain:
            raise refusal(path, f"has no plain table {table}")
        _check_columns(connection, path, table, {column.name for column in columns})
    return version


def check_integrity(connection: sqlite3.Connection, path: str, table: str, *, thorough: bool) -> None:
    """Check the pages of a table and its indexes; when thorough, each entry of the indexes too.

    Raises:
        CacheError: They are damaged.
    """
    check = "integrity_check" if thorough else "quick_check"
    answer = connection.execute(f'PRAGMA {check}("{table}")').fetchone()
    if answer != ("ok",):
        raise refusal(path, f"is damaged: {answer[0] if answer else 'no answer'}")


def check_whole(connection: sqlite3.Connection, path: str, *, thorough: bool = False) -> None:
    """Check the structure of a whole file, also where it is free; when thorough, each entry of its indexes too.

    Raises:
        CacheError: It is damaged.
    """
    check = "integrity_check" if thorough else "quick_check"
    answer = connection.execute(f"PRAGMA {check}(1)").fetchone()
    if answer != ("ok",):
        raise refusal(path, f"is damaged: {answer[0] if answer else 'no answer'}")


def _is_plain(sql: object) -> bool:
    # SQLite normalises the first words of what it keeps: this is neither a virtual table nor a view.
    return isinstance(sql, str) and sql.startswith("CREATE TABLE ")


def _read_version(connection: sqlite3.Connection, path: str, plain: set[str], versions: Collection[int]) -> int:
    expected = " or ".join(str(version) for version in versions)
    if "version" not in plain:
        raise refusal(path, f"is no cache: it has no table version (expected version {expected})")
    _check_columns(connection, path, "version", {"version"})
    rows = connection.execute('SELECT "version" FROM "version" LIMIT 2').fetchall()
    if len(rows) != 1 or type(rows[0][0]) is not int:
        raise refusal(path, f"does not have exactly one version row (expected version {expected})")
    found = rows[0][0]
    if found not in versions:
        release = f", which arkindex-base-worker {RELEASES[found]} reads" if found in RELEASES else ""
        raise refusal(path, f"is of version {found}{release}; expected version {expected}")
    return int(found)


def _check_columns(connection: sqlite3.Connection, path: str, table: str, expected: set[str]) -> None:
    rows = connection.execute(f'PRAGMA table_xinfo("{table}")').fetchall()
    found = {str(row[1]) for row in rows}
    if missing := expected - found:
        raise refusal(path, f"table {table} lacks the column {min(missing)}")
    if unknown := found - expected:
        raise refusal(path, f"table {table} has an unknown column {min(unknown)}")
    if any(row[6] for row in rows):
        raise refusal(path, f"table {table} has generated columns")
    _check_indexes(connection, path, table)
    try:
        connection.execute(f'SELECT rowid FROM "{table}" LIMIT 0')  # noqa: S608 - a name of our own schema
    except sqlite3.OperationalError:
        raise refusal(path, f"table {table} has no row ids") from None


def _check_indexes(connection: sqlite3.Connection, path: str, table: str) -> None:
    # An index on an expression, or on some rows, would have its functions run by the check of integrity.
    for _, name, _, _, partial in connection.execute(f'PRAGMA index_list("{table}")').fetchall():
        keys = connection.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,)).fetchall()
        if partial or any(cid == -2 for (cid,) in keys):
            raise refusal(path, f"table {table} has an index on more than columns")
