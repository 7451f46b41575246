"""What can be read about an element: its relatives, and what workers and people have left on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, Unpack

from pydantic import PrivateAttr

from arkworker.elements.query import ElementFilters, MadeBy, Query, Source, called_as
from arkworker.elements.stored import ReadsEntities
from arkworker.errors import ArkworkerError
from arkworker.frozen import Record
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from arkworker.elements.stored import StoredClassification, StoredEmbedding, StoredMetadata, StoredTranscription


E = TypeVar("E")


class ReadsElements(ReadsEntities, Protocol[E]):
    """What an element hands over to when it is asked for what belongs to it.

    Nothing is read before the first item is asked for; what is found is bound to the same reader.
    """

    def children(self, element: E, query: Query) -> Iterator[E]:
        """The elements below it."""

    def parents(self, element: E, query: Query) -> Iterator[E]:
        """The elements above it."""

    def transcriptions(self, element: E, query: Query) -> Iterator[StoredTranscription]:
        """The texts on it."""

    def classifications(self, element: E, query: Query) -> Iterator[StoredClassification]:
        """Its classes."""

    def metadata(self, element: E, *, load_parents: bool) -> Iterator[StoredMetadata]:
        """Its metadata."""

    def embeddings(self, element: E) -> Iterator[StoredEmbedding]:
        """Its embeddings."""


class Readable(Record):
    """An element that is bound to the reader of a run.

    Nothing is read before the first item is requested, and then only as much as is needed: a page of the API, or some
    rows of the cache, at a time.

    A worker that uses the cache reads from it whatever belongs to an element that the cache knows: one that has a row,
    or whose child has one. What the cache has is then taken as complete, as in the published library, and includes rows
    that user code has added in its session. Arkindex is asked about other elements, for names and metadata, which the
    cache does not have, and for parents without a row. When the cache is in memory, because no earlier task has left
    one, Arkindex is asked about everything. `source="api"` always asks Arkindex, `source="cache"` never does.

    In developer mode without the address of Arkindex, the cache answers for the elements that it knows. An image file
    (`--image`) has only what the cache has for it.
    """

    id: str

    _reader: ReadsElements[Any] | None = PrivateAttr(default=None)
    _metadata: tuple[StoredMetadata, ...] | None = PrivateAttr(default=None)  # that a list brought

    @called_as("Element")
    def children(self, **filters: Unpack[ElementFilters]) -> Iterator[Self]:
        """The elements below this one, bound like it; from the cache they have no name.

        Args:
            filters: Those of `ElementFilters`: `type="text_line"`, `recursive=True`, `folder=False`, …

        Raises:
            ArkworkerError: The element does not belong to a run, or nothing can be asked about it. With the first item.
            ApiError, CacheError: They cannot be read. With the item concerned.
            ValueError, TypeError: An argument is invalid.
        """
        return self._bound.children(self, Query(**filters))

    @called_as("Element")
    def parents(self, **filters: Unpack[ElementFilters]) -> Iterator[Self]:
        """The elements above this one. As `children`; the cache has only one of several parents."""
        return self._bound.parents(self, Query(**filters))

    @called_as("Element")
    def transcriptions(
        self,
        *,
        element_type: str | None = None,
        recursive: bool = False,
        worker_run: MadeBy = None,
        source: Source | None = None,
    ) -> Iterator[StoredTranscription]:
        """The texts on this element. As `children`.

        Args:
            element_type: Slug of the type of the elements that they are on.
            recursive: Include those on the elements below it.
            worker_run: Id of the worker run that made them; False for those made by hand.
            source: Where to look, and nowhere else.
        """
        query = Query(type=element_type, recursive=recursive, worker_run=worker_run, source=source)
        return self._bound.transcriptions(self, query)

    @called_as("Element")
    def classifications(
        self, *, worker_run: MadeBy = None, source: Source | None = None
    ) -> Iterator[StoredClassification]:
        """The classes of this element. As `children`.

        An element that was retrieved with its classes returns those; `source="api"` retrieves them again.
        """
        return self._bound.classifications(self, Query(worker_run=worker_run, source=source))

    @called_as("Element")
    def metadata(self, *, load_parents: bool = False) -> Iterator[StoredMetadata]:
        """The metadata of this element, from Arkindex: the cache has none.

        An element that was listed with `with_metadata=True` returns what it came with.

        Args:
            load_parents: Include those of the elements above it.

        Raises:
            ArkworkerError: The element does not belong to a run, or, with the first item, the address of Arkindex is
                not set.
            ApiError: They cannot be read. With the first item.
        """
        if self._metadata is not None and not load_parents:
            return iter(self._metadata)
        return self._bound.metadata(self, load_parents=load_parents)

    def with_listed(self, metadata: Iterable[StoredMetadata]) -> Self:
        """The same element, whose metadata a list has brought."""
        known = self.model_copy()
        known._metadata = tuple(metadata)  # noqa: SLF001 - its own
        return known

    @called_as("Element")
    def embeddings(self) -> Iterator[StoredEmbedding]:
        """The embeddings of this element, from Arkindex, page after page: the cache has none. As `metadata`."""
        return self._bound.embeddings(self)

    @property
    def _bound(self) -> ReadsElements[Self]:
        if self._reader is None:
            told = f"element {printable(self.id, 60)} does not belong to a run, so nothing can be read about it"
            raise ArkworkerError(f"{told}: take it from process_element or context, or give it to context.bind_element")
        return self._reader
