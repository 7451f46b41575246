"""Results as elements and texts, each with what belongs on it; what cannot be published is refused here."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from arkworker.arkindex.publishing.plan import Item, Kind, NewNode, NewText, Node, Ref, StoredNode, StoredText
from arkworker.elements.model import Element
from arkworker.elements.results import (
    Child,
    Classification,
    Embedding,
    Entity,
    Link,
    Metadata,
    On,
    Transcription,
    Update,
    check,
    check_entity,
)
from arkworker.errors import ResultError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.elements.stored import StoredTranscription


class Gathered(NamedTuple):
    """All that results are about.

    Attributes:
        nodes: The elements that exist, the processed one first, then all that is created below them, level by level.
        stored: The transcriptions that exist.
        needs: What those want of the corpus.
    """

    nodes: list[Node]
    stored: list[StoredText]
    needs: list[tuple[Kind, str, str]]


def gather(element: Element, results: Sequence[Any]) -> Gathered:
    """The element, all others that its results are on, and all that is created below them.

    Raises:
        ResultError: Something is not a result, or cannot be published where it is.
    """
    gathering = _Gathering(element)
    gathering.take(results)
    return gathering.gathered()


class _Gathering:
    """Finds the places that the results of one element belong to."""

    def __init__(self, element: Element) -> None:
        self._root = StoredNode.of(element)
        self._existing: dict[str, StoredNode] = {element.id: self._root}
        self._stored: dict[str, StoredText] = {}
        self._needs: list[tuple[Kind, str, str]] = []

    def take(self, results: Sequence[Any]) -> None:
        for path, result in _checked(results, "results"):
            if not isinstance(result, On):
                _put(self._root, result, path)
            elif isinstance(result.target, Element):
                node = self._node(result.target, path)
                for place, found in _checked(result.results, f"{path}.results"):
                    _put(node, found, place)
            else:
                self._annotate(result.target, result.results, path)

    def gathered(self) -> Gathered:
        nodes: list[Node] = []
        waiting: deque[Node] = deque(self._existing.values())
        while waiting:
            node = waiting.popleft()
            nodes.append(node)
            for child in node.children:
                for path, result in _checked(child.child.results, f"{child.path}.results"):
                    _put(child, result, path)
            waiting.extend(node.children)
        return Gathered(nodes, list(self._stored.values()), self._needs)

    def _node(self, element: Element, path: str) -> Node:
        """The node of an element that exists, whether it was named before or not."""
        corpus = self._root.element.corpus
        if corpus is not None and element.corpus not in (None, corpus):
            raise ResultError(f"{path}.target: is in another corpus: publish on it with context.publish")
        return self._existing.setdefault(element.id, StoredNode.of(element))

    def _annotate(self, stored: StoredTranscription, entities: Sequence[Any], path: str) -> None:
        text = self._stored.setdefault(stored.id, StoredText(target=stored.id, stored=stored))
        known = {_extent(item.value) for item in text.entities}
        for number, entity in enumerate(entities):
            place = f"{path}.results.{number}"
            check_entity(entity, place)
            if _extent(entity) in known:
                raise ResultError(f"{place} is given twice on the same transcription")
            known.add(_extent(entity))
            text.entities.append(Item(Ref("entity", place), entity))
            self._needs.append(("entity type", entity.type, f"{place}.type"))


def _extent(entity: Entity) -> tuple[str, int, int]:
    return entity.type, entity.offset, entity.length


def _checked(results: Any, prefix: str) -> Iterable[tuple[str, Any]]:
    """Results with their places."""
    if not isinstance(results, tuple | list):
        raise ResultError(f"{prefix} should be a list of results, not {type(results).__name__}")
    for number, result in enumerate(results):
        path = f"{prefix}.{number}"
        check(result, path)
        yield path, result


def _put(node: Node, result: Any, path: str) -> None:
    match result:
        case Child():
            node.children.append(_child(node, result, path))
        case Transcription():
            node.texts.append(_text(node, result, path))
        case Classification():
            if any(item.value.class_name == result.class_name for item in node.classifications):
                name = printable(result.class_name, 60)
                raise ResultError(f"{path}.class_name: {name} is given twice on the same element")
            node.classifications.append(Item(Ref("classification", path), result))
            node.needs.append(("class", result.class_name, f"{path}.class_name"))
        case Metadata():
            node.metadata.append(Item(Ref("metadata", path), result))
        case Embedding():
            node.embeddings.append(Item(Ref("embedding", path), result))
        case Link():
            node.links.append(result)
        case Update():
            _update(node, result, path)
        case _:
            raise ResultError(f"{path} cannot be published on an element")


def _text(node: Node, value: Transcription, path: str) -> NewText:
    text = NewText(target=Ref("transcription", path), value=value)
    for number, entity in enumerate(value.entities):
        place = f"{path}.entities.{number}"
        text.entities.append(Item(Ref("entity", place), entity))
        node.needs.append(("entity type", entity.type, f"{place}.type"))
    return text


def _update(node: Node, update: Update, path: str) -> None:
    if update.image is None:
        _check_outline(node, update.polygon, path)
    node.changes |= update.changes
    if update.type is not None:
        node.needs.append(("element type", update.type, f"{path}.type"))


def _child(node: Node, child: Child, path: str) -> NewNode:
    if child.image is None:
        _check_outline(node, child.polygon, path)
    node.needs.append(("element type", child.type, f"{path}.type"))
    node.numbers[child.type] += 1
    is_below = child.polygon is not None and child.image is None
    return NewNode(
        target=Ref("element", path),
        child=child,
        name=child.name or str(node.numbers[child.type]),
        path=path,
        has_image=is_below or child.image is not None,
        image_id=node.image_id if is_below else None,
        size=node.size if is_below else None,
    )


def _check_outline(node: Node, polygon: Iterable[Any] | None, path: str) -> None:
    if polygon is None:
        return
    if not node.has_image:
        raise ResultError(f"{path}.polygon: its parent has no image")
    if node.size is not None:
        width, height = node.size
        if any(x > width or y > height for x, y in polygon):
            raise ResultError(f"{path}.polygon: extends beyond the image of {width} by {height} pixels")
