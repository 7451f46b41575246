"""From results to requests, without any effect: the same results give the same plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.elements import element_requests, written
from arkworker.arkindex.publishing.merging import choose
from arkworker.arkindex.publishing.nodes import Node, gather
from arkworker.arkindex.publishing.plan import BATCH_SIZE, Plan, Ref, Request, batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.arkindex.publishing.nodes import Text
    from arkworker.elements import Element
    from arkworker.elements.results import Classification, Entity


def plan(
    element: Element,
    results: Sequence[Any],
    *,
    worker_run_id: str | None,
    corpus_id: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> Plan:
    """The requests that publish the results of an element: few, and in bulk where there are several of a kind.

    New elements come first, level by level, then what is on them; changes of elements that exist come last.

    Args:
        element: The element that was processed.
        results: What was found on it.
        worker_run_id: Signs the results.
        corpus_id: The run's corpus, for an element that does not say its own.
        batch_size: How many results of a kind one request holds at most.

    Raises:
        ResultError: Something cannot be published; the message says where it is.
    """
    nodes = gather(element, results)
    merged = choose(nodes, batch_size)
    corpus = element.corpus.id if element.corpus is not None else corpus_id
    requests = [
        *element_requests(nodes, merged, worker_run_id, corpus, batch_size),
        *_Content(nodes, merged, worker_run_id, batch_size).requests(),
    ]
    return Plan(tuple(requests), *_needs(nodes), tuple(nodes))


class _Content:
    """The requests for what is on elements that exist by then."""

    def __init__(self, nodes: Sequence[Node], merged: set[Node], run: str | None, size: int) -> None:
        self._nodes = nodes
        self._merged = merged
        self._run = run
        self._size = size

    def requests(self) -> Iterator[Request]:
        yield from self._transcriptions()
        for node in self._nodes:
            for text in node.transcriptions:
                yield from self._entities(text)
        for node in self._nodes:
            yield from self._classifications(node)
            yield from self._metadata(node)
            yield from self._embeddings(node)
            yield from self._links(node)
        for node in self._nodes:
            if node.changes:
                yield Request("PartialUpdateElement", {"id": node.target}, dict(node.changes), {"changes": 1})

    def _transcriptions(self) -> Iterator[Request]:
        loose = [(node, text) for node in self._nodes for text in node.transcriptions[node in self._merged :]]
        if len(loose) == 1:
            node, text = loose[0]
            body = {"worker_run_id": self._run, **written(text)}
            yield Request("CreateTranscription", {"id": node.target}, body, {"transcriptions": 1}, gives=((text.ref,),))
            return
        for batch in batches(loose, self._size):
            items = [{"element_id": node.target, **written(text)} for node, text in batch]
            body = {"worker_run_id": self._run, "transcriptions": items}
            gives = tuple((text.ref,) for _, text in batch)
            yield Request("CreateTranscriptions", {}, body, {"transcriptions": len(batch)}, gives)

    def _entities(self, text: Text) -> Iterator[Request]:
        items = [_entity(entity) for entity in text.value.entities]
        holds = {"entities": len(items)}
        if len(items) == 1:
            body = {"worker_run_id": self._run, **items[0]}
            yield Request("CreateTranscriptionEntity", {"id": text.ref}, body, holds)
        elif items:
            body = {"worker_run_id": self._run, "transcription_entities": items}
            yield Request("CreateTranscriptionEntities", {"id": text.ref}, body, holds)

    def _classifications(self, node: Node) -> Iterator[Request]:
        found = node.classifications
        if len(found) == 1:
            label = found[0]
            body = {"element": node.target, "worker_run_id": self._run, **_classified(label.value)}
            body["high_confidence"] = label.value.high_confidence
            yield Request("CreateClassification", {}, body, {"classifications": 1}, gives=((label.ref,),))
            return
        for batch in batches(found, self._size):
            body = {
                "parent": node.target,
                "worker_run_id": self._run,
                "classifications": [_classified(label.value) for label in batch],
            }
            gives = tuple((label.ref,) for label in batch)
            yield Request("CreateClassifications", {}, body, {"classifications": len(batch)}, gives)

    def _metadata(self, node: Node) -> Iterator[Request]:
        items = [{"type": item.type, "name": item.name, "value": item.value} for item in node.metadata]
        if len(items) == 1:
            body = {"worker_run_id": self._run, **items[0]}
            yield Request("CreateMetaData", {"id": node.target}, body, {"metadata": 1})
            return
        for batch in batches(items, self._size):
            listed = {"worker_run_id": self._run, "metadata_list": list(batch)}
            yield Request("CreateMetaDataBulk", {"id": node.target}, listed, {"metadata": len(batch)})

    def _embeddings(self, node: Node) -> Iterator[Request]:
        for embedding in node.embeddings:
            body = {"worker_run_id": self._run, "value": list(embedding.value)}
            yield Request("CreateEmbedding", {"id": node.target}, body, {"embeddings": 1})

    def _links(self, node: Node) -> Iterator[Request]:
        for parent in dict.fromkeys(parent for link in node.links for parent in link.parents):
            yield Request("CreateElementParent", {"child": node.target, "parent": parent}, None, {"links": 1})
        children = list(dict.fromkeys(child for link in node.links for child in link.children))
        for batch in batches(children, self._size):
            body = {"children": list(batch)}
            yield Request("CreateElementChildren", {"id": node.target}, body, {"links": len(batch)})


def _entity(entity: Entity) -> dict[str, Any]:
    item = {"type_id": Ref("entity type", entity.type), "offset": entity.offset, "length": entity.length}
    return item if entity.confidence is None else {**item, "confidence": entity.confidence}


def _classified(item: Classification) -> dict[str, Any]:
    body: dict[str, Any] = {"ml_class": Ref("class", item.class_name), "confidence": item.confidence}
    # Releases of Arkindex from September 2026 do not know it any more.
    return {**body, "high_confidence": True} if item.high_confidence else body


def _needs(nodes: Sequence[Node]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Element types, classes and entity types, each with the first place that wants it."""
    places: dict[str, dict[str, str]] = {"element type": {}, "class": {}, "entity type": {}}
    for node in nodes:
        for kind, name, place in node.needs:
            places[kind].setdefault(name, place)
    return places["element type"], places["class"], places["entity type"]
