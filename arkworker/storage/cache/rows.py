"""Whether the typed models can read every row of a table: SQLite itself stores anything in any column.

Rows are looked at by the thousand, all their ids and texts at once; a window that does not pass so is read value by
value, and only that decides.
"""

from __future__ import annotations

import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from arkworker.storage.cache.points import are_points
from arkworker.storage.cache.refusal import refusal
from arkworker.storage.cache.schema import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WINDOW = 1024
_LAST_ROW = 2**63 - 1
_HEXADECIMAL = b"0123456789abcdef"
_ID = re.compile(rb"[0-9a-f]{32}")
_POINT = rb"\[(?:0|[1-9][0-9]{0,9}), (?:0|[1-9][0-9]{0,9})\]"
# Possessive repetitions: nothing is tried twice.
_USUAL_POINTS = re.compile(rb"(?:\[(?:" + _POINT + rb", )*+" + _POINT + rb"\]\n)*+")
_SQL = {
    Kind.ID: "typeof({0})='text'",
    Kind.TEXT: "typeof({0})='text'",
    Kind.INTEGER: "typeof({0})='integer'",
    Kind.NATURAL: "typeof({0})='integer' AND {0}>=0",
    Kind.POSITIVE: "typeof({0})='integer' AND {0}>0",
    Kind.FLAG: "typeof({0})='integer' AND {0} BETWEEN 0 AND 1",
    Kind.REAL: "typeof({0})='real' AND {0} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
    Kind.POINTS: "typeof({0})='text'",
}


def check_rows(connection: sqlite3.Connection, path: str, table: str, columns: Sequence[Column]) -> None:
    """Check every value of a table; what foreign keys hold is left to the check of the references.

    Raises:
        CacheError: Naming the table, the id and the column of the first value that no model can read.
    """
    connection.text_factory = bytes
    start, size = -_LAST_ROW - 1, _WINDOW
    while start <= _LAST_ROW:
        window = (start, _end_of_window(connection, table, start, size))
        try:
            passed = _look_at(connection, table, columns, window)
        except sqlite3.DataError:
            # The texts of the window are together too long for one value.
            if size == 1:
                raise
            size //= 2
            continue
        if not passed:
            _judge(connection, path, table, columns, window)
        start = window[1] + 1


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


def _look_at(connection: sqlite3.Connection, table: str, columns: Sequence[Column], window: tuple[int, int]) -> bool:
    """Whether all rows of a window certainly pass."""
    own = [column for column in columns if not column.reference]
    joined = [column for column in own if column.kind in _JOINED]
    wrong = " OR ".join(_wrong(column) for column in columns)
    values = "".join(f""", count("{c.name}"), group_concat("{c.name}", x'0a')""" for c in joined)
    failures, *found = connection.execute(
        f'SELECT count(*) FILTER (WHERE {wrong}){values} FROM "{table}" '  # noqa: S608 - names of our own schema
        "WHERE rowid BETWEEN ? AND ?",
        window,
    ).fetchone()
    triples = zip(joined, found[::2], found[1::2], strict=True)
    return not failures and all(not count or _JOINED[column.kind](lines, count) for column, count, lines in triples)


def _end_of_window(connection: sqlite3.Connection, table: str, start: int, size: int) -> int:
    statement = f'SELECT rowid FROM "{table}" WHERE rowid >= ? ORDER BY rowid LIMIT 1 OFFSET ?'  # noqa: S608 - the same
    found = connection.execute(statement, (start, size)).fetchone()
    return found[0] - 1 if found else _LAST_ROW


def _wrong(column: Column) -> str:
    condition = "NOT (" + _SQL[column.kind].format(f'"{column.name}"') + ")"
    return f'"{column.name}" IS NOT NULL AND {condition}' if column.nullable else condition


def _are_ids(lines: bytes, count: int) -> bool:
    """Whether each line is 32 hexadecimal characters."""
    breaks = b"\n" * (count - 1)
    return len(lines) == 33 * count - 1 and lines.translate(None, _HEXADECIMAL) == breaks and lines[32::33] == breaks


def _are_usual_points(lines: bytes, count: int) -> bool:
    """Whether each line is a list of points of positive integers, as it is usually written."""
    return lines.count(b"\n") == count - 1 and _USUAL_POINTS.fullmatch(lines + b"\n") is not None


def _are_texts(lines: bytes, _count: int) -> bool:
    return _is_text(lines)


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
_JOINED = {Kind.ID: _are_ids, Kind.TEXT: _are_texts, Kind.POINTS: _are_usual_points}
