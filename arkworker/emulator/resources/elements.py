"""Elements: created, read, changed, linked to each other, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, insert, select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import Operations, PageQuery, paginate
from arkworker.emulator.failures import invalid
from arkworker.emulator.tables import Corpus, Element, ElementLink, ElementType, Image, Transcription, WorkerRun
from arkworker.emulator.values import Body, Confidence, Id, Name, Ring, RunOrManual, Signature

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from arkworker.emulator.endpoint import ApiRequest
    from arkworker.emulator.tables import Polygon

operations = Operations()


class NewElement(Signature):
    type: str
    name: Name
    corpus: Id
    image: Id | None = None
    polygon: Ring | None = None
    parent: Id | None = None
    confidence: Confidence | None = None


class NewChild(Body):
    type: str
    name: Name
    polygon: Ring
    confidence: Confidence | None = None


class NewChildren(Signature):
    elements: list[NewChild]


class Children(Body):
    children: list[Id]


class ElementChange(Body):
    type: str | None = None
    name: Name | None = None
    polygon: Ring | None = None
    confidence: Confidence | None = None
    rotation_angle: int | None = None
    mirrored: bool | None = None
    image: Id | None = None


@operations("RetrieveElement", "GET /element/{id:uuid}/")
def retrieve_element(request: ApiRequest, element_id: str) -> dict[str, Any]:
    return full(request, request.get(Element, element_id))


@operations("CreateElement", "POST /elements/create/", body=NewElement, status=201)
def create_element(request: ApiRequest, body: NewElement) -> dict[str, Any]:
    sign(request, body)
    corpus = request.refer(Corpus, body.corpus, "corpus")
    parent = request.refer(Element, body.parent, "parent") if body.parent else None
    if parent is not None and parent.corpus_id != corpus.id:
        raise invalid("The parent is in another corpus.", "parent")
    image = _image(request, body, parent)
    row = Element(
        corpus_id=corpus.id,
        type_id=find_type(request, corpus.id, body.type).id,
        name=body.name,
        image_id=image and image.id,
        polygon=image and (body.polygon or whole(image)),
        confidence=body.confidence,
        worker_run_id=run_id(body),
    )
    if image is not None and row.polygon is not None:
        check_inside(row.polygon, image)
    request.session.add(row)
    request.session.flush()
    if parent is not None:
        link(request.session, parent.id, [row.id])
    return full(request, row)


@operations("CreateElements", "POST /element/{id:uuid}/children/bulk/", body=NewChildren, status=201)
def create_elements(request: ApiRequest, parent_id: str, body: NewChildren) -> list[dict[str, Any]]:
    parent = request.get(Element, parent_id)
    sign(request, body)
    image = parent.image
    if image is None:
        raise invalid("The parent element must have an image.", code="no_image")
    types = {item.type: find_type(request, parent.corpus_id, item.type) for item in body.elements}
    rows = []
    for number, item in enumerate(body.elements):
        check_inside(item.polygon, image, "elements", number, "polygon")
        rows.append(
            Element(
                corpus_id=parent.corpus_id,
                type_id=types[item.type].id,
                name=item.name,
                image_id=parent.image_id,
                polygon=item.polygon,
                confidence=item.confidence,
                worker_run_id=run_id(body),
            )
        )
    request.session.add_all(rows)
    request.session.flush()
    link(request.session, parent.id, [row.id for row in rows])
    return [{"id": row.id} for row in rows]


@operations("PartialUpdateElement", "PATCH /element/{id:uuid}/", body=ElementChange)
def update_element(request: ApiRequest, element_id: str, body: ElementChange) -> dict[str, Any]:
    row = request.get(Element, element_id)
    changes = body.model_dump(exclude_unset=True)
    if "type" in changes:
        row.type = find_type(request, row.corpus_id, changes.pop("type"))
    if changes.pop("image", None):
        row.image = request.refer(Image, body.image, "image")
        row.image_id = row.image.id
    for name, value in changes.items():
        setattr(row, name, value)
    if row.image is not None and row.polygon is not None:
        check_inside(row.polygon, row.image)
    return full(request, row)


@operations("CreateElementParent", "POST /element/{child:uuid}/parent/{parent:uuid}/", status=201)
def create_element_parent(request: ApiRequest, child_id: str, parent_id: str) -> dict[str, str]:
    child, parent = request.get(Element, child_id), request.get(Element, parent_id)
    _link_new(request, parent, [child])
    return {"parent": parent.id, "child": child.id}


@operations("CreateElementChildren", "POST /element/parent/{id:uuid}/", body=Children, status=201)
def create_element_children(request: ApiRequest, parent_id: str, body: Children) -> dict[str, list[str]]:
    parent = request.get(Element, parent_id)
    children = [request.refer(Element, child, "children", i) for i, child in enumerate(body.children)]
    _link_new(request, parent, children)
    return {"children": [child.id for child in children]}


def full(request: ApiRequest, row: Element) -> dict[str, Any]:
    """An element with all that hangs on it."""
    classifications = represent.classifications(request.session, row.id)
    metadata = represent.metadata_of(request.session, row.id)
    return {
        **represent.element(row, request.session, request.site),
        "classes": classifications,
        "classifications": classifications,
        "metadata": metadata,
        "metadata_count": len(metadata),
    }


def find_type(request: ApiRequest, corpus_id: str, slug: str) -> ElementType:
    row = request.session.scalar(
        select(ElementType).where(ElementType.corpus_id == corpus_id, ElementType.slug == slug)
    )
    if row is None:
        raise invalid(f"Element type {slug!r} does not exist in this corpus.", "type", code="does_not_exist")
    return row


def sign(request: ApiRequest, body: Signature) -> None:
    """Check that the worker run that signs exists, and is the caller's own when a task is calling."""
    if body.worker_run_id is None:
        return
    run = request.refer(WorkerRun, body.worker_run_id, "worker_run_id")
    task = request.caller.task
    if task is not None and task.worker_run_id != run.id:
        raise invalid("A task can only sign with its own worker run.", "worker_run_id", code="permission_denied")


