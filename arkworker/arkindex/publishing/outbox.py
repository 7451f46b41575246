"""Accepted results on their way to the cache: rows of its tables, with the ids that Arkindex gave.

They are accepted in threads, while user code may be in the middle of a transaction of its own on the same file. So they
wait in an outbox until the thread of user code writes them, between two of its sessions: neither ever waits for a lock.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.plan import StoredNode, points_of
from arkworker.arkindex.publishing.sending import Sent
from arkworker.errors import ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from arkworker.arkindex.publishing.plan import Item, NewNode, NewText, Node, Plan, Target, Text
    from arkworker.elements.model import Element
    from arkworker.elements.records import Image
    from arkworker.elements.results import Classification
    from arkworker.elements.stored import StoredTranscription

logger = logging.getLogger("arkworker.publishing")

#: The cache belongs to one process.
ELSEWHERE = "the cache does not get results that are published outside of the worker's own process"
#: The state of a classification that was neither validated nor rejected.
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
        parents: Rows that others refer to, for a cache that lacks them, by the name of the table.
        tables: New rows, by the name of the table, in an order that foreign keys allow.
        changes: Changed columns of elements that exist, by their ids.
    """

    element_id: str
    parents: dict[str, list[Row]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    changes: dict[str, Row] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes) or any(self.tables.values())


class UncachedError(ArkworkerError):
    """Results are on Arkindex, and could not be written to the cache."""


