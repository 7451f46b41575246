"""Datasets, their sets, the elements in those; and exports, as SQLite files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import ApiRequest, CursorQuery, Operations, PageQuery
from arkworker.emulator.export_file import write_export
from arkworker.emulator.failures import invalid, missing
from arkworker.emulator.tables import Corpus, Dataset, DatasetElement, DatasetSet, Element, Export, Json
from arkworker.emulator.values import Body, Id, Name, Text

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
def retrieve_dataset(_request: ApiRequest, dataset: Dataset) -> Json:
    return represent.dataset(dataset)


@operations("CreateDataset", "POST /corpus/{id:uuid}/datasets/", status=201)
def create_dataset(request: ApiRequest, corpus: Corpus, body: NewDataset) -> Json:
    if len(set(body.set_names)) < len(body.set_names):
        raise invalid("Set names must be different from each other.", "set_names", code="unique")
    if request.session.scalar(select(Dataset.id).filter_by(corpus_id=corpus.id, name=body.name)) is not None:
        raise invalid("A dataset with this name already exists in this corpus.", "name", code="unique")
    row = Dataset(corpus_id=corpus.id, **body.model_dump(exclude={"set_names"}))
    row.sets = [DatasetSet(name=name) for name in body.set_names]
    return represent.dataset(request.session.keep(row))


@operations("PartialUpdateDataset", "PATCH /datasets/{id:uuid}/")
def update_dataset(_request: ApiRequest, dataset: Dataset, body: DatasetChange) -> Json:
    for name, value in body.model_dump(exclude_none=True).items():
        setattr(dataset, name, value)
    return represent.dataset(dataset)


@operations("RetrieveDatasetSet", "GET /datasets/{dataset:uuid}/sets/{set:str}/")
def retrieve_set(request: ApiRequest, dataset: Dataset, name: str) -> Json:
    row = _find_set(request, dataset, name)
    if row is None:
        raise missing()
    return represent.named(row)


@operations("ListDatasetElements", "GET /datasets/{id:uuid}/elements/")
def list_dataset_elements(request: ApiRequest, dataset: Dataset, query: SetQuery) -> Json:
    rows = select(DatasetElement, DatasetElement.position).join(DatasetSet)
    rows = rows.where(DatasetSet.dataset_id == dataset.id)
    if query.set is not None:
        rows = rows.where(DatasetSet.name == query.set)

    def show(row: DatasetElement) -> Json:
        return {"set": row.set.name, "element": represent.element(row.element, request.site)}

    return request.page_after_cursor(query, rows, DatasetElement.position, show)


@operations("CreateDatasetElement", "POST /datasets/{id:uuid}/elements/", status=201)
def create_dataset_element(request: ApiRequest, dataset: Dataset, body: NewDatasetElement) -> Json:
    chosen = _find_set(request, dataset, body.set)
    if chosen is None:
        raise invalid("This dataset has no such set.", "set", code="does_not_exist")
    element = request.refer(Element, body.element_id, "element_id")
    if element.corpus_id != dataset.corpus_id:
        raise invalid("The element is in another corpus.", "element_id")
    taken = select(DatasetElement.position).join(DatasetSet).where(DatasetElement.element_id == element.id)
    scope = DatasetSet.dataset_id == dataset.id if dataset.unique_elements else DatasetSet.id == chosen.id
    if request.session.scalar(taken.where(scope)) is not None:
        raise invalid("This element is already part of this dataset.", "element_id", code="unique")
    request.session.add(DatasetElement(set_id=chosen.id, element_id=element.id))
    return {"set": chosen.name, "element": represent.full_element(element, request.site)}


@operations("DestroyDatasetElement", "DELETE /datasets/{dataset:uuid}/elements/{element:uuid}/", status=204)
def destroy_dataset_element(request: ApiRequest, dataset: Dataset, element_id: str, query: RemovalQuery) -> None:
    chosen = _find_set(request, dataset, query.set)
    statement = select(DatasetElement).filter_by(set_id=chosen and chosen.id, element_id=element_id)
    row = request.session.scalar(statement)
    if row is None:
        raise missing()
    request.session.delete(row)


def _find_set(request: ApiRequest, dataset: Dataset, name: str) -> DatasetSet | None:
    return request.session.scalar(select(DatasetSet).filter_by(dataset_id=dataset.id, name=name))


class NewExport(Body):
    dataset_id: Id | None = None


class ExportsQuery(PageQuery):
    dataset_id: Id | None = None


@operations("ListExports", "GET /corpus/{id:uuid}/export/")
def list_exports(request: ApiRequest, corpus: Corpus, query: ExportsQuery) -> Json:
    rows = select(Export).filter_by(corpus_id=corpus.id).order_by(Export.position.desc())
    if query.dataset_id is not None:
        rows = rows.filter_by(dataset_id=query.dataset_id)
    return request.page(query, rows, _export)


@operations("StartExport", "POST /corpus/{id:uuid}/export/", status=201)
def start_export(request: ApiRequest, corpus: Corpus, body: NewExport) -> Json:
    """The export is done at once; a second one finds it there, as a client that asks twice in an hour does."""
    if body.dataset_id is not None:
        request.refer(Dataset, body.dataset_id, "dataset_id")
    same = {"corpus_id": corpus.id, "dataset_id": body.dataset_id}
    states = set(request.session.scalars(select(Export.state).filter_by(**same)))
    if states & {"created", "running"}:
        raise invalid("An export is already running for this corpus.", code="running_export")
    if "done" in states:
        raise invalid("An export was made a short while ago.", code="existing_export")
    row = request.session.keep(Export(**same, state="done"))
    write_export(request.session, row, request.site.storage.path(export_key(row)), request.site)
    return _export(row)


@operations("DownloadExport", "GET /export/{id:uuid}/", status=302)
def download_export(request: ApiRequest, export: Export) -> str:
    if export.state != "done":
        raise missing("This export is not done.")
    return request.site.address("GET", export_key(export))


def export_key(row: Export) -> str:
    """Where the storage keeps the file."""
    return f"exports/{row.id}"


def _export(row: Export) -> Json:
    shown = represent.pick(row, "id", "state", "created", "updated", "corpus_id", "dataset_id")
    return {**shown, "source": "default"}
