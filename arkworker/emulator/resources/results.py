"""What workers find on an element: classifications, metadata, embeddings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import ApiRequest, Operations, PageQuery
from arkworker.emulator.failures import invalid
from arkworker.emulator.resources.elements import ancestors
from arkworker.emulator.tables import Classification, Element, Embedding, Json, MetaData, MLClass
from arkworker.emulator.values import Body, Confidence, Id, Name, Number, Signature, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

operations = Operations()


class _Classified(Body):
    ml_class: Id
    confidence: Confidence
    high_confidence: bool = False


class NewClassification(_Classified, Signature):
    element: Id


class NewClassifications(Signature):
    parent: Id
    classifications: list[_Classified]


@operations("CreateClassification", "POST /classifications/", status=201)
def create_classification(request: ApiRequest, body: NewClassification) -> Json:
    element = request.refer(Element, body.element, "element")
    row = _classify(request, element, body, body.worker_run_id)
    return {"element": element.id, **represent.classification(row)}


@operations("CreateClassifications", "POST /classification/bulk/", status=201)
def create_classifications(request: ApiRequest, body: NewClassifications) -> Json:
    parent = request.refer(Element, body.parent, "parent")
    rows = [
        _classify(request, parent, item, body.worker_run_id, "classifications", number)
        for number, item in enumerate(body.classifications)
    ]
    found = [
        {"id": row.id, "ml_class": row.ml_class_id, "confidence": row.confidence, "state": row.state} for row in rows
    ]
    return {"parent": parent.id, "worker_run_id": body.worker_run_id, "classifications": found}


def _classify(
    request: ApiRequest, element: Element, item: _Classified, run: str | None, *attr: str | int
) -> Classification:
    ml_class = request.refer(MLClass, item.ml_class, *attr, "ml_class")
    if ml_class.corpus_id != element.corpus_id:
        raise invalid("The class is of another corpus.", *attr, "ml_class")
    key = {"element_id": element.id, "ml_class_id": ml_class.id, "worker_run_id": run}
    if request.session.scalar(select(Classification.id).filter_by(**key)) is not None:
        # Published clients look for this very sentence, in the older style.
        raise invalid("The fields element, worker_run, ml_class must make a unique set.", code="unique", legacy=True)
    row = Classification(**key, confidence=item.confidence, high_confidence=item.high_confidence)
    return request.session.keep(row)


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


@operations("CreateMetaData", "POST /element/{id:uuid}/metadata/", status=201)
def create_metadata(request: ApiRequest, element: Element, body: NewMetaData) -> Json:
    (fact,) = _describe(request, element, [body], body.worker_run_id)
    return fact


@operations("CreateMetaDataBulk", "POST /element/{id:uuid}/metadata/bulk/", status=201)
def create_metadata_bulk(request: ApiRequest, element: Element, body: NewMetaDataList) -> Json:
    found = _describe(request, element, body.metadata_list, body.worker_run_id)
    return {"worker_run_id": body.worker_run_id, "metadata_list": found}


@operations("ListElementMetaData", "GET /element/{id:uuid}/metadata/")
def list_metadata(request: ApiRequest, element: Element, query: MetaDataQuery) -> list[Json]:
    owners = [element.id]
    if query.load_parents:
        owners.extend(request.session.scalars(ancestors(element.id)))
    rows = request.session.scalars(select(MetaData).where(MetaData.element_id.in_(owners)).order_by(MetaData.position))
    return [represent.metadata(row) for row in rows]


def _describe(request: ApiRequest, element: Element, facts: Sequence[NewFact], run: str | None) -> list[Json]:
    rows = [
        MetaData(element_id=element.id, type=fact.type, name=fact.name, value=str(fact.value), worker_run_id=run)
        for fact in facts
    ]
    request.session.add_all(rows)
    request.session.flush()
    return [represent.metadata(row) for row in rows]


class NewEmbedding(Signature):
    value: list[Number] = Field(min_length=1)


@operations("CreateEmbedding", "POST /element/{id:uuid}/embedding/", status=201)
def create_embedding(request: ApiRequest, element: Element, body: NewEmbedding) -> Json:
    value = [float(item) for item in body.value]
    row = Embedding(element_id=element.id, value=value, worker_run_id=body.worker_run_id)
    return represent.embedding(request.session.keep(row))


@operations("ListEmbeddings", "GET /element/{id:uuid}/embedding/")
def list_embeddings(request: ApiRequest, element: Element, query: PageQuery) -> Json:
    rows = select(Embedding).where(Embedding.element_id == element.id).order_by(Embedding.position)
    return request.page(query, rows, represent.embedding)
