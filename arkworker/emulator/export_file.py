"""The file of an export, as Arkindex makes it: elements and results of a corpus, or of a dataset, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import iiif
from arkworker.emulator.tables import (
    Classification,
    Dataset,
    DatasetElement,
    DatasetSet,
    Element,
    ElementLink,
    Embedding,
    EntityType,
    MetaData,
    Transcription,
    TranscriptionEntity,
    WorkerRun,
    WorkerVersion,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Export

VERSION = 8
SCHEMA = """
CREATE TABLE export_version (version INTEGER);
CREATE TABLE worker_version (id VARCHAR(37) PRIMARY KEY, slug VARCHAR(100) NOT NULL, name VARCHAR(100) NOT NULL,
    repository_url VARCHAR(250), revision VARCHAR(200), version INTEGER, type VARCHAR(50) NOT NULL);
CREATE TABLE worker_run (id VARCHAR(37) PRIMARY KEY, worker_version_id VARCHAR(37) NOT NULL REFERENCES worker_version,
    model_version_id VARCHAR(37), model_id VARCHAR(37), model_name VARCHAR(100), configuration_id VARCHAR(37),
    configuration TEXT);
CREATE TABLE image_server (id INTEGER PRIMARY KEY, url VARCHAR(200) NOT NULL, display_name VARCHAR(250) NOT NULL,
    max_width INTEGER, max_height INTEGER, version INTEGER NOT NULL DEFAULT 2);
CREATE TABLE image (id VARCHAR(37) PRIMARY KEY, server_id INTEGER NOT NULL REFERENCES image_server, url TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL);
CREATE TABLE element (id VARCHAR(37) PRIMARY KEY, name VARCHAR(250) NOT NULL, type VARCHAR(50) NOT NULL,
    image_id VARCHAR(37) REFERENCES image, polygon TEXT, confidence REAL, rotation_angle INTEGER NOT NULL DEFAULT 0,
    mirrored INTEGER NOT NULL DEFAULT 0, worker_run_id VARCHAR(37) REFERENCES worker_run, created REAL NOT NULL,
    updated REAL NOT NULL);
CREATE TABLE element_path (id VARCHAR(37) PRIMARY KEY, parent_id VARCHAR(37) NOT NULL REFERENCES element,
    child_id VARCHAR(37) NOT NULL REFERENCES element, ordering INTEGER NOT NULL DEFAULT 0);
