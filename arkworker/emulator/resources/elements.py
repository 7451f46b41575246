"""Elements: created, read, changed, linked to each other, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, insert, select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import ApiRequest, Operations, PageQuery
from arkworker.emulator.failures import invalid
from arkworker.emulator.tables import Corpus, Element, ElementLink, ElementType, Image, Json, Transcription, WorkerRun
from arkworker.emulator.values import MANUAL, Angle, Body, Confidence, Id, Name, Ring, RunOrManual, Signature

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from arkworker.emulator.tables import Polygon

operations = Operations()


class NewChild(Body):
    type: str
    name: Name
    polygon: Ring
    confidence: Confidence | None = None


class NewChildren(Signature):
    elements: list[NewChild]


class NewElement(Signature):
    type: str
    name: Name
    corpus: Id
    image: Id | None = None
    polygon: Ring | None = None
    parent: Id | None = None
    confidence: Confidence | None = None


class Children(Body):
    children: list[Id]


class ElementChange(Body):
    """What is left out stays as it is; null takes away what an element need not have."""

    type: str = ""
    name: Name = ""
    polygon: Ring | None = None
    confidence: Confidence | None = None
    rotation_angle: Angle = 0
    mirrored: bool = False
    image: Id | None = None


@operations("RetrieveElement", "GET /element/{id:uuid}/")
def retrieve_element(request: ApiRequest, element: Element) -> Json:
    return represent.full_element(element, request.site)


@operations("CreateElement", "POST /elements/create/", status=201)
def create_element(request: ApiRequest, body: NewElement) -> Json:
    corpus = request.refer(Corpus, body.corpus, "corpus")
    parent = request.refer(Element, body.parent, "parent") if body.parent else None
    if parent is not None and parent.corpus_id != corpus.id:
        raise invalid("The parent is in another corpus.", "parent")
    image = _image(request, body, parent)
    kind = find_type(request, corpus.id, body.type)
    row = Element(
        corpus_id=corpus.id, type_id=kind.id, **body.model_dump(include={"name", "confidence", "worker_run_id"})
    )
    if image is not None:
        row.image_id, row.polygon = image.id, body.polygon or whole(image)
        check_inside(row.polygon, image)
    request.session.keep(row)
    if parent is not None:
        link(request.session, parent.id, [row.id])
    return represent.full_element(row, request.site)


@operations("CreateElements", "POST /element/{id:uuid}/children/bulk/", status=201)
def create_elements(request: ApiRequest, parent: Element, body: NewChildren) -> list[Json]:
    image = parent.image
    if image is None:
        raise invalid("The parent element must have an image.", code="no_image")
    types = {item.type: find_type(request, parent.corpus_id, item.type) for item in body.elements}
    rows = []
    for number, item in enumerate(body.elements):
        check_inside(item.polygon, image, "elements", number, "polygon")
        values = {**item.model_dump(exclude={"type"}), "worker_run_id": body.worker_run_id}
        rows.append(child_of(parent, type_id=types[item.type].id, **values))
    request.session.add_all(rows)
    request.session.flush()
    link(request.session, parent.id, [row.id for row in rows])
    return [{"id": row.id} for row in rows]


@operations("PartialUpdateElement", "PATCH /element/{id:uuid}/")
def update_element(request: ApiRequest, element: Element, body: ElementChange) -> Json:
    changes = body.model_dump(exclude_unset=True)
    if "type" in changes:
        element.type = find_type(request, element.corpus_id, changes.pop("type"))
    if image := changes.pop("image", None):
        element.image = request.refer(Image, image, "image")
        element.image_id = element.image.id
    for name, value in changes.items():
        setattr(element, name, value)
    if element.image is not None and element.polygon is not None:
        check_inside(element.polygon, element.image)
    return represent.full_element(element, request.site)


@operations("CreateElementParent", "POST /element/{child:uuid}/parent/{parent:uuid}/", status=201)
def create_element_parent(request: ApiRequest, child: Element, parent: Element) -> Json:
    _link_new(request, parent, [child.id])
    return {"parent": parent.id, "child": child.id}


@operations("CreateElementChildren", "POST /element/parent/{id:uuid}/", status=201)
def create_element_children(request: ApiRequest, parent: Element, body: Children) -> Json:
    children = [request.refer(Element, child, "children", i).id for i, child in enumerate(body.children)]
    _link_new(request, parent, children)
    return {"children": children}


def find_type(request: ApiRequest, corpus_id: str, slug: str) -> ElementType:
    row = request.session.scalar(select(ElementType).filter_by(corpus_id=corpus_id, slug=slug))
    if row is None:
        raise invalid(f"Element type {slug!r} does not exist in this corpus.", "type", code="does_not_exist")
    return row


def child_of(parent: Element, **columns: Any) -> Element:
    """A new element on the image of another one, which it is to be linked to."""
    return Element(corpus_id=parent.corpus_id, image_id=parent.image_id, **columns)


def whole(image: Image) -> Polygon:
    width, height = image.width, image.height
    return [[0, 0], [0, height], [width, height], [width, 0], [0, 0]]


def check_inside(polygon: Polygon, image: Image, *attr: str | int) -> None:
    """Refuse a polygon that leaves its image."""
    if any(point[0] > image.width or point[1] > image.height for point in polygon):
        place = attr or ("polygon",)
        raise invalid("The polygon must be inside of the image.", *place, code="out_of_bounds")


def link(session: Session, parent_id: str, children: list[str]) -> None:
    """Put elements below a parent, in order."""
    if children:
        values = [{"parent_id": parent_id, "child_id": child} for child in children]
        session.execute(insert(ElementLink), values)


def descendants(element_id: str) -> Any:
    """A statement of the ids of all that is below an element, at any depth."""
    return _reached(ElementLink.parent_id, ElementLink.child_id, element_id)


def ancestors(element_id: str) -> Any:
    """A statement of the ids of all that is above an element."""
    return _reached(ElementLink.child_id, ElementLink.parent_id, element_id)


def _reached(start: Any, end: Any, element_id: str) -> Any:
    """The ids that links lead to, each from `start` to `end`, one after the other."""
    reached = select(end.label("id")).where(start == element_id).cte(recursive=True)
    # UNION drops what was seen, so that a cycle ends.
    reached = reached.union(select(end).where(start == reached.c.id))
    return select(reached.c.id)


def _image(request: ApiRequest, body: NewElement, parent: Element | None) -> Image | None:
    if body.image is not None:
        return request.refer(Image, body.image, "image")
    if body.polygon is None:
        return None
    if parent is None or parent.image is None:
        raise invalid("An image or a parent with an image is required with a polygon.", "image", code="required")
    return parent.image


def _link_new(request: ApiRequest, parent: Element, ids: list[str]) -> None:
    known = select(func.count()).select_from(ElementLink)
    known = known.where(ElementLink.parent_id == parent.id, ElementLink.child_id.in_(ids))
    if len(set(ids)) < len(ids) or request.session.scalar(known):
        raise invalid("The parent already has this child.", code="unique")
    above = set(request.session.scalars(ancestors(parent.id))) | {parent.id}
    if above.intersection(ids):
        raise invalid("An element cannot be below itself.", code="cycle")
    link(request.session, parent.id, ids)


class SignedQuery(PageQuery):
    """The filters by what signed; those by worker version are deprecated."""

    worker_run: RunOrManual | None = None
    worker_version: RunOrManual | None = None


class ElementsQuery(SignedQuery):
    """What all lists of elements can be asked for."""

    folder: bool | None = None
    name: str | None = None
    type: str | None = None
    transcription_worker_run: RunOrManual | None = None
    transcription_worker_version: RunOrManual | None = None
    with_classes: bool = False
    with_corpus: bool = True
    with_has_children: bool = False
    with_metadata: bool = False
    with_zone: bool = True


class CorpusQuery(ElementsQuery):
    top_level: bool = False


class RelativesQuery(ElementsQuery):
    recursive: bool = False


@operations("ListElements", "GET /corpus/{corpus:uuid}/elements/")
def list_elements(request: ApiRequest, corpus: Corpus, query: CorpusQuery) -> Json:
    statement = select(Element).where(Element.corpus_id == corpus.id).order_by(Element.position)
    if query.top_level:
        statement = statement.where(~exists().where(ElementLink.child_id == Element.id))
    return _page(request, query, statement)


@operations("ListElementChildren", "GET /elements/{id:uuid}/children/")
def list_children(request: ApiRequest, parent: Element, query: RelativesQuery) -> Json:
    if query.recursive:
        statement = select(Element).where(Element.id.in_(descendants(parent.id))).order_by(Element.position)
    else:
        statement = children_of(parent.id)
    return _page(request, query, statement)


@operations("ListElementParents", "GET /elements/{id:uuid}/parents/")
def list_parents(request: ApiRequest, child: Element, query: RelativesQuery) -> Json:
    if query.recursive:
        above = ancestors(child.id)
    else:
        above = select(ElementLink.parent_id).where(ElementLink.child_id == child.id)
    return _page(request, query, select(Element).where(Element.id.in_(above)).order_by(Element.position))


def children_of(parent_id: str) -> Select[Any]:
    """A statement of the elements right below another one, in order."""
    below = select(Element).join(ElementLink, ElementLink.child_id == Element.id)
    return below.where(ElementLink.parent_id == parent_id).order_by(ElementLink.position)


def signed_by(column: Any, run: str | None, version: str | None) -> list[Any]:
    """The conditions of the filters by worker run and by worker version; `False` is for what people made."""
    conditions = []
    if run is not None:
        conditions.append(column.is_(None) if run in MANUAL else column == run)
    if version is not None:
        runs = select(WorkerRun.id).where(WorkerRun.version_id == version)
        conditions.append(column.is_(None) if version in MANUAL else column.in_(runs))
    return conditions


def _page(request: ApiRequest, query: ElementsQuery, statement: Select[Any]) -> Json:
    if query.name is not None:
        statement = statement.where(Element.name.icontains(query.name, autoescape=True))
    if query.type is not None or query.folder is not None:
        statement = statement.join(ElementType, ElementType.id == Element.type_id)
    if query.type is not None:
        statement = statement.where(ElementType.slug == query.type)
    if query.folder is not None:
        statement = statement.where(ElementType.folder == query.folder)
    statement = statement.where(*signed_by(Element.worker_run_id, query.worker_run, query.worker_version))
    asked = (query.transcription_worker_run, query.transcription_worker_version)
    if asked != (None, None):
        signed = signed_by(Transcription.worker_run_id, *asked)
        statement = statement.where(exists().where(Transcription.element_id == Element.id, *signed))
    return request.page(query, statement, lambda row: _list_item(request, query, row))


def _list_item(request: ApiRequest, query: ElementsQuery, row: Element) -> Json:
    item = represent.element(row, request.site)
    if not query.with_corpus:
        item["corpus"] = None
    if not query.with_zone:
        item["zone"] = None
    below = exists().where(ElementLink.parent_id == row.id).select()
    item["has_children"] = bool(request.session.scalar(below)) if query.with_has_children else None
    item["classes"] = represent.classifications(row) if query.with_classes else None
    item["metadata"] = represent.metadata_of(row) if query.with_metadata else None
    return item
