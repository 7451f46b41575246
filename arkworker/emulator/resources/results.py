"""What workers find on an element: classifications, metadata, embeddings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import Operations, PageQuery, paginate
from arkworker.emulator.failures import invalid
from arkworker.emulator.resources.elements import ancestors, run_id, sign
from arkworker.emulator.tables import Classification, Element, Embedding, MetaData, MLClass
from arkworker.emulator.values import Body, Confidence, Id, Name, Number, Signature, Text

if TYPE_CHECKING:
    from arkworker.emulator.endpoint import ApiRequest

operations = Operations()


class NewClass(Body):
    ml_class: Id
    confidence: Confidence
    high_confidence: bool = False


class NewClassification(NewClass, Signature):
    element: Id


class NewClassifications(Signature):
    parent: Id
    classifications: list[NewClass]


@operations("CreateClassification", "POST /classifications/", body=NewClassification, status=201)
def create_classification(request: ApiRequest, body: NewClassification) -> dict[str, Any]:
    sign(request, body)
    element = request.refer(Element, body.element, "element")
    row = _classify(request, element, body, run_id(body))
    return {"element": element.id, **represent.classification(row, request.session)}


@operations("CreateClassifications", "POST /classification/bulk/", body=NewClassifications, status=201)
def create_classifications(request: ApiRequest, body: NewClassifications) -> dict[str, Any]:
    sign(request, body)
    parent = request.refer(Element, body.parent, "parent")
    rows = [
        _classify(request, parent, item, run_id(body), "classifications", number)
        for number, item in enumerate(body.classifications)
    ]
    found = [
        {"id": row.id, "ml_class": row.ml_class_id, "confidence": row.confidence, "state": row.state} for row in rows
    ]
    return {"parent": parent.id, "worker_run_id": run_id(body), "classifications": found}


def _classify(
    request: ApiRequest, element: Element, item: NewClass, run: str | None, *attr: str | int
) -> Classification:
    ml_class = request.refer(MLClass, item.ml_class, *attr, "ml_class")
    if ml_class.corpus_id != element.corpus_id:
        raise invalid("The class is of another corpus.", *attr, "ml_class")
    same = select(Classification.id).where(
        Classification.element_id == element.id,
        Classification.ml_class_id == ml_class.id,
        Classification.worker_run_id.is_(None) if run is None else Classification.worker_run_id == run,
    )
    if request.session.scalar(same) is not None:
        # Published clients look for this very sentence, in the older style.
        raise invalid("The fields element, worker_run, ml_class must make a unique set.", code="unique", legacy=True)
    row = Classification(
        element_id=element.id,
        ml_class_id=ml_class.id,
        confidence=item.confidence,
        high_confidence=item.high_confidence,
        worker_run_id=run,
    )
    request.session.add(row)
    request.session.flush()
    return row


class NewFact(Body):
    type: Literal["text", "markdown", "date", "location", "reference", "numeric", "url"]
    name: Name
    value: Text | Number

    @model_validator(mode="after")
    def check(self) -> NewFact:
        """A number is finite, an address is one of the web."""
        if self.type == "numeric" and not math.isfinite(float(self.value)):
            raise ValueError("A numeric metadata needs a finite number.")
        if self.type == "url" and not str(self.value).startswith(("http://", "https://")):
            raise ValueError("An URL metadata needs an http or https address.")
        return self


class NewMetaData(NewFact, Signature):
    pass


class NewMetaDataList(Signature):
    metadata_list: list[NewFact]


class MetaDataQuery(Body):
    load_parents: bool = False


@operations("CreateMetaData", "POST /element/{id:uuid}/metadata/", body=NewMetaData, status=201)
def create_metadata(request: ApiRequest, element_id: str, body: NewMetaData) -> dict[str, Any]:
    (row,) = _describe(request, element_id, [body], body)
    return represent.metadata(row, request.session)


@operations("CreateMetaDataBulk", "POST /element/{id:uuid}/metadata/bulk/", body=NewMetaDataList, status=201)
def create_metadata_bulk(request: ApiRequest, element_id: str, body: NewMetaDataList) -> dict[str, Any]:
    rows = _describe(request, element_id, body.metadata_list, body)
    found = [represent.metadata(row, request.session) for row in rows]
    return {"worker_run_id": run_id(body), "metadata_list": found}


@operations("ListElementMetaData", "GET /element/{id:uuid}/metadata/", query=MetaDataQuery)
def list_metadata(request: ApiRequest, element_id: str, query: MetaDataQuery) -> list[dict[str, Any]]:
    element = request.get(Element, element_id)
    owners = [element.id]
    if query.load_parents:
        owners.extend(request.session.scalars(ancestors(element.id)))
    rows = request.session.scalars(select(MetaData).where(MetaData.element_id.in_(owners)).order_by(MetaData.position))
    return [represent.metadata(row, request.session) for row in rows]


def _describe(request: ApiRequest, element_id: str, items: list[Any], body: Signature) -> list[MetaData]:
    element = request.get(Element, element_id)
    sign(request, body)
    rows = [
        MetaData(
            element_id=element.id, type=item.type, name=item.name, value=str(item.value), worker_run_id=run_id(body)
        )
        for item in items
    ]
    request.session.add_all(rows)
    request.session.flush()
    return rows


class NewEmbedding(Signature):
    value: list[Number] = Field(min_length=1)


@operations("CreateEmbedding", "POST /element/{id:uuid}/embedding/", body=NewEmbedding, status=201)
def create_embedding(request: ApiRequest, element_id: str, body: NewEmbedding) -> dict[str, Any]:
    element = request.get(Element, element_id)
    sign(request, body)
    row = Embedding(element_id=element.id, value=[float(item) for item in body.value], worker_run_id=run_id(body))
    request.session.add(row)
    request.session.flush()
    return _embedding(request, row)


@operations("ListEmbeddings", "GET /element/{id:uuid}/embedding/", query=PageQuery, pagination="page")
def list_embeddings(request: ApiRequest, element_id: str, query: PageQuery) -> dict[str, Any]:
    element = request.get(Element, element_id)
    rows = select(Embedding).where(Embedding.element_id == element.id).order_by(Embedding.position)
    return paginate(request, query, rows, lambda row: _embedding(request, row))


def _embedding(request: ApiRequest, row: Embedding) -> dict[str, Any]:
    return {
        "id": row.id,
        "value": row.value,
        "created": row.created,
        "worker_run": represent.worker_run(request.session, row.worker_run_id),
    }
