"""The file of an export: elements and results of a corpus, or of a dataset, as SQLite.

The tables have the names and the main columns that readers of Arkindex exports look for; it is no complete copy of the
official format.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator.tables import (
    Classification,
    Dataset,
    DatasetElement,
    DatasetSet,
    Element,
    ElementLink,
    MetaData,
    Transcription,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.emulator.tables import Export

SCHEMA = """
CREATE TABLE image (id TEXT PRIMARY KEY, width INTEGER, height INTEGER, path TEXT);
CREATE TABLE element (id TEXT PRIMARY KEY, name TEXT, type TEXT, image_id TEXT REFERENCES image (id), polygon TEXT,
    rotation_angle INTEGER, mirrored INTEGER, confidence REAL, worker_run_id TEXT);
CREATE TABLE element_path (parent_id TEXT, child_id TEXT, ordering INTEGER, PRIMARY KEY (parent_id, child_id));
CREATE TABLE transcription (id TEXT PRIMARY KEY, element_id TEXT, text TEXT, confidence REAL, orientation TEXT,
    worker_run_id TEXT);
CREATE TABLE classification (id TEXT PRIMARY KEY, element_id TEXT, class_name TEXT, state TEXT, confidence REAL,
    worker_run_id TEXT);
CREATE TABLE metadata (id TEXT PRIMARY KEY, element_id TEXT, name TEXT, type TEXT, value TEXT, worker_run_id TEXT);
CREATE TABLE dataset (id TEXT PRIMARY KEY, name TEXT, description TEXT, state TEXT, sets TEXT);
CREATE TABLE dataset_element (dataset_id TEXT, element_id TEXT, set_name TEXT);
"""


def write_export(session: Session, export: Export, path: Path) -> None:
    """Write what belongs to `export` into a new database at `path`."""
    elements = list(session.scalars(_elements(export)))
    chosen = {element.id for element in elements}
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(SCHEMA)
        images = {element.image.id: element.image for element in elements if element.image is not None}
        _insert(file, "image", [(row.id, row.width, row.height, row.path) for row in images.values()])
        _insert(file, "element", [_element(row) for row in elements])
        links = [row for row in session.scalars(select(ElementLink)) if chosen >= {row.parent_id, row.child_id}]
        _insert(file, "element_path", [(row.parent_id, row.child_id, row.position) for row in links])
        _insert(
            file,
            "transcription",
            [_transcription(r) for r in session.scalars(select(Transcription)) if r.element_id in chosen],
        )
        _insert(
            file,
            "classification",
            [_classification(r) for r in session.scalars(select(Classification)) if r.element_id in chosen],
        )
        _insert(file, "metadata", [_metadata(r) for r in session.scalars(select(MetaData)) if r.element_id in chosen])
        _insert_dataset(session, file, export)


def _elements(export: Export) -> Any:
    statement = select(Element).where(Element.corpus_id == export.corpus_id).order_by(Element.position)
    if export.dataset_id is None:
        return statement
    tree = select(DatasetElement.element_id.label("id")).join(DatasetSet)
    below = tree.where(DatasetSet.dataset_id == export.dataset_id).cte(recursive=True)
    below = below.union(select(ElementLink.child_id).where(ElementLink.parent_id == below.c.id))
    return statement.where(Element.id.in_(select(below.c.id)))


def _insert_dataset(session: Session, file: sqlite3.Connection, export: Export) -> None:
    dataset = session.scalar(select(Dataset).where(Dataset.id == export.dataset_id))
    if dataset is None:
        return
    names = ",".join(item.name for item in dataset.sets)
    _insert(file, "dataset", [(dataset.id, dataset.name, dataset.description, dataset.state, names)])
    rows = session.scalars(select(DatasetElement).join(DatasetSet).where(DatasetSet.dataset_id == dataset.id))
    _insert(file, "dataset_element", [(dataset.id, row.element_id, row.set.name) for row in rows])


def _insert(file: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        file.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of the schema above


def _element(row: Element) -> tuple[Any, ...]:
    polygon = None if row.polygon is None else json.dumps(row.polygon)
    place = (row.image_id, polygon, row.rotation_angle, row.mirrored)
    return (row.id, row.name, row.type.slug, *place, row.confidence, row.worker_run_id)


def _transcription(row: Transcription) -> tuple[Any, ...]:
    return (row.id, row.element_id, row.text, row.confidence, row.orientation, row.worker_run_id)


def _classification(row: Classification) -> tuple[Any, ...]:
    return (row.id, row.element_id, row.ml_class.name, row.state, row.confidence, row.worker_run_id)


def _metadata(row: MetaData) -> tuple[Any, ...]:
    return (row.id, row.element_id, row.name, row.type, row.value, row.worker_run_id)
