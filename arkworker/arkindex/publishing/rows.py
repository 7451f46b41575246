"""What the cache keeps of accepted results: rows of its tables, with the ids that Arkindex gave, as plain data."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.sending import Sent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arkworker.arkindex.publishing.nodes import Label, Node, Text
    from arkworker.arkindex.publishing.plan import Plan, Target
    from arkworker.elements import Element
    from arkworker.elements.records import Image

logger = logging.getLogger("arkworker.publishing")

#: The state of a classification that nobody has validated or rejected.
PENDING = "pending"
#: What of an update the cache knows.
_CACHED_CHANGES = ("type", "polygon", "confidence", "rotation_angle", "mirrored")
_ANNOTATING = "CreateTranscriptionEntit"  # one of them or several

Row = dict[str, Any]


@dataclass(slots=True)
class Rows:
    """What one publication adds to the cache.

    Attributes:
        element_id: The element that the results are of.
        parents: Rows of `images` and `elements` that others refer to, for a cache that lacks them.
        tables: New rows, by the name of the table, in an order that foreign keys allow.
        changes: Changed columns of the element.
    """

    element_id: str
    parents: dict[str, list[Row]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    changes: Row = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes) or any(self.tables.values())


def rows_of(element: Element, plan: Plan, sent: Sent, worker_run_id: str | None) -> Rows:
    """The rows of what was accepted: all of a plan or, after a failure, what came before it.

    Metadata, embeddings, links and names are not in the cache.
    """
    image = element.zone.image if element.zone is not None else None
    maker = _Maker(sent, worker_run_id, image.id if image is not None else None)
    texts = [(node, text) for node in plan.nodes for text in node.transcriptions]
    tables: dict[str, Iterable[Row | None]] = {
        "elements": (maker.element(parent, child) for parent in plan.nodes for child in parent.children),
        "transcriptions": (maker.transcription(node, text) for node, text in texts),
        "classifications": (maker.classification(node, label) for node in plan.nodes for label in node.classifications),
        "transcription_entities": (row for _, text in texts for row in maker.entities(text)),
    }
    known = {name: [row for row in rows if row is not None] for name, rows in tables.items()}
    rows = Rows(element.id, tables=known, changes=maker.changes(plan.nodes[0]))
    if rows:
        rows.parents = _parents(element, image)
    return rows


def fresh_ids(plan: Plan) -> Sent:
    """As if all of a plan had been accepted, with random ids: only the cache knows of them."""
    given = (ref for request in plan.requests for refs in request.gives for ref in refs)
    return Sent({ref: str(uuid.uuid4()) for ref in given}, list(plan.requests))


class _Maker:
    """Makes rows of what has an id by now; None for what has none."""

    def __init__(self, sent: Sent, run: str | None, image_id: str | None) -> None:
        self._ids = sent.ids
        self._run = run
        self._image_id = image_id
        # Of these, no ids are kept: what counts is whether the request was accepted.
        self._annotated = {r.parameters["id"] for r in sent.requests if r.operation.startswith(_ANNOTATING)}
        self._updated = {r.parameters["id"] for r in sent.requests if r.operation == "PartialUpdateElement"}

    def element(self, parent: Node, node: Node) -> Row | None:
        child, identifier = node.child, self._find(node.target)
        if child is None or identifier is None:
            return None
        return {
            "id": identifier,
            "parent_id": self._find(parent.target),
            "type": child.type,
            # An image of its own is not in the cache: all that is known of it is its id.
            "image_id": self._image_id if node.is_on_root else None,
            "polygon": _points(child.polygon),
            "rotation_angle": 0,
            "mirrored": False,
            "worker_run_id": self._run,
            "confidence": child.confidence,
            **self.changes(node),
        }

    def transcription(self, node: Node, text: Text) -> Row | None:
        identifier, value = self._ids.get(text.ref), text.value
        if identifier is None:
            return None
        return {
            "id": identifier,
            "element_id": self._find(node.target),
            "text": value.text,
            "confidence": value.confidence,
            "orientation": value.orientation,
            "worker_run_id": self._run,
        }

    def classification(self, node: Node, label: Label) -> Row | None:
        identifier = self._ids.get(label.ref)
        if identifier is None:  # this worker run had made it before, and so had the cache it
            return None
        return {
            "id": identifier,
            "element_id": self._find(node.target),
            "class_name": label.value.class_name,
            "confidence": label.value.confidence,
            "state": PENDING,
            "worker_run_id": self._run,
        }

    def entities(self, text: Text) -> list[Row]:
        """At most one of each type, the first: the schema of the cache has no room for more."""
        if text.ref not in self._annotated:
            return []
        rows: dict[str, Row] = {}
        for entity in text.value.entities:
            row = {"transcription_id": self._ids[text.ref], "type": entity.type, "worker_run_id": self._run}
            measures = {"offset": entity.offset, "length": entity.length, "confidence": entity.confidence}
            rows.setdefault(entity.type, row | measures)
        if len(rows) < len(text.value.entities):
            logger.debug("the cache keeps one entity of each type for a transcription: the first")
        return list(rows.values())

    def changes(self, node: Node) -> Row:
        if node.target not in self._updated:
            return {}
        found = {name: node.changes[name] for name in _CACHED_CHANGES if name in node.changes}
        return found | ({"polygon": _points(found["polygon"])} if "polygon" in found else {})

    def _find(self, target: Target) -> str | None:
        return target if isinstance(target, str) else self._ids.get(target)


def _parents(element: Element, image: Image | None) -> dict[str, list[Row]]:
    """The element itself with its image, for a cache that does not have it."""
    row = {
        "id": element.id,
        "type": element.type or "",
        "polygon": _points(element.zone.polygon) if element.zone is not None else None,
        "rotation_angle": element.rotation_angle,
        "mirrored": element.mirrored,
        "confidence": element.confidence,
    }
    if image is None or image.id is None:
        return {"elements": [row | {"image_id": None}]}
    version = image.server.version if image.server is not None else None
    picture = {
        "id": image.id,
        "width": image.width or 0,
        "height": image.height or 0,
        "url": image.url or "",
        "version": version or 2,
    }
    return {"images": [picture], "elements": [row | {"image_id": image.id}]}


def _points(polygon: Iterable[Any] | None) -> list[list[float]] | None:
    return None if polygon is None else [list(point) for point in polygon]
