"""Transcriptions: one, many, or many with the elements that they stand on; and the entities in them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import ApiRequest, Operations
from arkworker.emulator.failures import invalid
from arkworker.emulator.resources.elements import (
    SignedQuery,
    check_inside,
    child_of,
    children_of,
    descendants,
    find_type,
    link,
    signed_by,
)
from arkworker.emulator.tables import Element, ElementType, EntityType, Json, Transcription, TranscriptionEntity
from arkworker.emulator.values import Body, Confidence, Id, Orientation, Ring, Signature, Text

operations = Operations()


class _Written(Body):
    text: Text
    confidence: Confidence | None = None
    orientation: Orientation = "horizontal-lr"


class NewTranscription(_Written, Signature):
    pass


class NewItem(_Written):
    element_id: Id


class NewTranscriptions(Signature):
    transcriptions: list[NewItem]


class NewAnnotation(_Written):
    polygon: Ring
    element_confidence: Confidence | None = None


class NewAnnotations(Signature):
    element_type: str
    transcriptions: list[NewAnnotation]
    return_elements: bool = False


class TranscriptionsQuery(SignedQuery):
    element_type: str | None = None
    recursive: bool = False


@operations("CreateTranscription", "POST /element/{id:uuid}/transcription/", status=201)
def create_transcription(request: ApiRequest, element: Element, body: NewTranscription) -> Json:
    return represent.transcription(request.session.keep(_row(element.id, body, body.worker_run_id)))


@operations("CreateTranscriptions", "POST /transcription/bulk/", status=201)
def create_transcriptions(request: ApiRequest, body: NewTranscriptions) -> Json:
    rows = []
    for number, item in enumerate(body.transcriptions):
        element = request.refer(Element, item.element_id, "transcriptions", number, "element_id")
        rows.append(_row(element.id, item, body.worker_run_id))
    request.session.add_all(rows)
    request.session.flush()
    found = [{**represent.transcription(row), "element_id": row.element_id} for row in rows]
    return {"worker_run_id": body.worker_run_id, "transcriptions": found}


@operations("CreateElementTranscriptions", "POST /element/{id:uuid}/transcriptions/bulk/", status=201)
def create_element_transcriptions(request: ApiRequest, element: Element, body: NewAnnotations) -> list[Json]:
    """Each transcription goes to the child with its type and polygon, which is created when there is none."""
    image = element.image
    if image is None:
        raise invalid("The element must have an image.", code="no_image")
    kind = find_type(request, element.corpus_id, body.element_type)
    below = children_of(element.id).where(Element.type_id == kind.id)
    children = {_key(child.polygon): child.id for child in request.session.scalars(below)}
    answers = []
    for number, item in enumerate(body.transcriptions):
        check_inside(item.polygon, image, "transcriptions", number, "polygon")
        key = _key(item.polygon)
        is_new = key not in children
        if is_new:
            columns = {"type_id": kind.id, "name": f"{len(children) + 1}", "polygon": item.polygon}
            signature = {"confidence": item.element_confidence, "worker_run_id": body.worker_run_id}
            children[key] = request.session.keep(child_of(element, **columns, **signature)).id
            link(request.session, element.id, [children[key]])
        row = request.session.keep(_row(children[key], item, body.worker_run_id))
        answers.append({"id": row.id, "element_id": children[key], "created": is_new})
    return answers


@operations("ListTranscriptions", "GET /element/{id:uuid}/transcriptions/")
def list_transcriptions(request: ApiRequest, element: Element, query: TranscriptionsQuery) -> Json:
    statement = select(Transcription).order_by(Transcription.position)
    own = Transcription.element_id == element.id
    below = Transcription.element_id.in_(descendants(element.id))
    statement = statement.where(own | below if query.recursive else own)
    if query.element_type is not None:
        statement = statement.join(Element, Element.id == Transcription.element_id)
        statement = statement.join(ElementType).where(ElementType.slug == query.element_type)
    statement = statement.where(*signed_by(Transcription.worker_run_id, query.worker_run, query.worker_version))

    def show(row: Transcription) -> Json:
        return {**represent.transcription(row), "element": represent.element(row.element, request.site)}

    return request.page(query, statement, show)


def _row(element_id: str, item: _Written, run: str | None) -> Transcription:
    written = item.model_dump(include={"text", "confidence", "orientation"})
    return Transcription(element_id=element_id, **written, worker_run_id=run)


def _key(polygon: Any) -> tuple[tuple[float, ...], ...]:
    """A polygon as others are compared with it, whether it is given closed or not."""
    points = tuple(tuple(point) for point in polygon or ())
    return points[:-1] if points and points[0] == points[-1] else points


class _Marked(Body):
    type_id: Id
    offset: int = Field(ge=0)
    length: int = Field(gt=0)
    confidence: Confidence | None = None


class NewEntity(_Marked, Signature):
    pass


class NewEntities(Signature):
    transcription_entities: list[_Marked]


@operations("CreateTranscriptionEntity", "POST /transcription/{id:uuid}/entities/", status=201)
def create_entity(request: ApiRequest, transcription: Transcription, body: NewEntity) -> Json:
    return represent.entity(_mark(request, transcription, body, body.worker_run_id))


@operations("CreateTranscriptionEntities", "POST /transcription/{id:uuid}/entities/bulk/", status=201)
def create_entities(request: ApiRequest, transcription: Transcription, body: NewEntities) -> Json:
    rows = [
        _mark(request, transcription, item, body.worker_run_id, "transcription_entities", number)
        for number, item in enumerate(body.transcription_entities)
    ]
    found = [represent.pick(row, "id", "type_id", "offset", "length", "confidence") for row in rows]
    return {"worker_run_id": body.worker_run_id, "transcription_entities": found}


@operations("ListTranscriptionEntities", "GET /transcription/{id:uuid}/entities/")
def list_entities(request: ApiRequest, transcription: Transcription, query: SignedQuery) -> Json:
    rows = select(TranscriptionEntity).where(TranscriptionEntity.transcription_id == transcription.id)
    rows = rows.where(*signed_by(TranscriptionEntity.worker_run_id, query.worker_run, query.worker_version))
    rows = rows.order_by(TranscriptionEntity.offset, TranscriptionEntity.position)
    return request.page(query, rows, represent.entity)


def _mark(
    request: ApiRequest, transcription: Transcription, item: _Marked, run: str | None, *attr: str | int
) -> TranscriptionEntity:
    kind = request.refer(EntityType, item.type_id, *attr, "type_id")
    if item.offset + item.length > len(transcription.text):
        raise invalid("The entity must be inside of the transcription.", *attr, "length", code="out_of_bounds")
    place = {"transcription_id": transcription.id, "type_id": kind.id, "offset": item.offset, "length": item.length}
    if request.session.scalar(select(TranscriptionEntity.id).filter_by(**place, worker_run_id=run)) is not None:
        raise invalid("This entity is already there.", *attr, code="unique")
    row = TranscriptionEntity(**place, confidence=item.confidence, worker_run_id=run)
    return request.session.keep(row)
