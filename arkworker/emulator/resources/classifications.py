"""Classifications of elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.failures import invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.resources.elements import run_id, sign
from arkworker.emulator.tables import Classification, Element, MLClass
from arkworker.emulator.values import Body, Confidence, Id, Signature

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewItem(Body):
    ml_class: Id
    confidence: Confidence
    high_confidence: bool = False


class NewClassification(NewItem, Signature):
    element: Id


class NewClassifications(Signature):
    parent: Id
    classifications: list[NewItem]


@operations("CreateClassification", "POST /classifications/", body=NewClassification, status=201)
def create_classification(request: ApiRequest, body: NewClassification) -> dict[str, Any]:
    sign(request, body)
    element = request.refer(Element, body.element, "element")
    row = _create(request, element, body, run_id(body))
    return {"element": element.id, **represent.classification(row, request.session)}


@operations("CreateClassifications", "POST /classification/bulk/", body=NewClassifications, status=201)
def create_classifications(request: ApiRequest, body: NewClassifications) -> dict[str, Any]:
    sign(request, body)
    parent = request.refer(Element, body.parent, "parent")
    rows = [
        _create(request, parent, item, run_id(body), "classifications", number)
        for number, item in enumerate(body.classifications)
    ]
    found = [
        {"id": row.id, "ml_class": row.ml_class_id, "confidence": row.confidence, "state": row.state} for row in rows
    ]
    return {"parent": parent.id, "worker_run_id": run_id(body), "classifications": found}


def _create(request: ApiRequest, element: Element, item: NewItem, run: str | None, *attr: str | int) -> Classification:
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
