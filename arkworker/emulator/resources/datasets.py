"""Datasets, their sets, the elements in those; and exports, as SQLite files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import CursorQuery, Operations, PageQuery, Reply, paginate, paginate_by_cursor
from arkworker.emulator.export_file import write_export
from arkworker.emulator.failures import invalid, missing
from arkworker.emulator.resources.elements import full
from arkworker.emulator.tables import Corpus, Dataset, DatasetElement, DatasetSet, Element, Export
from arkworker.emulator.values import Body, Id, Name, Text

if TYPE_CHECKING:
    from uuid import UUID

    from arkworker.emulator.endpoint import ApiRequest

operations = Operations()


class NewDataset(Body):
    name: Name
    description: Text
    set_names: list[Name] = Field(default=["training", "test", "validation"], min_length=1)
    unique_elements: bool = True


class DatasetChange(Body):
    name: Name | None = None
    description: Text | None = None
    state: Literal["open", "building", "complete", "error"] | None = None


class NewDatasetElement(Body):
    set: Name
    element_id: Id


class SetQuery(CursorQuery):
    set: str | None = None


class RemovalQuery(Body):
    set: str


@operations("RetrieveDataset", "GET /datasets/{id:uuid}/")
def retrieve_dataset(request: ApiRequest, dataset_id: str) -> dict[str, Any]:
    return dataset(request.get(Dataset, dataset_id))


@operations("CreateDataset", "POST /corpus/{id:uuid}/datasets/", body=NewDataset, status=201)
def create_dataset(request: ApiRequest, corpus_id: str, body: NewDataset) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    if len(set(body.set_names)) < len(body.set_names):
        raise invalid("Set names must be different from each other.", "set_names", code="unique")
    if request.session.scalar(select(Dataset.id).filter_by(corpus_id=corpus.id, name=body.name)) is not None:
        raise invalid("A dataset with this name already exists in this corpus.", "name", code="unique")
    row = Dataset(
        corpus_id=corpus.id,
        name=body.name,
        description=body.description,
        unique_elements=body.unique_elements,
        sets=[DatasetSet(name=name) for name in body.set_names],
    )
    request.session.add(row)
    request.session.flush()
    return dataset(row)


@operations("PartialUpdateDataset", "PATCH /datasets/{id:uuid}/", body=DatasetChange)
def update_dataset(request: ApiRequest, dataset_id: str, body: DatasetChange) -> dict[str, Any]:
    row = request.get(Dataset, dataset_id)
    for name, value in body.model_dump(exclude_none=True).items():
        setattr(row, name, value)
    return dataset(row)


@operations("RetrieveDatasetSet", "GET /datasets/{dataset:uuid}/sets/{set:str}/")
def retrieve_set(request: ApiRequest, dataset_id: str, name: str) -> dict[str, Any]:
    row = _find_set(request, request.get(Dataset, dataset_id), name)
    if row is None:
        raise missing()
    return {"id": row.id, "name": row.name}


@operations("ListDatasetElements", "GET /datasets/{id:uuid}/elements/", query=SetQuery, pagination="cursor")
def list_dataset_elements(request: ApiRequest, dataset_id: str, query: SetQuery) -> dict[str, Any]:
    parent = request.get(Dataset, dataset_id)
    rows = select(DatasetElement, DatasetElement.position).join(DatasetSet)
    rows = rows.where(DatasetSet.dataset_id == parent.id)
    if query.set is not None:
        rows = rows.where(DatasetSet.name == query.set)
    return paginate_by_cursor(
        request,
        query,
        rows,
        DatasetElement.position,
        lambda row: {"set": row.set.name, "element": represent.element(row.element, request.session, request.site)},
    )


@operations("CreateDatasetElement", "POST /datasets/{id:uuid}/elements/", body=NewDatasetElement, status=201)
def create_dataset_element(request: ApiRequest, dataset_id: str, body: NewDatasetElement) -> dict[str, Any]:
    parent = request.get(Dataset, dataset_id)
    chosen = _find_set(request, parent, body.set)
    if chosen is None:
        raise invalid("This dataset has no such set.", "set", code="does_not_exist")
    element = request.refer(Element, body.element_id, "element_id")
    if element.corpus_id != parent.corpus_id:
        raise invalid("The element is in another corpus.", "element_id")
    taken = select(DatasetElement.position).join(DatasetSet).where(DatasetElement.element_id == element.id)
    scope = DatasetSet.dataset_id == parent.id if parent.unique_elements else DatasetSet.id == chosen.id
    if request.session.scalar(taken.where(scope)) is not None:
        raise invalid("This element is already part of this dataset.", "element_id", code="unique")
    request.session.add(DatasetElement(set_id=chosen.id, element_id=element.id))
    return {"set": chosen.name, "element": full(request, element)}


@operations(
    "DestroyDatasetElement",
    "DELETE /datasets/{dataset:uuid}/elements/{element:uuid}/",
    query=RemovalQuery,
    status=204,
)
def destroy_dataset_element(request: ApiRequest, dataset_id: str, element_id: str, query: RemovalQuery) -> Reply:
    chosen = _find_set(request, request.get(Dataset, dataset_id), query.set)
    statement = select(DatasetElement).filter_by(set_id=chosen and chosen.id, element_id=str(element_id))
    row = request.session.scalar(statement)
    if row is None:
        raise missing()
    request.session.delete(row)
    return Reply(status=204)


def dataset(row: Dataset) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "sets": [{"id": item.id, "name": item.name} for item in row.sets],
        "corpus_id": row.corpus_id,
        "creator": "Emulated user",
        "state": row.state,
        "task_id": None,
        "unique_elements": row.unique_elements,
        "created": row.created,
        "updated": row.updated,
    }


def _find_set(request: ApiRequest, row: Dataset, name: str) -> DatasetSet | None:
    return request.session.scalar(select(DatasetSet).filter_by(dataset_id=row.id, name=name))


class NewExport(Body):
    dataset_id: Id | None = None


class ExportsQuery(PageQuery):
    dataset_id: Id | None = None


@operations("ListExports", "GET /corpus/{id:uuid}/export/", query=ExportsQuery, pagination="page")
def list_exports(request: ApiRequest, corpus_id: str, query: ExportsQuery) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    rows = select(Export).where(Export.corpus_id == corpus.id).order_by(Export.position.desc())
    if query.dataset_id is not None:
        rows = rows.where(Export.dataset_id == str(query.dataset_id))
    return paginate(request, query, rows, _export)


@operations("StartExport", "POST /corpus/{id:uuid}/export/", body=NewExport, status=201)
def start_export(request: ApiRequest, corpus_id: str, body: NewExport) -> dict[str, Any]:
    """The export is done at once; a second one finds it there, as a client that asks twice in an hour does."""
    corpus = request.get(Corpus, corpus_id)
    if body.dataset_id is not None:
        request.refer(Dataset, body.dataset_id, "dataset_id")
    _refuse_second(request, corpus, body.dataset_id)
    row = Export(corpus_id=corpus.id, dataset_id=body.dataset_id and str(body.dataset_id), state="done")
    request.session.add(row)
    request.session.flush()
    write_export(request.session, row, request.site.storage.path(export_key(row)), request.site)
    return _export(row)


@operations("DownloadExport", "GET /export/{id:uuid}/")
def download_export(request: ApiRequest, export_id: str) -> Reply:
    row = request.get(Export, export_id)
    if row.state != "done":
        raise missing("This export is not done.")
    location = request.site.storage_url + request.site.storage.sign("GET", export_key(row))
    return Reply(status=302, headers=(("location", location),))


def export_key(row: Export) -> str:
    """Where the storage keeps the file."""
    return f"exports/{row.id}"


def _refuse_second(request: ApiRequest, corpus: Corpus, dataset_id: UUID | None) -> None:
    same = Export.dataset_id.is_(None) if dataset_id is None else Export.dataset_id == str(dataset_id)
    states = set(request.session.scalars(select(Export.state).where(Export.corpus_id == corpus.id, same)))
    if states & {"created", "running"}:
        raise invalid("An export is already running for this corpus.", code="running_export")
    if "done" in states:
        raise invalid("An export was made a short while ago.", code="existing_export")


def _export(row: Export) -> dict[str, Any]:
    names = ("id", "state", "created", "updated", "corpus_id", "dataset_id")
    return {**{name: getattr(row, name) for name in names}, "source": "default"}
