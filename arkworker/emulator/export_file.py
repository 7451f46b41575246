"""The file of an export, as Arkindex makes it: elements and results of a corpus, or of a dataset, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import declarations, iiif
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
    from collections.abc import Callable, Iterable

    from sqlalchemy.orm import Session

    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Export, Json, Row

VERSION = 8
SCHEMA = Path(__file__).with_name("export.sql")


def write_export(session: Session, export: Export, path: Path, site: Site) -> None:
    """Write what belongs to `export` into a new database at `path`."""
    path.unlink(missing_ok=True)
    elements = list(session.scalars(_elements(export)))
    images = {row.image.id: row.image for row in elements if row.image is not None}
    servers = {iiif.server(image, site): number for number, image in enumerate(images.values(), start=1)}
    limits = {"max_width": None, "max_height": None, "version": site.iiif_version}
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(SCHEMA.read_text(encoding="utf-8"))
        file.execute("INSERT INTO export_version VALUES (?)", (VERSION,))
        _insert(file, "worker_version", session.scalars(select(WorkerVersion)), _version)
        _insert(file, "worker_run", session.scalars(select(WorkerRun)), _run)
        _insert(
            file, "image_server", servers, lambda url: {"id": servers[url], "url": url, "display_name": url, **limits}
        )
        _insert(
            file,
            "image",
            images.values(),
            lambda row: {"server_id": servers[iiif.server(row, site)], "url": iiif.url(row, site)},
        )
        _insert(file, "element", elements, _element)
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
    places = {row.position: number for number, row in enumerate(kept)}
    _insert(file, "element_path", kept, lambda row: {"id": new_id(), "ordering": places[row.position]})
    texts = list(found(Transcription))
    _insert(file, "transcription", texts)
    _insert(file, "classification", found(Classification), lambda row: {"class_name": row.ml_class.name})
    _insert(file, "metadata", found(MetaData))
    _insert(file, "entity_type", session.scalars(select(EntityType).filter_by(corpus_id=export.corpus_id)))
    own = {row.id for row in texts}
    entities = session.scalars(select(TranscriptionEntity))
    _insert(file, "transcription_entity", (row for row in entities if row.transcription_id in own))
    _insert(file, "embedding", found(Embedding), lambda row: {"value": json.dumps(row.value), **_moments(row)})


def _insert_dataset(session: Session, file: sqlite3.Connection, export: Export) -> None:
    dataset = session.scalar(select(Dataset).where(Dataset.id == export.dataset_id))
    if dataset is None:
        return
    _insert(file, "dataset", [dataset], lambda row: {"sets": ",".join(item.name for item in row.sets)})
    rows = session.scalars(select(DatasetElement).join(DatasetSet).where(DatasetSet.dataset_id == dataset.id))
    _insert(
        file,
        "dataset_element",
        rows,
        lambda row: {"id": new_id(), "dataset_id": row.set.dataset_id, "set_name": row.set.name},
    )


def _insert(
    file: sqlite3.Connection, table: str, rows: Iterable[Any], given: Callable[[Any], Json] = lambda _row: {}
) -> None:
    """Write rows: each column is what `given` says of the row, or its attribute of the same name."""
    columns = [name for (name,) in file.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    values = ((row, given(row)) for row in rows)
    file.executemany(
        f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 - names of the schema above
        ([said[name] if name in said else getattr(row, name) for name in columns] for row, said in values),
    )


def _version(row: WorkerVersion) -> Json:
    return {**declarations.worker(row.declaration), "repository_url": None, "revision": None, "version": 1}


def _run(row: WorkerRun) -> Json:
    model = row.model_version and row.model_version.model
    return {
        "worker_version_id": row.version_id,
        "model_id": model and model.id,
        "model_name": model and model.name,
        "configuration_id": None if row.saved is None else row.id,
        "configuration": None if row.saved is None else json.dumps(row.saved),
    }


def _element(row: Element) -> Json:
    polygon = None if row.image_id is None else json.dumps(row.polygon)
    return {"type": row.type.slug, "polygon": polygon, **_moments(row)}


def _moments(row: Row) -> Json:
    return dict.fromkeys(("created", "updated"), datetime.fromisoformat(row.created).timestamp())
