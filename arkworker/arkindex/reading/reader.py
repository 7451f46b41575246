"""Who is asked about an element: the cache where it knows the element, else the API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from arkworker.errors import ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.arkindex.reading.cached import CacheReader
    from arkworker.arkindex.reading.remote import RemoteReader
    from arkworker.elements import (
        Element,
        Query,
        StoredClassification,
        StoredEmbedding,
        StoredEntity,
        StoredMetadata,
        StoredTranscription,
    )

T = TypeVar("T")


class FindsCache(Protocol):
    def __call__(self, *, is_wanted: bool) -> CacheReader | None:
        """The cache; None where there is none, or where the API goes before it unless it is wanted by name."""


class Reader:
    """Reads for the elements of one run.

    Args:
        remote: Reads from the API.
        find_cache: Gives the cache, where it is to be read.
        is_reachable: Whether the address of Arkindex is set.
        local_files: Whether an element may be an image file of a desk.
        bind: Binds an element that was found to the run.
    """

    def __init__(
        self,
        remote: RemoteReader,
        find_cache: FindsCache,
        *,
        is_reachable: bool,
        local_files: bool,
        bind: Callable[[Element], Element],
    ) -> None:
        self._remote = remote
        self._find_cache = find_cache
        self._is_reachable = is_reachable
        self._local_files = local_files
        self._bind = bind

    def children(self, element: Element, query: Query) -> Iterator[Element]:
        """As `ReadsElements`, and so are the others."""
        found = self._read(
            f"children of element {printable(element.id, 60)}",
            query,
            lambda cache: cache.children(element, query),
            lambda cache: cache.knows(element.id),
            self._unless_at_desk(element, lambda: self._remote.children(element, query)),
        )
        return map(self._bind, found)

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        def knows(cache: CacheReader) -> bool:
            # A row without a parent says little: the elements that a process begins with have none there.
            return cache.knows_parents(element.id) or (not self._is_reachable and cache.knows(element.id))

        found = self._read(
            f"parents of element {printable(element.id, 60)}",
            query,
            lambda cache: cache.parents(element, query),
            knows,
            self._unless_at_desk(element, lambda: self._remote.parents(element, query)),
        )
        return map(self._bind, found)

    def transcriptions(self, element: Element, query: Query) -> Iterator[StoredTranscription]:
        found = self._read(
            f"transcriptions of element {printable(element.id, 60)}",
            query,
            lambda cache: cache.transcriptions(element, query),
            lambda cache: cache.knows(element.id),
            self._unless_at_desk(element, lambda: self._remote.transcriptions(element, query)),
        )
        return (transcription.bind(self) for transcription in found)

    def classifications(self, element: Element, query: Query) -> Iterator[StoredClassification]:
        return self._read(
            f"classifications of element {printable(element.id, 60)}",
            query,
            lambda cache: cache.classifications(element, query),
            lambda cache: cache.knows(element.id),
            self._unless_at_desk(element, lambda: self._remote.classifications(element, query)),
        )

    def metadata(self, element: Element, *, load_parents: bool) -> Iterator[StoredMetadata]:
        what = f"metadata of element {printable(element.id, 60)}"
        found = self._unless_at_desk(element, lambda: self._remote.metadata(element, load_parents=load_parents))
        return self._ask(what, "", found)

    def embeddings(self, element: Element) -> Iterator[StoredEmbedding]:
        what = f"embeddings of element {printable(element.id, 60)}"
        return self._ask(what, "", self._unless_at_desk(element, lambda: self._remote.embeddings(element)))

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        return self._read(
            f"entities of transcription {printable(transcription.id, 60)}",
            query,
            lambda cache: cache.entities(transcription, query),
            lambda cache: cache.knows_transcription(transcription.id),
            lambda: self._remote.entities(transcription, query),
        )

    def _read(
        self,
        what: str,
        query: Query,
        cached: Callable[[CacheReader], Iterator[T]],
        knows: Callable[[CacheReader], bool],
        remote: Callable[[], Iterator[T]] | None,
    ) -> Iterator[T]:
        is_wanted = query.source == "cache"
        cache = None if query.source == "api" or query.unknown else self._find_cache(is_wanted=is_wanted)
        if is_wanted and cache is None:
            raise ArkworkerError(f"{what}: this worker has no cache; set uses_cache = True on its class")
        is_found = False
        for item in cached(cache) if cache is not None else ():
            is_found = True
            yield item
        if is_found or (cache is not None and (is_wanted or knows(cache))):
            return
        before = "the cache does not know it, and " if cache is not None else ""
        if query.unknown:
            before = f"only Arkindex knows {query.unknown}, and "
        yield from self._ask(what, before, remote)

    def _ask(self, what: str, before: str, remote: Callable[[], Iterator[T]] | None) -> Iterator[T]:
        if remote is None:
            return
        if not self._is_reachable:
            raise ArkworkerError(f"{what}: {before}the address of Arkindex is not set: set ARKINDEX_API_URL")
        yield from remote()

    def _unless_at_desk(self, element: Element, remote: Callable[[], Iterator[T]]) -> Callable[[], Iterator[T]] | None:
        """What asks Arkindex about an element; None for an image file of a desk, which it cannot know."""
        image = element.zone.image if element.zone is not None else None
        is_file = image is not None and image.url is not None and image.url.startswith(os.sep)
        return None if is_file and self._local_files else remote