def run_id(body: Signature) -> str | None:
    return str(body.worker_run_id) if body.worker_run_id else None


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
    tree = select(ElementLink.child_id.label("id")).where(ElementLink.parent_id == element_id).cte(recursive=True)
    # UNION drops what was seen, so that a cycle ends.
    tree = tree.union(select(ElementLink.child_id).where(ElementLink.parent_id == tree.c.id))
    return select(tree.c.id)


def ancestors(element_id: str) -> Any:
    """A statement of the ids of all that is above an element."""
    tree = select(ElementLink.parent_id.label("id")).where(ElementLink.child_id == element_id).cte(recursive=True)
    tree = tree.union(select(ElementLink.parent_id).where(ElementLink.child_id == tree.c.id))
    return select(tree.c.id)


def _image(request: ApiRequest, body: NewElement, parent: Element | None) -> Image | None:
    if body.image is not None:
        return request.refer(Image, body.image, "image")
    if body.polygon is None:
        return None
    if parent is None or parent.image is None:
        raise invalid("An image or a parent with an image is required with a polygon.", "image", code="required")
    return parent.image


def _link_new(request: ApiRequest, parent: Element, children: list[Element]) -> None:
    ids = [child.id for child in children]
    known = select(func.count()).select_from(ElementLink)
    known = known.where(ElementLink.parent_id == parent.id, ElementLink.child_id.in_(ids))
    if len(set(ids)) < len(ids) or request.session.scalar(known):
        raise invalid("The parent already has this child.", code="unique")
    above = set(request.session.scalars(ancestors(parent.id))) | {parent.id}
    if above.intersection(ids):
        raise invalid("An element cannot be below itself.", code="cycle")
    link(request.session, parent.id, ids)


class ElementsQuery(PageQuery):
    """What all lists of elements can be asked for; the filters by worker version are deprecated."""

    folder: bool | None = None
    name: str | None = None
    type: str | None = None
    worker_run: RunOrManual | None = None
    worker_version: RunOrManual | None = None
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


@operations("ListElements", "GET /corpus/{corpus:uuid}/elements/", query=CorpusQuery, pagination="page")
def list_elements(request: ApiRequest, corpus_id: str, query: CorpusQuery) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    statement = select(Element).where(Element.corpus_id == corpus.id).order_by(Element.position)
    if query.top_level:
        statement = statement.where(~exists().where(ElementLink.child_id == Element.id))
    return _page(request, query, statement)


@operations("ListElementChildren", "GET /elements/{id:uuid}/children/", query=RelativesQuery, pagination="page")
def list_children(request: ApiRequest, element_id: str, query: RelativesQuery) -> dict[str, Any]:
    parent = request.get(Element, element_id)
    if query.recursive:
        statement = select(Element).where(Element.id.in_(descendants(parent.id))).order_by(Element.position)
    else:
        statement = select(Element).join(ElementLink, ElementLink.child_id == Element.id)
        statement = statement.where(ElementLink.parent_id == parent.id).order_by(ElementLink.position)
    return _page(request, query, statement)


@operations("ListElementParents", "GET /elements/{id:uuid}/parents/", query=RelativesQuery, pagination="page")
def list_parents(request: ApiRequest, element_id: str, query: RelativesQuery) -> dict[str, Any]:
    child = request.get(Element, element_id)
    if query.recursive:
        above = ancestors(child.id)
    else:
        above = select(ElementLink.parent_id).where(ElementLink.child_id == child.id)
    return _page(request, query, select(Element).where(Element.id.in_(above)).order_by(Element.position))


def signed_by(column: Any, run: Any, version: Any) -> list[Any]:
    """The conditions of the filters by worker run and by worker version; `False` is for what people made."""
    conditions = []
    if run is not None:
        conditions.append(column.is_(None) if isinstance(run, str) else column == str(run))
    if version is not None:
        runs = select(WorkerRun.id).where(WorkerRun.version_id == str(version))
        conditions.append(column.is_(None) if isinstance(version, str) else column.in_(runs))
    return conditions


def _page(request: ApiRequest, query: ElementsQuery, statement: Select[Any]) -> dict[str, Any]:
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
    return paginate(request, query, statement, lambda row: _list_item(request, query, row))


def _list_item(request: ApiRequest, query: ElementsQuery, row: Element) -> dict[str, Any]:
    session = request.session
    item = represent.element(row, session, request.site)
    if not query.with_corpus:
        item["corpus"] = None
    if not query.with_zone:
        item["zone"] = None
    below = exists().where(ElementLink.parent_id == row.id).select()
    item["has_children"] = bool(session.scalar(below)) if query.with_has_children else None
    item["classes"] = represent.classifications(session, row.id) if query.with_classes else None
    item["metadata"] = represent.metadata_of(session, row.id) if query.with_metadata else None
    return item
