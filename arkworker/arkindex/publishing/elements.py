"""The requests that create elements, with their first transcription where that saves one."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.plan import Ref, Request, batches
from arkworker.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.arkindex.publishing.nodes import Node, Text
    from arkworker.elements.results import Child


def element_requests(
    nodes: Sequence[Node], merged: set[Node], run: str | None, corpus: str | None, size: int
) -> Iterator[Request]:
    """Level by level, so that a parent is there before its children.

    Raises:
        ResultError: A child has to be created in a corpus that is not known.
    """
    for parent in nodes:
        outlined = [child for child in parent.children if _is_in_bulk(child) and child not in merged]
        yield from _outlined(parent, outlined, run, size)
        yield from _merged(parent, [child for child in parent.children if child in merged], run, size)
        for child in parent.children:
            if not _is_in_bulk(child):
                yield _single(parent, child, run, corpus)


def written(text: Text) -> dict[str, Any]:
    """A transcription as every operation wants it."""
    value = text.value
    return {"text": value.text, "confidence": value.confidence, "orientation": value.orientation}


def _outlined(parent: Node, children: Sequence[Node], run: str | None, size: int) -> Iterator[Request]:
    for batch in batches(children, size):
        body = {"worker_run_id": run, "elements": [_element(child) for child in batch]}
        holds = Counter(_child(node).type for node in batch)
        yield Request("CreateElements", {"id": parent.target}, body, holds, tuple((_ref(child),) for child in batch))


def _element(node: Node) -> dict[str, Any]:
    child = _child(node)
    item = {"type": child.type, "name": node.name, "polygon": _points(child)}
    return item if child.confidence is None else {**item, "confidence": child.confidence}


def _merged(parent: Node, children: Sequence[Node], run: str | None, size: int) -> Iterator[Request]:
    groups: dict[str, list[Node]] = defaultdict(list)
    for child in children:
        groups[_child(child).type].append(child)
    for slug, group in groups.items():
        for batch in batches(group, size):
            body = {
                "element_type": slug,
                "worker_run_id": run,
                "transcriptions": [_annotation(child) for child in batch],
                "return_elements": True,
            }
            gives = tuple((_ref(child), child.transcriptions[0].ref) for child in batch)
            holds = {slug: len(batch), "transcriptions": len(batch)}
            yield Request("CreateElementTranscriptions", {"id": parent.target}, body, holds, gives)


def _annotation(node: Node) -> dict[str, Any]:
    child = _child(node)
    item = {"polygon": _points(child), **written(node.transcriptions[0])}
    return item if child.confidence is None else {**item, "element_confidence": child.confidence}


def _single(parent: Node, node: Node, run: str | None, corpus: str | None) -> Request:
    if corpus is None:
        raise ResultError(f"{node.path}: it needs a corpus, and that of its parent is unknown")
    child = _child(node)
    body = {
        "type": child.type,
        "name": node.name,
        "image": child.image,
        "corpus": corpus,
        "polygon": None if child.polygon is None else _points(child),
        "parent": parent.target,
        "worker_run_id": run,
        "confidence": child.confidence,
    }
    return Request("CreateElement", {}, body, {child.type: 1}, ((_ref(node),),))


def _is_in_bulk(node: Node) -> bool:
    """Whether it has an outline on the image of its parent: others are created singly."""
    child = _child(node)
    return child.polygon is not None and child.image is None


def _points(child: Child) -> list[list[float]]:
    return [list(point) for point in child.polygon or ()]


def _child(node: Node) -> Child:
    assert node.child is not None  # noqa: S101 - only the root has none, and it is nobody's child
    return node.child


def _ref(node: Node) -> Ref:
    assert isinstance(node.target, Ref)  # noqa: S101 - as above
    return node.target
