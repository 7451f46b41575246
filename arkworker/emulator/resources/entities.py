"""Entities in transcriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.failures import invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import PageQuery, paginate
from arkworker.emulator.resources.element_lists import signed_by
from arkworker.emulator.resources.elements import run_id, sign
from arkworker.emulator.tables import EntityType, Transcription, TranscriptionEntity
from arkworker.emulator.values import Body, Confidence, Id, RunOrManual, Signature

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewItem(Body):
    type_id: Id
    offset: int = Field(ge=0)
    length: int = Field(gt=0)
    confidence: Confidence | None = None


class NewEntity(NewItem, Signature):
    pass


class NewEntities(Signature):
    transcription_entities: list[NewItem]


class EntitiesQuery(PageQuery):
    worker_run: RunOrManual | None = None
    worker_version: RunOrManual | None = None


@operations("CreateTranscriptionEntity", "POST /transcription/{id:uuid}/entities/", body=NewEntity, status=201)
def create_entity(request: ApiRequest, transcription_id: str, body: NewEntity) -> dict[str, Any]:
    transcription = request.get(Transcription, transcription_id)
    sign(request, body)
    return represent.entity(_create(request, transcription, body, run_id(body)), request.session)


@operations("CreateTranscriptionEntities", "POST /transcription/{id:uuid}/entities/bulk/", body=NewEntities, status=201)
def create_entities(request: ApiRequest, transcription_id: str, body: NewEntities) -> dict[str, Any]:
    transcription = request.get(Transcription, transcription_id)
    sign(request, body)
    rows = [
        _create(request, transcription, item, run_id(body), "transcription_entities", number)
        for number, item in enumerate(body.transcription_entities)
    ]
    found = [
        {"id": row.id, "type_id": row.type_id, "offset": row.offset, "length": row.length, "confidence": row.confidence}
        for row in rows
    ]
    return {"worker_run_id": run_id(body), "transcription_entities": found}


@operations(
    "ListTranscriptionEntities", "GET /transcription/{id:uuid}/entities/", query=EntitiesQuery, pagination="page"
)
def list_entities(request: ApiRequest, transcription_id: str, query: EntitiesQuery) -> dict[str, Any]:
    transcription = request.get(Transcription, transcription_id)
    rows = select(TranscriptionEntity).where(TranscriptionEntity.transcription_id == transcription.id)
    rows = rows.where(*signed_by(TranscriptionEntity.worker_run_id, query.worker_run, query.worker_version))
    rows = rows.order_by(TranscriptionEntity.offset, TranscriptionEntity.position)
    return paginate(request, query, rows, lambda row: represent.entity(row, request.session))


def _create(
    request: ApiRequest, transcription: Transcription, item: NewItem, run: str | None, *attr: str | int
) -> TranscriptionEntity:
    kind = request.refer(EntityType, item.type_id, *attr, "type_id")
    if item.offset + item.length > len(transcription.text):
        raise invalid("The entity must be inside of the transcription.", *attr, "length", code="out_of_bounds")
    same = select(TranscriptionEntity.id).filter_by(
        transcription_id=transcription.id, type_id=kind.id, offset=item.offset, length=item.length, worker_run_id=run
    )
    if request.session.scalar(same) is not None:
        raise invalid("This entity is already there.", *attr, code="unique")
    row = TranscriptionEntity(
        transcription_id=transcription.id,
        type_id=kind.id,
        offset=item.offset,
        length=item.length,
        confidence=item.confidence,
        worker_run_id=run,
    )
    request.session.add(row)
    request.session.flush()
    return row
