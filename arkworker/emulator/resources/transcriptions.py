"""Transcriptions: one, many, or many with the elements that they stand on; and the entities in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import Operations, PageQuery, paginate
from arkworker.emulator.failures import invalid
from arkworker.emulator.resources.elements import check_inside, descendants, find_type, link, run_id, sign, signed_by
from arkworker.emulator.tables import Element, ElementLink, ElementType, EntityType, Transcription, TranscriptionEntity
from arkworker.emulator.values import Body, Confidence, Id, Orientation, Ring, RunOrManual, Signature, Text

if TYPE_CHECKING:
    from arkworker.emulator.endpoint import ApiRequest

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


class TranscriptionsQuery(PageQuery):
    element_type: str | None = None
    recursive: bool = False
    worker_run: RunOrManual | None = None
    worker_version: RunOrManual | None = None


@operations("CreateTranscription", "POST /element/{id:uuid}/transcription/", body=NewTranscription, status=201)
def create_transcription(request: ApiRequest, element_id: str, body: NewTranscription) -> dict[str, Any]:
    element = request.get(Element, element_id)
    sign(request, body)
    row = _row(element.id, body, run_id(body))
    request.session.add(row)
    request.session.flush()
    return represent.transcription(row, request.session)


@operations("CreateTranscriptions", "POST /transcription/bulk/", body=NewTranscriptions, status=201)
def create_transcriptions(request: ApiRequest, body: NewTranscriptions) -> dict[str, Any]:
    sign(request, body)
    rows = []
    for number, item in enumerate(body.transcriptions):
        element = request.refer(Element, item.element_id, "transcriptions", number, "element_id")
        rows.append(_row(element.id, item, run_id(body)))
    request.session.add_all(rows)
    request.session.flush()
    found = [{**represent.transcription(row, request.session), "element_id": row.element_id} for row in rows]
    return {"worker_run_id": run_id(body), "transcriptions": found}


@operations(
    "CreateElementTranscriptions", "POST /element/{id:uuid}/transcriptions/bulk/", body=NewAnnotations, status=201
)
def create_element_transcriptions(request: ApiRequest, element_id: str, body: NewAnnotations) -> list[dict[str, Any]]:
    """Each transcription goes to the child with its type and polygon, which is created when there is none."""
    element = request.get(Element, element_id)
    sign(request, body)
    image = element.image
    if image is None:
        raise invalid("The element must have an image.", code="no_image")
    kind = find_type(request, element.corpus_id, body.element_type)
    children = {_key(child.polygon): child.id for child in _children(request, element, kind)}
    answers = []
    for number, item in enumerate(body.transcriptions):
        check_inside(item.polygon, image, "transcriptions", number, "polygon")
        known = children.get(_key(item.polygon))
        child = known or _add_child(
            request,
            element,
            type_id=kind.id,
            name=f"{len(children) + 1}",
            polygon=item.polygon,
            confidence=item.element_confidence,
            worker_run_id=run_id(body),
        )
        children[_key(item.polygon)] = child
        row = _row(child, item, run_id(body))
        request.session.add(row)
        request.session.flush()
        answers.append({"id": row.id, "element_id": child, "created": known is None})
    return answers


@operations(
    "ListTranscriptions", "GET /element/{id:uuid}/transcriptions/", query=TranscriptionsQuery, pagination="page"
)
def list_transcriptions(request: ApiRequest, element_id: str, query: TranscriptionsQuery) -> dict[str, Any]:
    element = request.get(Element, element_id)
    statement = select(Transcription).order_by(Transcription.position)
    own = Transcription.element_id == element.id
    below = Transcription.element_id.in_(descendants(element.id))
    statement = statement.where(own | below if query.recursive else own)
    if query.element_type is not None:
        statement = statement.join(Element, Element.id == Transcription.element_id)
        statement = statement.join(ElementType).where(ElementType.slug == query.element_type)
    statement = statement.where(*signed_by(Transcription.worker_run_id, query.worker_run, query.worker_version))
    return paginate(request, query, statement, lambda row: _with_element(request, row))


def _with_element(request: ApiRequest, row: Transcription) -> dict[str, Any]:
    element = represent.element(row.element, request.session, request.site)
    return {**represent.transcription(row, request.session), "element": element}


def _row(element_id: str, item: _Written, run: str | None) -> Transcription:
    return Transcription(
        element_id=element_id,
        text=item.text,
        confidence=item.confidence,
        orientation=item.orientation,
        worker_run_id=run,
    )


def _key(polygon: Any) -> tuple[tuple[float, ...], ...]:
    """A polygon as others are compared with it, whether it is given closed or not."""
    points = tuple(tuple(point) for point in polygon or ())
    return points[:-1] if points and points[0] == points[-1] else points


def _children(request: ApiRequest, element: Element, kind: ElementType) -> Any:
    statement = select(Element).join(ElementLink, ElementLink.child_id == Element.id)
    return request.session.scalars(
        statement.where(ElementLink.parent_id == element.id, Element.type_id == kind.id).order_by(Element.position)
    )


def _add_child(request: ApiRequest, parent: Element, **columns: Any) -> str:
    child = Element(corpus_id=parent.corpus_id, image_id=parent.image_id, **columns)
    request.session.add(child)
    request.session.flush()
    link(request.session, parent.id, [child.id])
    return child.id


class NewPart(Body):
    type_id: Id
    offset: int = Field(ge=0)
    length: int = Field(gt=0)
    confidence: Confidence | None = None


class NewEntity(NewPart, Signature):
    pass


class NewEntities(Signature):
    transcription_entities: list[NewPart]


class EntitiesQuery(PageQuery):
    worker_run: RunOrManual | None = None
    worker_version: RunOrManual | None = None


@operations("CreateTranscriptionEntity", "POST /transcription/{id:uuid}/entities/", body=NewEntity, status=201)
def create_entity(request: ApiRequest, transcription_id: str, body: NewEntity) -> dict[str, Any]:
    transcription = request.get(Transcription, transcription_id)
    sign(request, body)
    return represent.entity(_mark(request, transcription, body, run_id(body)), request.session)


@operations("CreateTranscriptionEntities", "POST /transcription/{id:uuid}/entities/bulk/", body=NewEntities, status=201)
def create_entities(request: ApiRequest, transcription_id: str, body: NewEntities) -> dict[str, Any]:
    transcription = request.get(Transcription, transcription_id)
    sign(request, body)
    rows = [
        _mark(request, transcription, item, run_id(body), "transcription_entities", number)
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


def _mark(
    request: ApiRequest, transcription: Transcription, item: NewPart, run: str | None, *attr: str | int
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
