"""Embeddings of elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import PageQuery, paginate
from arkworker.emulator.resources.elements import run_id, sign
from arkworker.emulator.tables import Element, Embedding
from arkworker.emulator.values import Number, Signature

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


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
