"""Values that do not fit: SQLite stores anything in any column, and our own tables refuse what has no place in them."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("column", ["id", "type", "rotation_angle", "initial"])
def test_a_missing_value_is_refused(write_cache: Any, rows: Any, tmp_path: Path, column: str) -> None:
    """Also where the parent itself would have let it pass; the message names the parent and the column."""
    schema = write_cache("loose.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.element(2, **{column: None}))
    with pytest.raises(CacheError, match=rf"loose\.sqlite: NOT NULL constraint failed: elements\.{column}"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize("value", [None, "7", 7, f"{8:032x}".encode(), "x" * 32])
def test_a_reference_of_the_wrong_kind_is_refused(write_cache: Any, rows: Any, tmp_path: Path, value: object) -> None:
    """Also where the parent declares no foreign key."""
    schema = write_cache("loose.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.transcription(2, 1, element_id=value))
    with pytest.raises(CacheError, match=r"loose\.sqlite: .*transcriptions.*element_id"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize(("column", "value"), [("offset", -1), ("length", 0), ("type", None)])
def test_an_impossible_entity_is_refused(
    write_cache: Any, rows: Any, tmp_path: Path, column: str, value: object
) -> None:
    """What our own constraints refuse is refused with the name of the parent."""
    schema = write_cache("loose.sqlite", extra=LOOSE)
    parent = _with(schema, rows.element(1), rows.transcription(2, 1), rows.entity(2, **{column: value}))
    with pytest.raises(CacheError, match=rf"loose\.sqlite: .*constraint failed: .*{column}"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize(
    ("polygon", "points"),
    [
        (None, None),
        ("null", None),
        ("[]", []),
        ("[[0,0],[10,20]]", [[0, 0], [10, 20]]),
        ("[[-1, 2.5], [1e3, 0]]", [[-1, 2.5], [1000, 0]]),
        ("[[0, 1]]\n", [[0, 1]]),
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


def _with(path: Path, *content: tuple[str, dict[str, Any]]) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for table, row in content:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))
        connection.commit()
    return path
