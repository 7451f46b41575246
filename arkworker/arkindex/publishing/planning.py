"""From results to requests, without any effect: the same results give the same plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.gathering import gather
from arkworker.arkindex.publishing.plan import BATCH_SIZE, LISTS, Plan, Ref, Request, batches, points_of
from arkworker.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from arkworker.arkindex.publishing.gathering import Gathered
    from arkworker.arkindex.publishing.plan import Kind, Needs, NewNode, NewText, Node, Target, Text
    from arkworker.elements.model import Element
    from arkworker.elements.results import Classification, Entity, Metadata
    from arkworker.geometry import Polygon


#: What creates one of a kind, and what creates several.
_OPERATIONS = {
    "transcriptions": ("CreateTranscription", "CreateTranscriptions"),
    "entities": ("CreateTranscriptionEntity", "CreateTranscriptionEntities"),
    "classifications": ("CreateClassification", "CreateClassifications"),
    "metadata": ("CreateMetaData", "CreateMetaDataBulk"),
}


def plan(
    element: Element,
    results: Sequence[Any],
    *,
    worker_run_id: str | None,
    corpus_id: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> Plan:
    """The requests that publish the results of an element: few, and in bulk where there are several of a kind.

    New elements come first, level by level, then what is on them and on those that exist; changes come last.

    Args:
        element: The element that was processed.
        results: What was found on it, and on others that exist.
        worker_run_id: Signs the results.
        corpus_id: The run's corpus, for an element that does not say its own.
        batch_size: How many results of a kind one request holds at most.

    Raises:
        ResultError: Something cannot be published; the message says where it is.
    """
    gathered = gather(element, results)
    corpus = element.corpus.id if element.corpus is not None else corpus_id
    requests = tuple(_Planning(gathered, worker_run_id, corpus, batch_size).requests())
    return Plan(requests, _needs(gathered), tuple(gathered.nodes), tuple(gathered.stored))


def _needs(gathered: Gathered) -> Needs:
    places: dict[Kind, dict[str, str]] = {"element type": {}, "class": {}, "entity type": {}}
    for needs in (*(node.needs for node in gathered.nodes), gathered.needs):
        for kind, name, place in needs:
            places[kind].setdefault(name, place)
    return {kind: names for kind, names in places.items() if names}


class _Planning:
    """The requests of one publication."""

    def __init__(self, gathered: Gathered, run: str | None, corpus: str | None, size: int) -> None:
        self._nodes = gathered.nodes
        self._stored = gathered.stored
        self._run = run
        self._corpus = corpus
        self._size = size
        self._merged: set[NewNode] = set()  # children that are created together with their first transcription

    def requests(self) -> Iterator[Request]:
        for parent in self._nodes:
            yield from self._children(parent)
        yield from self._transcriptions()
        for text in (*(text for node in self._nodes for text in node.texts), *self._stored):
            yield from self._entities(text)
        for node in self._nodes:
            yield from self._classifications(node)
            yield from self._metadata(node)
            yield from self._embeddings(node)
            yield from self._links(node)
        for node in self._nodes:
            if node.changes:
                yield Request("PartialUpdateElement", {"id": node.target}, dict(node.changes), {"changes": 1})

    def _children(self, parent: Node) -> Iterator[Request]:
        """A parent is there before its children."""
        outlined = [node for node in parent.children if _is_in_bulk(node)]
        groups = _merged(outlined, self._size)
        self._merged.update(node for group in groups for node in group)
        for batch in batches([node for node in outlined if node not in self._merged], self._size):
            body = {"worker_run_id": self._run, "elements": [_element(node) for node in batch]}
            holds = Counter(node.child.type for node in batch)
            yield Request("CreateElements", {"id": parent.target}, body, holds, tuple((node.target,) for node in batch))
        for group in groups:
            for batch in batches(group, self._size):
                yield self._annotated(parent, batch)
        for node in parent.children:
            if not _is_in_bulk(node):
                yield self._single(parent, node)

    def _annotated(self, parent: Node, nodes: Sequence[NewNode]) -> Request:
        """Children of one type, each with its first transcription."""
        slug = nodes[0].child.type
        body = {
            "element_type": slug,
            "worker_run_id": self._run,
            "transcriptions": [_annotation(node) for node in nodes],
            "return_elements": True,
        }
        gives = tuple((node.target, node.texts[0].target) for node in nodes)
        holds = {slug: len(nodes), "transcriptions": len(nodes)}
        return Request("CreateElementTranscriptions", {"id": parent.target}, body, holds, gives)

    def _single(self, parent: Node, node: NewNode) -> Request:
        if self._corpus is None:
            raise ResultError(f"{node.path}: it needs a corpus, and that of its parent is unknown")
        child = node.child
        body = {
            "type": child.type,
            "name": node.name,
            "image": child.image,
            "corpus": self._corpus,
            "polygon": points_of(child.polygon),
            "parent": parent.target,
            "worker_run_id": self._run,
            "confidence": child.confidence,
        }
        return Request("CreateElement", {}, body, {child.type: 1}, ((node.target,),))

    def _transcriptions(self) -> Iterator[Request]:
        loose = [
            (node, text) for node in self._nodes for text in (node.texts[1:] if node in self._merged else node.texts)
        ]
        if len(loose) == 1:
            node, text = loose[0]
            return self._create("transcriptions", [(text.target, _written(text))], {"id": node.target})
        items = [(text.target, {"element_id": node.target, **_written(text)}) for node, text in loose]
        return self._create("transcriptions", items, {})

    def _entities(self, text: Text) -> Iterator[Request]:
        """All at once, whatever the size of a batch, as the published library does."""
        items = [(item.ref, _entity(item.value)) for item in text.entities]
        return self._create("entities", items, {"id": text.target}, size=len(items))

    def _classifications(self, node: Node) -> Iterator[Request]:
        items = [(item.ref, _classified(item.value)) for item in node.classifications]
        if len(items) == 1:
            items[0][1]["high_confidence"] = node.classifications[0].value.high_confidence
            return self._create("classifications", items, {}, {"element": node.target})
        return self._create("classifications", items, {}, {"parent": node.target})

    def _metadata(self, node: Node) -> Iterator[Request]:
        items = [(item.ref, _named(item.value)) for item in node.metadata]
        return self._create("metadata", items, {"id": node.target})

    def _create(
        self,
        kind: str,
        items: Sequence[tuple[Ref, dict[str, Any]]],
        parameters: dict[str, Target],
        head: Mapping[str, Any] | None = None,
        *,
        size: int | None = None,
    ) -> Iterator[Request]:
        """One by the operation for one, several by that for several, a batch at a time."""
        single, several = _OPERATIONS[kind]
        signed = {**(head or {}), "worker_run_id": self._run}
        if len(items) == 1:
            ((ref, item),) = items
            yield Request(single, parameters, {**signed, **item}, {kind: 1}, ((ref,),))
            return
        for batch in batches(items, size or self._size):
            body = {**signed, LISTS[several]: [item for _, item in batch]}
            yield Request(several, parameters, body, {kind: len(batch)}, tuple((ref,) for ref, _ in batch))

    def _embeddings(self, node: Node) -> Iterator[Request]:
        for item in node.embeddings:
            body = {"worker_run_id": self._run, "value": list(item.value.value)}
            yield Request("CreateEmbedding", {"id": node.target}, body, {"embeddings": 1}, ((item.ref,),))

    def _links(self, node: Node) -> Iterator[Request]:
        for parent in dict.fromkeys(parent for link in node.links for parent in link.parents):
            yield Request("CreateElementParent", {"child": node.target, "parent": parent}, None, {"links": 1})
        children = list(dict.fromkeys(child for link in node.links for child in link.children))
        for batch in batches(children, self._size):
            body = {"children": list(batch)}
            yield Request("CreateElementChildren", {"id": node.target}, body, {"links": len(batch)})


def _merged(children: Sequence[NewNode], size: int) -> list[Sequence[NewNode]]:
    """The children, by type, that are better created together with their first transcription.

    `CreateElementTranscriptions` does the work of two requests for children of one type. A full batch of it always
    saves one; what is left of several types may be cheaper in the other two, which take several types at once.
    """
    outlines = Counter(map(_place, children))
    groups: dict[str, list[NewNode]] = defaultdict(list)
    for node in children:  # Arkindex names those, and takes equal outlines for one element
        if node.texts and node.child.name is None and outlines[_place(node)] == 1:
            groups[node.child.type].append(node)
    full = [group[: len(group) // size * size] for group in groups.values()]
    rests = [rest for group in groups.values() if (rest := group[len(group) // size * size :])]
    plain = len(children) - sum(map(len, groups.values()))
    left = sum(map(len, rests))
    apart = _requests(plain + left, size) - _requests(plain, size) + _requests(left, size)
    return [*filter(None, full), *(rests if len(rests) < 2 or len(rests) < apart else ())]


def _requests(count: int, size: int) -> int:
    """How many requests of at most `size` items each take `count` of them."""
    return -(-count // size)


def _place(node: NewNode) -> tuple[str, Polygon]:
    """Type and outline, whether that is closed or not."""
    child = node.child
    outline = tuple(child.polygon or ())
    return child.type, outline[:-1] if outline[0] == outline[-1] else outline


def _is_in_bulk(node: NewNode) -> bool:
    """Whether it has an outline on the image of its parent: others are created singly."""
    child = node.child
    return child.polygon is not None and child.image is None


def _element(node: NewNode) -> dict[str, Any]:
    child = node.child
    item = {"type": child.type, "name": node.name, "polygon": points_of(child.polygon)}
    return item if child.confidence is None else {**item, "confidence": child.confidence}


def _annotation(node: NewNode) -> dict[str, Any]:
    child = node.child
    item = {"polygon": points_of(child.polygon), **_written(node.texts[0])}
    return item if child.confidence is None else {**item, "element_confidence": child.confidence}


def _written(text: NewText) -> dict[str, Any]:
    """A transcription as every operation wants it."""
    value = text.value
    return {"text": value.text, "confidence": value.confidence, "orientation": value.orientation}


def _entity(entity: Entity) -> dict[str, Any]:
    item = {"type_id": Ref("entity type", entity.type), "offset": entity.offset, "length": entity.length}
    return item if entity.confidence is None else {**item, "confidence": entity.confidence}


def _classified(item: Classification) -> dict[str, Any]:
    body: dict[str, Any] = {"ml_class": Ref("class", item.class_name), "confidence": item.confidence}
    # Releases of Arkindex from September 2026 do not know it any more.
    return {**body, "high_confidence": True} if item.high_confidence else body


def _named(item: Metadata) -> dict[str, Any]:
    return {"type": item.type, "name": item.name, "value": item.value}