class Outbox:
    """Rows that wait. Put in from any thread, written by the one that user code runs in.

    Args:
        sessions: Makes sessions of the cache, each of which is committed at its end, or rolled back.
        are_published: Whether what comes is on Arkindex; in developer mode it is nowhere else.
    """

    def __init__(self, sessions: Callable[[], AbstractContextManager[Any]], *, are_published: bool = True) -> None:
        self._sessions = sessions
        self._are_published = are_published
        self._waiting: deque[Rows] = deque()
        self._process = os.getpid()

    def put(self, rows: Rows) -> None:
        """Let rows wait for `flush`; in a process that user code forked, which never calls it, they are dropped."""
        if rows and os.getpid() == self._process:
            self._waiting.append(rows)
        elif rows:
            logger.warning(ELSEWHERE)

    def flush(self) -> dict[str, UncachedError]:
        """Write all that waits, in one transaction for each publication; between sessions of user code.

        Returns:
            By the ids of elements, why what was found on them could not be written.
        """
        failures: dict[str, UncachedError] = {}
        while (rows := self._take()) is not None:
            try:
                with self._sessions() as session:
                    write(session, rows)
            except Exception as error:  # noqa: BLE001 - of the database or of an id: whatever it is, that element fails
                failures[rows.element_id] = self._failure(error)
        return failures

    def abandon(self) -> dict[str, UncachedError]:
        """As `flush`, where nothing can be written any more because user code does not come back."""
        waiting = iter(self._take, None)
        return {rows.element_id: self._failure("the run ended first") for rows in waiting}

    def _take(self) -> Rows | None:
        """The rows that have waited longest; another thread may take some, too."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _failure(self, reason: object) -> UncachedError:
        done = "its results are on Arkindex, but" if self._are_published else "its results"
        # Without the statement that SQLAlchemy repeats, which holds the results.
        told = printable(str(getattr(reason, "orig", None) or reason))
        return UncachedError(f"{done} could not be written to the cache: {told}")


def write(session: Session, rows: Rows) -> None:
    """Add rows; what the cache has already stays as it is, but for what an update of an element changed.

    Entities in a transcription that it does not have are left out.

    Raises:
        SQLAlchemyError, ValueError: A row does not fit, or the database refuses.
    """
    from sqlalchemy import select, update
    from sqlalchemy.dialects.sqlite import insert

    from arkworker.storage.cache.models import CachedElement, CachedTranscription, CacheModel

    for name, found in [*rows.parents.items(), *rows.tables.items()]:
        kept = found
        if name == "transcription_entities":
            ids = {row["transcription_id"]: uuid.UUID(row["transcription_id"]) for row in found}
            there = set(session.scalars(select(CachedTranscription.id).where(CachedTranscription.id.in_(ids.values()))))
            kept = [row for row in found if ids[row["transcription_id"]] in there]
        if kept:
            session.execute(insert(CacheModel.metadata.tables[name]).on_conflict_do_nothing(), kept)
    for element_id, changes in rows.changes.items():
        session.execute(update(CachedElement).where(CachedElement.id == element_id).values(**changes))


def rows_of(plan: Plan, sent: Sent, worker_run_id: str | None) -> Rows:
    """The rows of what was accepted: all of a plan or, after a failure, what came before it.

    Metadata, embeddings, links and names are not in the cache.
    """
    maker = _Maker(sent, worker_run_id)
    texts = [(node, text) for node in plan.nodes for text in node.texts]
    tables: dict[str, Iterable[Row | None]] = {
        "elements": (maker.element(parent, child) for parent in plan.nodes for child in parent.children),
        "transcriptions": (maker.transcription(node, text) for node, text in texts),
        "classifications": (maker.classification(node, item) for node in plan.nodes for item in node.classifications),
        "transcription_entities": (
            row for text in (*(text for _, text in texts), *plan.stored) for row in maker.entities(text)
        ),
    }
    known = {name: [row for row in rows if row is not None] for name, rows in tables.items()}
    existing = (node for node in plan.nodes if isinstance(node, StoredNode))
    changes = {str(node.target): found for node in existing if (found := maker.changes(node))}
    rows = Rows(str(plan.nodes[0].target), tables=known, changes=changes)
    if rows:
        rows.parents = _parents(plan)
    return rows


def fresh_ids(plan: Plan) -> Sent:
    """As if all of a plan had been accepted, with random ids, which are unknown elsewhere."""
    given = (ref for request in plan.requests for refs in request.gives for ref in refs)
    return Sent({ref: str(uuid.uuid4()) for ref in given}, list(plan.requests))


class _Maker:
    """Makes rows of what has an id by now; None for what has none."""

    def __init__(self, sent: Sent, run: str | None) -> None:
        self._ids = sent.ids
        self._run = run
        # Of these, no ids are needed: what counts is whether the request was accepted.
        self._annotated = {r.parameters["id"] for r in sent.requests if r.operation.startswith(_ANNOTATING)}
        self._updated = {r.parameters["id"] for r in sent.requests if r.operation == "PartialUpdateElement"}

    def element(self, parent: Node, node: NewNode) -> Row | None:
        child, identifier = node.child, self._find(node.target)
        if identifier is None:
            return None
        return {
            "id": identifier,
            "parent_id": self._find(parent.target),
            "type": child.type,
            # An image of its own is not in the cache: all that is known of it is its id.
            "image_id": node.image_id,
            "polygon": points_of(child.polygon),
            "rotation_angle": 0,
            "mirrored": False,
            "worker_run_id": self._run,
            "confidence": child.confidence,
            **self.changes(node),
        }

    def transcription(self, node: Node, text: NewText) -> Row | None:
        identifier, value = self._find(text.target), text.value
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

    def classification(self, node: Node, item: Item[Classification]) -> Row | None:
        identifier = self._ids.get(item.ref)
        if identifier is None:  # this worker run had made it before, and so had the cache it
            return None
        return {
            "id": identifier,
            "element_id": self._find(node.target),
            "class_name": item.value.class_name,
            "confidence": item.value.confidence,
            "state": PENDING,
            "worker_run_id": self._run,
        }

    def entities(self, text: Text) -> list[Row]:
        """At most one of each type, the first: the schema of the cache has no room for more."""
        if text.target not in self._annotated:
            return []
        rows: dict[str, Row] = {}
        for entity in (item.value for item in text.entities):
            row = {"transcription_id": self._find(text.target), "type": entity.type, "worker_run_id": self._run}
            measures = {"offset": entity.offset, "length": entity.length, "confidence": entity.confidence}
            rows.setdefault(entity.type, row | measures)
        if len(rows) < len(text.entities):
            logger.debug("the cache keeps one entity of each type for a transcription: the first")
        return list(rows.values())

    def changes(self, node: Node) -> Row:
        if node.target not in self._updated:
            return {}
        found = {name: node.changes[name] for name in _CACHED_CHANGES if name in node.changes}
        return found | ({"polygon": points_of(found["polygon"])} if "polygon" in found else {})

    def _find(self, target: Target) -> str | None:
        return target if isinstance(target, str) else self._ids.get(target)


def _parents(plan: Plan) -> dict[str, list[Row]]:
    """Elements that exist with their images, and stored transcriptions on them, for a cache that lacks them."""
    stored = [text.stored for text in plan.stored]
    wanted = {plan.nodes[0].target, *(text.element_id for text in stored)}
    wanted |= {node.target for node in plan.nodes if node.children or node.texts or node.classifications}
    elements = [node.element for node in plan.nodes if isinstance(node, StoredNode) and node.target in wanted]
    images = {image.id: image for image in map(_image_of, elements) if image is not None and image.id is not None}
    places = {element.id for element in elements}
    return {
        "images": [_image_row(image) for image in images.values()],
        "elements": [_element_row(element) for element in elements],
        "transcriptions": [_text_row(text) for text in stored if text.element_id in places],
    }


def _image_of(element: Element) -> Image | None:
    return element.zone.image if element.zone is not None else None


def _image_row(image: Image) -> Row:
    version = image.server.version if image.server is not None else None
    return {
        "id": image.id,
        "width": image.width or 0,
        "height": image.height or 0,
        "url": image.url or "",
        "version": version or 2,
    }


def _element_row(element: Element) -> Row:
    image = _image_of(element)
    return {
        "id": element.id,
        "type": element.type or "",
        "polygon": points_of(element.zone.polygon) if element.zone is not None else None,
        "rotation_angle": element.rotation_angle,
        "mirrored": element.mirrored,
        "confidence": element.confidence,
        "image_id": image.id if image is not None else None,
    }


def _text_row(text: StoredTranscription) -> Row:
    names = ("id", "element_id", "text", "confidence", "orientation", "worker_run_id")
    return {name: getattr(text, name) for name in names}
