"""Whether the typed models can read every row of a table: SQLite itself stores anything in any column.

Rows are looked at by the thousand, all their ids and texts at once; a window that does not pass so is read value by
value, and only that decides.
"""

from __future__ import annotations

import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from arkworker.runtime.cache.points import are_points
from arkworker.runtime.cache.refusal import refusal
from arkworker.runtime.cache.schema import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WINDOW = 4096
_LAST_ROW = 2**63 - 1
_HEXADECIMAL = b"0123456789abcdef"
_ID = re.compile(rb"[0-9a-f]{32}")
_DIGITS = b"-0123456789"
# Longer ones are read one by one: Python refuses integers of more than 4300 digits.
_SHORT = 4000
_SQL = {
    Kind.ID: "typeof({0})='text'",
    Kind.TEXT: "typeof({0})='text'",
    Kind.INTEGER: "typeof({0})='integer'",
    Kind.NATURAL: "typeof({0})='integer' AND {0}>=0",
    Kind.POSITIVE: "typeof({0})='integer' AND {0}>0",
    Kind.FLAG: "typeof({0})='integer' AND {0} BETWEEN 0 AND 1",
    Kind.REAL: "typeof({0})='real' AND {0} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
    Kind.POINTS: f"json_valid({{0}}) AND typeof({{0}})='text' AND length({{0}})<{_SHORT}",
}


def check_rows(connection: sqlite3.Connection, path: str, table: str, columns: Sequence[Column]) -> None:
    """Check every value of a table; what foreign keys hold is left to the check of the references.

    Raises:
        CacheError: Naming the table, the id and the column of the first value that no model can read.
    """
    connection.text_factory = bytes
    start, size = -_LAST_ROW - 1, _WINDOW
    while start <= _LAST_ROW:
        try:
            last, passed = _look_at(connection, table, columns, start, size)
        except sqlite3.DataError:
            # The texts of the window are too long for one value.
            if size == 1:
                raise
            size //= 2
            continue
        if last is None:
            return
        if not passed:
            _judge(connection, path, table, columns, (start, last))
        start = last + 1


def check_entities(connection: sqlite3.Connection, path: str) -> None:
    """Check that every entity that a transcription names exists (version 3).

    Raises:
        CacheError: Naming the first that does not.
    """
    missing = connection.execute(
        'SELECT t."transcription_id", t."entity_id" FROM "transcription_entities" AS t '
        'LEFT JOIN "entities" AS e ON e."id" = t."entity_id" WHERE e."id" IS NULL LIMIT 1'
    ).fetchone()
    if missing:
        identity, entity = (str(value)[:80] for value in missing)
        raise refusal(path, f"table transcription_entities, id {identity}: its entity_id {entity} is not in entities")


def _look_at(
    connection: sqlite3.Connection, table: str, columns: Sequence[Column], start: int, size: int
) -> tuple[int | None, bool]:
    """The last row of the window that starts there, and whether all its rows certainly pass."""
    wrong = " OR ".join(_wrong(column) for column in columns)
    own = [column for column in columns if not column.reference]
    ids, points, texts = ([c for c in own if c.kind is kind] for kind in (Kind.ID, Kind.POINTS, Kind.TEXT))
    names = ", ".join(f'"{c.name}"' for c in columns)
    joined = "".join(f""", CAST(group_concat("{c.name}", x'0a') AS BLOB)""" for c in (*ids, *points, *texts))
    statement = (
        f"SELECT max(r), total({wrong}){joined} FROM "  # noqa: S608 - names of our own schema
        f'(SELECT rowid AS r, {names} FROM "{table}" WHERE rowid >= ? ORDER BY rowid LIMIT ?)'
    )
    last, failures, *values = connection.execute(statement, (start, size)).fetchone()
    blobs = [value for value in values if value is not None]
    hexadecimal = values[: len(ids)]
    passed = (
        not failures
        and all(value is None or _are_ids(value) for value in hexadecimal)
        and all(value is None or _are_usual_points(value) for value in values[len(ids) : len(ids) + len(points)])
        and all(_is_text(value) for value in blobs)
    )
    return last, passed


def _wrong(column: Column) -> str:
    condition = "NOT (" + _SQL[column.kind].format(f'"{column.name}"') + ")"
    return f'"{column.name}" IS NOT NULL AND {condition}' if column.nullable else condition


def _are_ids(lines: bytes) -> bool:
    """Whether each line is 32 hexadecimal characters."""
    breaks = (len(lines) + 1) // 33
    return (
        len(lines) == 33 * breaks - 1
        and lines.translate(None, _HEXADECIMAL) == b"\n" * (breaks - 1)
        and lines[32::33] == b"\n" * (breaks - 1)
    )


def _are_usual_points(lines: bytes) -> bool:
    """Whether each line, known to be JSON, is a list of pairs of integers, the way it is usually written."""
    marks = lines.translate(None, _DIGITS).replace(b"[, ], ", b"")
    return not marks.replace(b"[[, ]]\n", b"").replace(b"[[, ]]", b"")


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _judge(
    connection: sqlite3.Connection, path: str, table: str, columns: Sequence[Column], window: tuple[int, int]
) -> None:
    for row in _values(connection, table, columns, window):
        for column, (kind, value) in zip(columns, row, strict=True):
            if not _is_readable(column, kind, value):
                identity = row[0][1]
                name = identity.decode(errors="replace") if isinstance(identity, bytes) else str(identity)
                raise refusal(path, f"table {table}, id {name[:80]}: {column.name} is not {column.kind.value}")


def _values(
    connection: sqlite3.Connection, table: str, columns: Sequence[Column], window: tuple[int, int]
) -> Iterator[list[tuple[str, Any]]]:
    """The rows of a window, as pairs of storage class and value."""
    names = ", ".join(f'typeof("{column.name}"), "{column.name}"' for column in columns)
    statement = f'SELECT {names} FROM "{table}" WHERE rowid BETWEEN ? AND ?'  # noqa: S608 - names of our own schema
    for row in connection.execute(statement, window):
        yield [(row[2 * n].decode(), row[2 * n + 1]) for n in range(len(columns))]


def _is_readable(column: Column, kind: str, value: Any) -> bool:
    if kind == "null":
        return column.nullable
    if kind == "text":
        reader = _TEXT_READERS.get(column.kind)
        return reader is not None and reader(value)
    if column.kind is Kind.REAL:
        return kind in ("real", "integer") and math.isfinite(value)
    least, most = _RANGES.get(column.kind, (1, 0))
    return kind == "integer" and least <= value <= most


def _is_id(value: bytes) -> bool:
    return _ID.fullmatch(value) is not None


_TEXT_READERS = {Kind.ID: _is_id, Kind.TEXT: _is_text, Kind.POINTS: are_points}
_RANGES = {
    Kind.INTEGER: (-_LAST_ROW - 1, _LAST_ROW),
    Kind.NATURAL: (0, _LAST_ROW),
    Kind.POSITIVE: (1, _LAST_ROW),
    Kind.FLAG: (0, 1),
}
