"""Values that no model could read: SQLite stores anything in any column."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError
from arkworker.storage.cache import CachedElement, merge, open_cache, session_scope

if TYPE_CHECKING:
    from pathlib import Path

LOOSE = """
DROP TABLE elements;
CREATE TABLE elements (id, parent_id, type, image_id, polygon, rotation_angle, mirrored, initial, worker_version_id,
    worker_run_id, confidence);
DROP TABLE transcriptions;
CREATE TABLE transcriptions (id, element_id, text, confidence, orientation, worker_version_id, worker_run_id);
DROP TABLE transcription_entities;
CREATE TABLE transcription_entities (transcription_id, type, offset, length, worker_run_id, confidence);
"""


HEX = f"{7:032x}"
ELEMENT = [
    ("id", None),
    ("id", ""),
    ("id", 7),
    ("id", 1.5),
    ("id", HEX.encode()),
    ("id", HEX[:-1]),
    ("id", HEX + "0"),
    ("id", HEX[:-1] + "g"),
    ("id", HEX[:-1] + "A"),
    ("id", HEX[:-1] + "\n"),
    ("id", HEX + "\0"),
    ("id", HEX + "\n" + HEX),
    ("id", "00000000-0000-0000-0000-000000000007"),
    ("parent_id", "7"),
    ("parent_id", HEX.encode()),
    ("image_id", 7),
    ("image_id", HEX.encode()),
    ("type", None),
    ("type", 3),
    ("type", b"page"),
    ("polygon", "[["),
    ("polygon", ""),
    ("polygon", "{}"),
    ("polygon", "7"),
    ("polygon", 7),
    ("polygon", b"[[0, 0]]"),
    ("polygon", "[[0, 0], [1]]"),
    ("polygon", "[[0, 0], [1, true]]"),
    ("polygon", '[["0", "0"]]'),
    ("polygon", "[[0, NaN]]"),
    ("polygon", "[[0, 1e999]]"),
    ("polygon", "[[00, 1]]"),
    ("polygon", "[[0, 1]]\0"),
    ("polygon", "[[0, 1]]\n[[0, 1]]"),
    ("polygon", f"[[0, {'9' * 5000}]]"),
    ("polygon", "[" * 1500 + "]" * 1500),
    ("polygon", "[" * 100000),
    ("polygon", '"[[0, 1"'),
    ("rotation_angle", None),
    ("rotation_angle", "left"),
    ("rotation_angle", 0.5),
    ("mirrored", 2),
    ("mirrored", -1),
    ("mirrored", "1"),
    ("initial", None),
    ("initial", b"1"),
    ("worker_version_id", "x" * 32),
    ("worker_run_id", 5),
    ("confidence", "high"),
    ("confidence", float("inf")),
    ("confidence", b"0.5"),
]


@pytest.mark.parametrize(("column", "value"), ELEMENT)
def test_a_value_of_the_wrong_kind_is_refused(
    write_cache: Any, rows: Any, tmp_path: Path, column: str, value: object
) -> None:
    """The message names the parent, the table and the column; that the parent declares no types changes nothing."""
    schema = write_cache("schema.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.element(2, **{column: value}), rows.element(3))
    with pytest.raises(CacheError, match=rf"schema\.sqlite: table elements, id .*: {column} is not "):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize("value", [None, "7", 7, f"{8:032x}".encode(), "x" * 32])
def test_a_reference_of_the_wrong_kind_is_refused(write_cache: Any, rows: Any, tmp_path: Path, value: object) -> None:
    """Also where the parent declares no foreign key."""
    schema = write_cache("schema.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.transcription(2, 1, element_id=value))
    with pytest.raises(CacheError, match=rf"schema\.sqlite: table transcriptions, id {2:032x}: .*element_id"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize(("column", "value"), [("offset", -1), ("offset", 0.5), ("length", 0), ("type", None)])
def test_an_impossible_entity_is_refused(
    write_cache: Any, rows: Any, tmp_path: Path, column: str, value: object
) -> None:
    """What our own constraints would refuse is refused with the name of the parent."""
    schema = write_cache("schema.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.transcription(2, 1), rows.entity(2, **{column: value}))
    with pytest.raises(CacheError, match=rf"schema\.sqlite: table transcription_entities, id {2:032x}: {column} is"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize("text", [b"\xff", b"caf\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"ok\0\xfe"])
def test_text_that_is_not_utf_8_is_refused(write_cache: Any, rows: Any, tmp_path: Path, text: bytes) -> None:
    """SQLite does not look; Python would fail when the row is read."""
    parent = write_cache("1.sqlite", rows.element(1), rows.transcription(2, 1))
    with closing(sqlite3.connect(parent)) as connection:
        connection.execute("UPDATE transcriptions SET text = CAST(? AS TEXT)", (text,))
        connection.commit()
    with pytest.raises(CacheError, match=rf"1\.sqlite: table transcriptions, id {2:032x}: text is not text in UTF-8"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize(
    ("polygon", "points"),
    [
        (None, None),
        ("null", None),
        ("[]", []),
        ("[[0,0],[10,20]]", [[0, 0], [10, 20]]),
        ("[[-1, 2.5], [1e3, 0]]", [[-1, 2.5], [1000, 0]]),
        (json.dumps(str([[1, 2], [3, 4]])), [[1, 2], [3, 4]]),
        (json.dumps([[n, n] for n in range(3000)]), [[n, n] for n in range(3000)]),
    ],
)
def test_every_way_to_write_a_polygon_is_read(
    write_cache: Any, rows: Any, tmp_path: Path, polygon: str | None, points: Any
) -> None:
    """As the published library writes it, also after an update, and as others may."""
    merge([write_cache("1.sqlite", rows.element(1, polygon=polygon))], tmp_path / "out.sqlite")
    engine = open_cache(tmp_path / "out.sqlite")
    with session_scope(engine) as session:
        assert session.query(CachedElement).one().polygon == points
    engine.dispose()


def test_rows_anywhere_are_looked_at(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """At the ends of the row ids and between, in more than one window."""
    schema = write_cache("schema.sqlite", extra=LOOSE)
    good = [rows.element(number) for number in range(10, 2500)]
    for row in (-(2**63), -5, 0, 5000, 2**63 - 1):
        parent = shutil.copyfile(schema, tmp_path / "parent.sqlite")
        table, values = rows.element(1, type=None)
        with pytest.raises(CacheError, match=f"id {1:032x}: type is not text"):
            merge([_with(parent, *good, (table, {**values, "rowid": row}))], tmp_path / "out.sqlite")


def test_a_hostile_id_is_shown_on_one_short_line(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """What a parent holds reaches no terminal as it is."""
    parent = write_cache("1.sqlite", rows.element(1, id="\x1b[2J\n" * 1000))
    with pytest.raises(CacheError) as caught:
        merge([parent], tmp_path / "out.sqlite")
    assert str(caught.value).isprintable()
    assert len(caught.value.reason) < 400


def _with(path: Path, *content: tuple[str, dict[str, Any]]) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for table, row in content:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))
        connection.commit()
    return path
