"""Metadata of elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.operations import Operations
from arkworker.emulator.resources.elements import ancestors, run_id, sign
from arkworker.emulator.tables import Element, MetaData
from arkworker.emulator.values import Body, Name, Number, Signature, Text

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewItem(Body):
    type: Literal["text", "markdown", "date", "location", "reference", "numeric", "url"]
    name: Name
    value: Text | Number

    @model_validator(mode="after")
    def check(self) -> NewItem:
        """A number is finite, an address is one of the web."""
        if self.type == "numeric" and not math.isfinite(float(self.value)):
            raise ValueError("A numeric metadata needs a finite number.")
        if self.type == "url" and not str(self.value).startswith(("http://", "https://")):
            raise ValueError("An URL metadata needs an http or https address.")
        return self


class NewMetaData(NewItem, Signature):
    pass


class NewMetaDataList(Signature):
    metadata_list: list[NewItem]


class MetaDataQuery(Body):
    load_parents: bool = False


@operations("CreateMetaData", "POST /element/{id:uuid}/metadata/", body=NewMetaData, status=201)
def create_metadata(request: ApiRequest, element_id: str, body: NewMetaData) -> dict[str, Any]:
    (row,) = _create(request, element_id, [body], body)
    return represent.metadata(row, request.session)


@operations("CreateMetaDataBulk", "POST /element/{id:uuid}/metadata/bulk/", body=NewMetaDataList, status=201)
def create_metadata_bulk(request: ApiRequest, element_id: str, body: NewMetaDataList) -> dict[str, Any]:
    rows = _create(request, element_id, body.metadata_list, body)
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


def _create(request: ApiRequest, element_id: str, items: list[Any], body: Signature) -> list[MetaData]:
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
