"""The typed tables: equal to the schema of the published library, typed on the way in and out."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import StatementError

from arkworker.storage.cache import (
    CachedDataset,
    CachedElement,
    CachedImage,
    CacheModel,
    merge,
    open_cache,
    session_scope,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = open_cache(None)
    yield opened
    opened.dispose()


def statements(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}


def test_a_new_cache_has_the_published_statements(write_cache: Any, tmp_path: Path) -> None:
    """Every table and index, letter by letter; one index more."""
    merge([], tmp_path / "ours.sqlite")
    ours, published = statements(tmp_path / "ours.sqlite"), statements(write_cache("published.sqlite"))
    assert published - ours == set()
    assert ours - published == {'CREATE INDEX "cachedelement_parent_id" ON "elements" ("parent_id")'}


def declared_type(name: str) -> str:
    """A boolean is an integer in the file."""
    return "INTEGER" if name == "BOOLEAN" else name.upper()


def test_the_models_have_the_columns_of_the_tables(engine: Engine) -> None:
    """Names, order, declared types, keys and what may be null."""
    inspector = inspect(engine)
    for table in CacheModel.metadata.sorted_tables:
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table.name)]
        declared = [(c.name, declared_type(c.type.compile(engine.dialect)), c.nullable) for c in table.columns]
        assert declared == columns
        assert [c.name for c in table.primary_key] == inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert {tuple(key.column_keys) for key in table.foreign_key_constraints} == {
            tuple(key["constrained_columns"]) for key in inspector.get_foreign_keys(table.name)
        }
        assert {index.name for index in table.indexes} == {index["name"] for index in inspector.get_indexes(table.name)}


def test_the_defaults_are_those_of_the_published_library(engine: Engine) -> None:
    """What a row that names nothing gets."""
    with session_scope(engine) as session:
        image = CachedImage(id=uuid.uuid4(), width=1, height=2, url="u")
        element = CachedElement(id=uuid.uuid4(), type="page", image=image)
        dataset = CachedDataset(id=uuid.uuid4(), name="n", sets="train")
        session.add_all([element, dataset])
    assert (image.version, dataset.state) == (2, "open")
    assert (element.rotation_angle, element.mirrored, element.initial) == (0, False, False)
    assert (element.polygon, element.parent_id, element.confidence) == (None, None, None)


@pytest.mark.parametrize("form", [str, lambda value: value.hex, lambda value: value])
def test_ids_are_uuids(engine: Engine, form: Any) -> None:
    """Written from a UUID or its text, stored as 32 characters without dashes, read as a UUID."""
    identity = uuid.UUID("ABCDEF01-2345-6789-abcd-ef0123456789")
    with session_scope(engine) as session:
        session.add(CachedImage(id=form(identity), width=1, height=2, url="u"))
    with session_scope(engine) as session:
        assert session.connection().exec_driver_sql("SELECT id FROM images").scalar() == identity.hex
        assert session.query(CachedImage).filter(CachedImage.id == form(identity)).one().id == identity


def test_values_have_their_types(engine: Engine) -> None:
    """Points, booleans and ids come out as they went in."""
    parent, points = uuid.uuid4(), [[0, 0], [10, 0], [10, 20.5]]
    with session_scope(engine) as session:
        session.add(CachedElement(id=uuid.uuid4(), type="line", parent_id=parent, polygon=points, mirrored=True))
    with session_scope(engine) as session:
        element = session.query(CachedElement).one()
        assert (element.parent_id, element.polygon, element.mirrored) == (parent, points, True)
        stored = session.connection().exec_driver_sql("SELECT polygon, mirrored, initial FROM elements").one()
    assert tuple(stored) == ("[[0, 0], [10, 0], [10, 20.5]]", 1, 0)


@pytest.mark.parametrize(
    "polygon", ["[[0, 0]]", [0, 0, 9, 9], [[0, 0, 0]], [[0, float("nan")]], [["0", "0"]], {}, [[True, 1]]]
)
def test_a_polygon_that_could_not_be_read_is_not_written(engine: Engine, polygon: Any) -> None:
    """The next task would refuse the whole cache."""
    with pytest.raises(StatementError, match="a polygon should be a list of points"), session_scope(engine) as session:
        session.add(CachedElement(id=uuid.uuid4(), type="line", polygon=polygon))


def test_points_may_be_tuples(engine: Engine) -> None:
    """As geometry libraries give them."""
    with session_scope(engine) as session:
        session.add(CachedElement(id=uuid.uuid4(), type="line", polygon=((0, 0), (1, 2))))
    with session_scope(engine) as session:
        assert session.query(CachedElement).one().polygon == [[0, 0], [1, 2]]
