"""Datasets, their sets, and the elements in those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.failures import invalid, missing
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import CursorQuery, paginate_by_cursor
from arkworker.emulator.requests import Reply
from arkworker.emulator.resources.elements import full
from arkworker.emulator.tables import Corpus, Dataset, DatasetElement, DatasetSet, Element
from arkworker.emulator.values import Body, Id, Name, Text

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

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
    row = _set(request, request.get(Dataset, dataset_id), name)
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
    chosen = _set(request, parent, body.set)
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
    chosen = _set(request, request.get(Dataset, dataset_id), query.set)
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


def _set(request: ApiRequest, row: Dataset, name: str) -> DatasetSet | None:
    return request.session.scalar(select(DatasetSet).filter_by(dataset_id=row.id, name=name))