CREATE TABLE transcription (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    text TEXT NOT NULL, confidence REAL, orientation TEXT NOT NULL DEFAULT 'horizontal-lr',
    worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE classification (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    class_name VARCHAR(1024) NOT NULL, confidence REAL NOT NULL, worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE metadata (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    name VARCHAR(250) NOT NULL, type VARCHAR(50) NOT NULL, value TEXT NOT NULL,
    worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE entity_type (id VARCHAR(37) PRIMARY KEY, color VARCHAR(6) NOT NULL, name VARCHAR(250) NOT NULL);
CREATE TABLE transcription_entity (id VARCHAR(37) PRIMARY KEY, transcription_id VARCHAR(37) NOT NULL
    REFERENCES transcription, type_id VARCHAR(37) NOT NULL REFERENCES entity_type, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, confidence REAL, worker_run_id VARCHAR(37) REFERENCES worker_run);
CREATE TABLE embedding (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    value TEXT NOT NULL, worker_run_id VARCHAR(37) REFERENCES worker_run, created REAL NOT NULL, updated REAL NOT NULL);
CREATE TABLE dataset (id VARCHAR(37) PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT NOT NULL,
    sets TEXT NOT NULL);
CREATE TABLE dataset_element (id VARCHAR(37) PRIMARY KEY, element_id VARCHAR(37) NOT NULL REFERENCES element,
    dataset_id VARCHAR(37) NOT NULL REFERENCES dataset, set_name VARCHAR(50) NOT NULL);
"""


def write_export(session: Session, export: Export, path: Path, site: Site) -> None:
    """Write what belongs to `export` into a new database at `path`."""
    path.unlink(missing_ok=True)
    elements = list(session.scalars(_elements(export)))
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(SCHEMA)
        _insert(file, "export_version", [(VERSION,)])
        _insert(file, "worker_version", map(_version, session.scalars(select(WorkerVersion))))
        _insert(file, "worker_run", map(_run, session.scalars(select(WorkerRun))))
        images = {row.image.id: row.image for row in elements if row.image is not None}
        servers = {iiif.server(image, site): number for number, image in enumerate(images.values(), start=1)}
        _insert(
            file,
            "image_server",
            [(number, url, url, None, None, site.iiif_version) for url, number in servers.items()],
        )
        _insert(
            file,
            "image",
            [
                (row.id, servers[iiif.server(row, site)], iiif.url(row, site), row.width, row.height)
                for row in images.values()
            ],
        )
        _insert(file, "element", map(_element, elements))
        _insert_results(session, file, {element.id for element in elements}, export)
        _insert_dataset(session, file, export)


def _elements(export: Export) -> Any:
    statement = select(Element).where(Element.corpus_id == export.corpus_id).order_by(Element.position)
    if export.dataset_id is None:
        return statement
    tree = select(DatasetElement.element_id.label("id")).join(DatasetSet)
    below = tree.where(DatasetSet.dataset_id == export.dataset_id).cte(recursive=True)
    below = below.union(select(ElementLink.child_id).where(ElementLink.parent_id == below.c.id))
    return statement.where(Element.id.in_(select(below.c.id)))


def _insert_results(session: Session, file: sqlite3.Connection, chosen: set[str], export: Export) -> None:
    def found(table: Any) -> Iterable[Any]:
        return (row for row in session.scalars(select(table).order_by(table.position)) if row.element_id in chosen)

    links = session.scalars(select(ElementLink).order_by(ElementLink.position))
    kept = [row for row in links if chosen >= {row.parent_id, row.child_id}]
    _insert(file, "element_path", [(new_id(), row.parent_id, row.child_id, n) for n, row in enumerate(kept)])
    texts = list(found(Transcription))
    _insert(
        file,
        "transcription",
        [(r.id, r.element_id, r.text, r.confidence, r.orientation, r.worker_run_id) for r in texts],
    )
    _insert(
        file,
        "classification",
        [(r.id, r.element_id, r.ml_class.name, r.confidence, r.worker_run_id) for r in found(Classification)],
    )
    _insert(
        file,
        "metadata",
        [(r.id, r.element_id, r.name, r.type, r.value, r.worker_run_id) for r in found(MetaData)],
    )
    kinds = session.scalars(select(EntityType).where(EntityType.corpus_id == export.corpus_id))
    _insert(file, "entity_type", [(r.id, r.color, r.name) for r in kinds])
    own = {row.id for row in texts}
    entities = [row for row in session.scalars(select(TranscriptionEntity)) if row.transcription_id in own]
    _insert(
        file,
        "transcription_entity",
        [(r.id, r.transcription_id, r.type_id, r.offset, r.length, r.confidence, r.worker_run_id) for r in entities],
    )
    _insert(
        file,
        "embedding",
        [
            (r.id, r.element_id, json.dumps(r.value), r.worker_run_id, *2 * [_seconds(r.created)])
            for r in found(Embedding)
        ],
    )


def _insert_dataset(session: Session, file: sqlite3.Connection, export: Export) -> None:
    dataset = session.scalar(select(Dataset).where(Dataset.id == export.dataset_id))
    if dataset is None:
        return
    names = ",".join(item.name for item in dataset.sets)
    _insert(file, "dataset", [(dataset.id, dataset.name, dataset.description, names)])
    rows = session.scalars(select(DatasetElement).join(DatasetSet).where(DatasetSet.dataset_id == dataset.id))
    _insert(file, "dataset_element", [(new_id(), row.element_id, dataset.id, row.set.name) for row in rows])


def _insert(file: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    rows = list(rows)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        file.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of the schema above


def _version(row: WorkerVersion) -> tuple[Any, ...]:
    slug = row.declaration.get("slug", "worker")
    name = row.declaration.get("display_name") or row.declaration.get("name") or slug
    return (row.id, slug, name, None, None, 1, row.declaration.get("type", "worker"))


def _run(row: WorkerRun) -> tuple[Any, ...]:
    version = row.model_version
    model = (None, None, None) if version is None else (version.id, version.model_id, version.model.name)
    saved = (None, None) if row.saved is None else (row.id, json.dumps(row.saved))
    return (row.id, row.version_id, *model, *saved)


def _element(row: Element) -> tuple[Any, ...]:
    place = (row.image_id, None if row.image_id is None else json.dumps(row.polygon))
    turned = (row.rotation_angle, row.mirrored)
    moments = 2 * (_seconds(row.created),)
    return (row.id, row.name, row.type.slug, *place, row.confidence, *turned, row.worker_run_id, *moments)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
