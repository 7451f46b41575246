"""Rows as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import object_session

from arkworker.emulator import iiif
from arkworker.emulator.tables import Classification, MetaData, WorkerRun

if TYPE_CHECKING:
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import (
        Dataset,
        Element,
        ElementType,
        Embedding,
        EntityType,
        Image,
        Json,
        Row,
        Signed,
        Transcription,
        TranscriptionEntity,
    )


def pick(row: Any, *names: str) -> Json:
    """Columns that are shown as they are."""
    return {name: getattr(row, name) for name in names}


def named(row: Row) -> Json:
    """What stands for a row in another one."""
    return pick(row, "id", "name")


def signed(row: Signed | Element, *names: str) -> Json:
    """Columns of a result, and the worker run that found it."""
    return {**pick(row, *names), "worker_run": worker_run(row)}


def worker_run(row: Signed | Element) -> Json | None:
    session = object_session(row)
    if row.worker_run_id is None or session is None:
        return None
    summary = session.scalar(select(WorkerRun.summary).where(WorkerRun.id == row.worker_run_id))
    return {"id": row.worker_run_id, "summary": summary}


def image(row: Image, site: Site) -> Json:
    width, height = site.max_image_size or (None, None)
    return {
        **pick(row, "id", "path", "width", "height"),
        "url": iiif.url(row, site),
        "s3_url": _direct_url(row, site) if site.direct_images and row.external_url is None else None,
        "status": row.status,
        "server": {
            "display_name": "Emulated image server",
            "url": f"{site.storage_url}{iiif.PREFIX}/{site.iiif_version}",
            "max_width": width,
            "max_height": height,
            "version": site.iiif_version,
        },
    }


def _direct_url(row: Image, site: Site) -> str:
    key = f"images/{row.id}"
    iiif.store(row, site.storage.path(key))
    return site.address("GET", key)


def zone(row: Element, site: Site) -> Json | None:
    """The place of an element on its image; its id is the element's, as there is one zone per element."""
    if row.image is None or row.polygon is None:
        return None
    url = iiif.crop_url(row.image, row.polygon, site)
    return {**pick(row, "id", "polygon"), "url": url, "image": image(row.image, site)}


def element_type(row: ElementType) -> Json:
    return pick(row, "id", "slug", "display_name", "folder", "color")


def element(row: Element, site: Site) -> Json:
    """What lists and single answers have in common; lists leave out what was not asked for."""
    place = zone(row, site)
    return {
        "id": row.id,
        "type": row.type.slug,
        "name": row.name,
        "corpus": pick(row.corpus, "id", "name", "public"),
        "zone": place,
        "thumbnail_url": place and place["url"].replace("/full/0/", "/400,/0/").replace("/max/0/", "/400,/0/"),
        **signed(row, "rotation_angle", "mirrored", "confidence", "created"),
    }


def full_element(row: Element, site: Site) -> Json:
    """An element with all that hangs on it."""
    found = classifications(row)
    facts = metadata_of(row)
    return {
        **element(row, site),
        "classes": found,
        "classifications": found,
        "metadata": facts,
        "metadata_count": len(facts),
    }


def classification(row: Classification) -> Json:
    return {
        "id": row.id,
        "ml_class": named(row.ml_class),
        **signed(row, "confidence", "high_confidence", "state"),
    }


def classifications(row: Element) -> list[Json]:
    return [classification(item) for item in _on(Classification, row)]


def metadata(row: MetaData) -> Json:
    value = float(row.value) if row.type == "numeric" else row.value
    return {**pick(row, "id", "type", "name"), "value": value, "dates": [], "worker_run": worker_run(row)}


def metadata_of(row: Element) -> list[Json]:
    return [metadata(item) for item in _on(MetaData, row)]


def _on(table: Any, row: Element) -> list[Any]:
    """The results of a kind on an element, in the order in which they came."""
    session = object_session(row)
    rows = select(table).where(table.element_id == row.id).order_by(table.position)
    return [] if session is None else list(session.scalars(rows))


def transcription(row: Transcription) -> Json:
    return signed(row, "id", "text", "confidence", "orientation")


def entity_type(row: EntityType) -> Json:
    return pick(row, "id", "name", "color")


def entity(row: TranscriptionEntity) -> Json:
    return {"type": entity_type(row.type), **signed(row, "offset", "length", "confidence")}


def embedding(row: Embedding) -> Json:
    return signed(row, "id", "value", "created")


def dataset(row: Dataset) -> Json:
    return {
        **pick(row, "id", "name", "description"),
        "sets": [named(item) for item in row.sets],
        "corpus_id": row.corpus_id,
        "creator": "Emulated user",
        "state": row.state,
        "task_id": None,
        **pick(row, "unique_elements", "created", "updated"),
    }
