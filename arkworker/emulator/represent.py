"""Rows as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import iiif
from arkworker.emulator.tables import Classification, MetaData, Transcription, WorkerRun

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Element, ElementType, Image, TranscriptionEntity


def image(row: Image, site: Site) -> dict[str, Any]:
    width, height = site.max_image_size or (None, None)
    return {
        "id": row.id,
        "path": row.path,
        "width": row.width,
        "height": row.height,
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
    return site.storage_url + site.storage.sign("GET", key)


def zone(row: Element, site: Site) -> dict[str, Any] | None:
    """The place of an element on its image; its id is the element's, as there is one zone per element."""
    if row.image is None or row.polygon is None:
        return None
    return {
        "id": row.id,
        "polygon": row.polygon,
        "url": iiif.crop_url(row.image, row.polygon, site),
        "image": image(row.image, site),
    }


def corpus_of(row: Element) -> dict[str, Any]:
    return {"id": row.corpus.id, "name": row.corpus.name, "public": row.corpus.public}


def element_type(row: ElementType) -> dict[str, Any]:
    names = ("id", "slug", "display_name", "folder", "color")
    return {name: getattr(row, name) for name in names}


def worker_run(session: Session, identifier: str | None) -> dict[str, Any] | None:
    if identifier is None:
        return None
    summary = session.scalar(select(WorkerRun.summary).where(WorkerRun.id == identifier))
    return {"id": identifier, "summary": summary}


def element(row: Element, session: Session, site: Site) -> dict[str, Any]:
    """What lists and single answers have in common; lists leave out what was not asked for."""
    place = zone(row, site)
    return {
        "id": row.id,
        "type": row.type.slug,
        "name": row.name,
        "corpus": corpus_of(row),
        "zone": place,
        "thumbnail_url": place and place["url"].replace("/full/0/", "/400,/0/").replace("/max/0/", "/400,/0/"),
        "rotation_angle": row.rotation_angle,
        "mirrored": row.mirrored,
        "confidence": row.confidence,
        "created": row.created,
        "worker_run": worker_run(session, row.worker_run_id),
    }


def classification(row: Classification, session: Session) -> dict[str, Any]:
    return {
        "id": row.id,
        "ml_class": {"id": row.ml_class.id, "name": row.ml_class.name},
        "confidence": row.confidence,
        "high_confidence": row.high_confidence,
        "state": row.state,
        "worker_run": worker_run(session, row.worker_run_id),
    }


def classifications(session: Session, element_id: str) -> list[dict[str, Any]]:
    rows = select(Classification).where(Classification.element_id == element_id).order_by(Classification.position)
    return [classification(row, session) for row in session.scalars(rows)]


def metadata(row: MetaData, session: Session) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "value": float(row.value) if row.type == "numeric" else row.value,
        "dates": [],
        "worker_run": worker_run(session, row.worker_run_id),
    }


def metadata_of(session: Session, element_id: str) -> list[dict[str, Any]]:
    rows = select(MetaData).where(MetaData.element_id == element_id).order_by(MetaData.position)
    return [metadata(row, session) for row in session.scalars(rows)]


def transcription(row: Transcription, session: Session) -> dict[str, Any]:
    return {
        "id": row.id,
        "text": row.text,
        "confidence": row.confidence,
        "orientation": row.orientation,
        "worker_run": worker_run(session, row.worker_run_id),
    }


def entity(row: TranscriptionEntity, session: Session) -> dict[str, Any]:
    return {
        "type": {"id": row.type.id, "name": row.type.name, "color": row.type.color},
        "offset": row.offset,
        "length": row.length,
        "confidence": row.confidence,
        "worker_run": worker_run(session, row.worker_run_id),
    }
