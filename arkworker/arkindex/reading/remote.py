"""What belongs to an element, from the API: each page is requested when its first item is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.elements.model import Element
from arkworker.elements.query import INCLUDED
from arkworker.elements.stored import (
    StoredClassification,
    StoredEmbedding,
    StoredEntity,
    StoredMetadata,
    StoredTranscription,
)
from arkworker.errors import ApiContentError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.arkindex.client import Client
    from arkworker.elements.query import Query

RETRIEVE = "RetrieveElement"
PAGE_SIZE = 100  # a fifth of what Arkindex allows, five times what it gives unasked


class RemoteReader:
    """Reads with the client of a run.

    Args:
        api: Gives the client, when the first request is made.
    """

    def __init__(self, api: Callable[[], Client]) -> None:
        self._api = api

    def element(self, element_id: str) -> Element:
        """The element of that id.

        Raises:
            ApiError: It cannot be retrieved.
        """
        return element_of(self._api().request(RETRIEVE, id=element_id), element_id)

    def children(self, element: Element, query: Query) -> Iterator[Element]:
        return self._elements("ListElementChildren", element, query)

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        return self._elements("ListElementParents", element, query)

    def transcriptions(self, element: Element, query: Query) -> Iterator[StoredTranscription]:
        operation = "ListTranscriptions"
        wanted = {"element_type": query.type, "recursive": query.recursive or None, "worker_run": query.worker_run}
        for answer in self._pages(operation, element.id, **wanted):
            found = StoredTranscription.from_api(answer, operation=operation)
            is_told = found.element_id is not None or query.recursive
            yield found if is_told else found.model_copy(update={"element_id": element.id})

    def classifications(self, element: Element, query: Query) -> Iterator[StoredClassification]:
        """Those that the element came with; they are asked for again where it came without, or the API is named."""
        answers = None if query.source == "api" else _classes(element)
        if answers is None:
            answers = _classes(self.element(element.id))
        if answers is None:
            raise ApiContentError(RETRIEVE, "the answer has no list of classes", status=200)
        for answer in answers:
            found = StoredClassification.from_api(answer, operation=RETRIEVE)
            if query.worker_run is None or found.worker_run_id == (query.worker_run or None):
                yield found

    def metadata(self, element: Element, *, load_parents: bool) -> Iterator[StoredMetadata]:
        operation = "ListElementMetaData"
        for answer in self._api().request(operation, id=element.id, load_parents=load_parents or None):
            yield StoredMetadata.from_api(answer, operation=operation)

    def embeddings(self, element: Element) -> Iterator[StoredEmbedding]:
        operation = "ListEmbeddings"
        for answer in self._pages(operation, element.id):
            yield StoredEmbedding.from_api(answer, operation=operation)

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        operation = "ListTranscriptionEntities"
        for answer in self._pages(operation, transcription.id, worker_run=query.worker_run):
            yield StoredEntity.from_api(answer, operation=operation)

    def elements(self, corpus_id: str, query: Query, *, top_level: bool | None) -> Iterator[Element]:
        """The elements of a corpus; those with no parent alone, or the others."""
        operation = "ListElements"
        found = self._api().paginate(
            operation, corpus=corpus_id, page_size=PAGE_SIZE, top_level=top_level, **_wanted(query)
        )
        for answer in found:
            yield _listed(answer, operation, query)

    def _elements(self, operation: str, element: Element, query: Query) -> Iterator[Element]:
        for answer in self._pages(operation, element.id, recursive=query.recursive or None, **_wanted(query)):
            yield _listed(answer, operation, query)

    def _pages(self, operation: str, identifier: str, **parameters: Any) -> Iterator[Any]:
        # The client is made, and its connection checked, with the first item.
        yield from self._api().paginate(operation, id=identifier, page_size=PAGE_SIZE, **parameters)


def _wanted(query: Query) -> dict[str, Any]:
    """What all lists of elements can be asked for."""
    names = "type", "name", "folder", "worker_run", "transcription_worker_run", *INCLUDED
    return {name: getattr(query, name) for name in names}


def _listed(answer: Any, operation: str, query: Query) -> Element:
    element = Element.from_api(answer, operation=operation)
    items = (element.model_extra or {}).get("metadata")
    if not query.with_metadata or not isinstance(items, list):
        return element
    return element.with_listed(StoredMetadata.from_api(item, operation=operation) for item in items)


def element_of(answer: Any, element_id: str) -> Element:
    """The element that was asked for, from the answer.

    Raises:
        ApiContentError: It is another one, or none.
    """
    element = Element.from_api(answer)
    if _plain(element.id) != _plain(element_id):
        raise ApiContentError(RETRIEVE, f"the answer is another element, {printable(element.id, 60)}", status=200)
    return element


def _plain(element_id: str) -> str:
    """An id however it is written: with or without dashes, in upper or lower case."""
    return element_id.replace("-", "").lower()


def _classes(element: Element) -> list[Any] | None:
    """What the answer that the element was made of says; None where it says nothing."""
    extra = element.model_extra or {}
    known = [extra[name] for name in ("classifications", "classes") if isinstance(extra.get(name), list)]
    return next(filter(None, known), known[0] if known else None)
