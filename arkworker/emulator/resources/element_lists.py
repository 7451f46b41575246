"""Lists of elements: of a corpus, below an element, above an element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from arkworker.emulator import represent
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import PageQuery, paginate
from arkworker.emulator.resources.elements import ancestors, descendants
from arkworker.emulator.tables import Corpus, Element, ElementLink, ElementType, Transcription, WorkerRun
from arkworker.emulator.values import RunOrManual  # noqa: TC001 - pydantic reads it at run time

if TYPE_CHECKING:
    from sqlalchemy import Select

    from arkworker.emulator.requests import ApiRequest

operations = Operations()


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
    return paginate(request, query, statement, lambda row: _item(request, query, row))


def _item(request: ApiRequest, query: ElementsQuery, row: Element) -> dict[str, Any]:
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
