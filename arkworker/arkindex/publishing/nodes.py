"""Results as a tree of elements, each with what belongs on it; what cannot be published is refused here."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.plan import Ref, Target
from arkworker.elements.results import Child, Classification, Embedding, Link, Metadata, Transcription, Update, check
from arkworker.errors import ResultError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.elements import Element


@dataclass(slots=True)
class Text:
    """A transcription, and what will be its id."""

    ref: Ref
    value: Transcription


@dataclass(slots=True)
class Label:
    """A classification, and what will be its id."""

    ref: Ref
    value: Classification


@dataclass(slots=True, eq=False)
class Node:
    """The element that was processed, or one that is created below it.

    Attributes:
        target: Its id, or what will be it.
        path: Where it is in the results: `results.3`; empty for the element itself.
        child: What creates it; None for the element itself.
        name: Of a child: its own, or its number among those of its type.
        has_image: Whether children can have an outline.
        is_on_root: Whether its image is that of the element itself.
        size: Width and height of that image in pixels; None where they are unknown.
        needs: What its results want of the corpus: kind, name, place.
    """

    target: Target
    path: str = ""
    child: Child | None = None
    name: str = ""
    has_image: bool = False
    is_on_root: bool = True
    size: tuple[int, int] | None = None
    children: list[Node] = field(default_factory=list)
    transcriptions: list[Text] = field(default_factory=list)
    classifications: list[Label] = field(default_factory=list)
    metadata: list[Metadata] = field(default_factory=list)
    embeddings: list[Embedding] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    needs: list[tuple[str, str, str]] = field(default_factory=list)


def gather(element: Element, results: Sequence[Any]) -> list[Node]:
    """The element, then all that is created below it, level by level.

    Raises:
        ResultError: Something is no result, or cannot be published where it is.
    """
    image = element.zone.image if element.zone is not None else None
    size = (image.width, image.height) if image is not None and image.width and image.height else None
    root = Node(element.id, has_image=image is not None, size=size)
    nodes: list[Node] = []
    waiting: deque[tuple[Node, Sequence[Any]]] = deque([(root, results)])
    while waiting:
        node, found = waiting.popleft()
        nodes.append(node)
        _Filling(node).take(found)
        waiting.extend((child, child.child.results) for child in node.children if child.child is not None)
    return nodes


class _Filling:
    """Puts the results of one element where they belong."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._numbers: Counter[str] = Counter()
        self._classes: set[str] = set()

    def take(self, results: Sequence[Any]) -> None:
        prefix = f"{self._node.path}.results" if self._node.path else "results"
        if not isinstance(results, tuple | list):
            raise ResultError(f"{prefix} should be a list of results, not {type(results).__name__}")
        for number, result in enumerate(results):
            path = f"{prefix}.{number}"
            check(result, path)
            self._put(result, path)

    def _put(self, result: Any, path: str) -> None:
        node = self._node
        match result:
            case Child():
                node.children.append(self._child(result, path))
            case Transcription():
                node.transcriptions.append(Text(Ref("transcription", path), result))
                for number, entity in enumerate(result.entities):
                    node.needs.append(("entity type", entity.type, f"{path}.entities.{number}.type"))
            case Classification():
                self._check_class(result.class_name, path)
                node.classifications.append(Label(Ref("classification", path), result))
                node.needs.append(("class", result.class_name, f"{path}.class_name"))
            case Metadata():
                node.metadata.append(result)
            case Embedding():
                node.embeddings.append(result)
            case Link():
                node.links.append(result)
            case Update():
                self._update(result, path)

    def _update(self, update: Update, path: str) -> None:
        if update.image is None:
            _check_outline(self._node, update.polygon, path)
        self._node.changes |= update.changes
        if update.type is not None:
            self._node.needs.append(("element type", update.type, f"{path}.type"))

    def _child(self, child: Child, path: str) -> Node:
        if child.image is None:
            _check_outline(self._node, child.polygon, path)
        self._node.needs.append(("element type", child.type, f"{path}.type"))
        self._numbers[child.type] += 1
        is_below = child.polygon is not None and child.image is None
        return Node(
            Ref("element", path),
            path,
            child,
            name=child.name or str(self._numbers[child.type]),
            has_image=is_below or child.image is not None,
            is_on_root=is_below and self._node.is_on_root,
            size=self._node.size if is_below else None,
        )

    def _check_class(self, name: str, path: str) -> None:
        if name in self._classes:
            raise ResultError(f"{path}.class_name: {printable(name, 60)} is given twice on the same element")
        self._classes.add(name)


def _check_outline(node: Node, polygon: Iterable[Any] | None, path: str) -> None:
    if polygon is None:
        return
    if not node.has_image:
        raise ResultError(f"{path}.polygon: its parent has no image")
    if node.size is not None:
        width, height = node.size
        if any(x > width or y > height for x, y in polygon):
            raise ResultError(f"{path}.polygon: leaves the image of {width} by {height} pixels")
