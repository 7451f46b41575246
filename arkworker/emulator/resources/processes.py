"""What a process works on: elements, or sets of datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import iiif
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import CursorQuery, PageQuery, paginate, paginate_by_cursor
from arkworker.emulator.resources.datasets import dataset
from arkworker.emulator.tables import DatasetSet, Element, Process, ProcessElement, ProcessSet

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest
    from arkworker.emulator.site import Site

operations = Operations()


class ProcessElementsQuery(CursorQuery):
    with_image: bool = False


@operations("ListProcessElements", "GET /process/{id:uuid}/elements/", query=ProcessElementsQuery, pagination="cursor")
def list_process_elements(request: ApiRequest, process_id: str, query: ProcessElementsQuery) -> dict[str, Any]:
    process = request.get(Process, process_id)
    rows = select(Element, ProcessElement.position).join(ProcessElement, ProcessElement.element_id == Element.id)
    rows = rows.where(ProcessElement.process_id == process.id)
    return paginate_by_cursor(
        request,
        query,
        rows,
        ProcessElement.position,
        lambda row: process_element(row, request.site, with_image=query.with_image),
    )


@operations("ListProcessSets", "GET /process/{id:uuid}/sets/", query=PageQuery, pagination="page")
def list_process_sets(request: ApiRequest, process_id: str, query: PageQuery) -> dict[str, Any]:
    process = request.get(Process, process_id)
    rows = select(DatasetSet).join(ProcessSet, ProcessSet.set_id == DatasetSet.id)
    rows = rows.where(ProcessSet.process_id == process.id).order_by(ProcessSet.position)
    return paginate(request, query, rows, _process_set)


def process_element(row: Element, site: Site, *, with_image: bool) -> dict[str, Any]:
    """An element as processes show it: flat, with its image when it is asked for."""
    answer: dict[str, Any] = {
        "id": row.id,
        "type_id": row.type_id,
        "name": row.name,
        "confidence": row.confidence,
    }
    if with_image:
        image = row.image
        answer |= {
            "image_id": image and image.id,
            "image_width": image and image.width,
            "image_height": image and image.height,
            "image_url": image and iiif.url(image, site),
            "polygon": row.polygon,
            "rotation_angle": row.rotation_angle,
            "mirrored": row.mirrored,
        }
    return answer


def _process_set(row: DatasetSet) -> dict[str, Any]:
    return {"id": row.id, "set_name": row.name, "dataset": dataset(row.dataset)}
