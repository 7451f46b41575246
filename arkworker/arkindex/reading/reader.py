"""Who is asked about an element: the cache where it knows the element, else the API."""

from __future__ import annotations

import os
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol

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


class FindsCache(Protocol):
    def __call__(self, *, is_wanted: bool) -> CacheReader | None:
        """The cache; None where there is none, or where the API goes before it unless it is wanted by name."""


class Reader:
    """Reads for the elements of one run.

    Args:
        remote: Reads from the API.
        find_cache: Gives the cache, where it is to be read.
        is_reachable: Whether the address of Arkindex is set.
        local_files: Whether an element may be a local image file.
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
        return map(self._bind, self._of_element("children", element, query))

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        def knows(cache: CacheReader) -> bool:
            # A row without a parent says little: the elements that a process begins with have none there.
            return cache.knows_parents(element.id) or (not self._is_reachable and cache.knows(element.id))

        return map(self._bind, self._of_element("parents", element, query, knows))

    def transcriptions(self, element: Element, query: Query) -> Iterator[StoredTranscription]:
        found: Iterator[StoredTranscription] = self._of_element("transcriptions", element, query)
        return (transcription.bind(self) for transcription in found)

    def classifications(self, element: Element, query: Query) -> Iterator[StoredClassification]:
        return self._of_element("classifications", element, query)

    def metadata(self, element: Element, *, load_parents: bool) -> Iterator[StoredMetadata]:
        ask = methodcaller("metadata", element, load_parents=load_parents)
        return self._ask(f"metadata of element {printable(element.id, 60)}", "", self._unless_at_desk(element, ask))

    def embeddings(self, element: Element) -> Iterator[StoredEmbedding]:
        ask = methodcaller("embeddings", element)
        return self._ask(f"embeddings of element {printable(element.id, 60)}", "", self._unless_at_desk(element, ask))

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        what = f"entities of transcription {printable(transcription.id, 60)}"
        ask = methodcaller("entities", transcription, query)
        return self._read(what, query, ask, lambda cache: cache.knows_transcription(transcription.id), ask)

    def _of_element(
        self, method: str, element: Element, query: Query, knows: Callable[[CacheReader], bool] | None = None
    ) -> Iterator[Any]:
        """What a method of that name gives, which the readers of the cache and of the API both have."""
        what = f"{method} of element {printable(element.id, 60)}"
        ask = methodcaller(method, element, query)
        return self._read(
            what, query, ask, knows or methodcaller("knows", element.id), self._unless_at_desk(element, ask)
        )

    def _read(
        self,
        what: str,
        query: Query,
        cached: Callable[[CacheReader], Iterator[Any]],
        knows: Callable[[CacheReader], bool],
        remote: Callable[[RemoteReader], Iterator[Any]] | None,
    ) -> Iterator[Any]:
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

    def _ask(self, what: str, before: str, remote: Callable[[RemoteReader], Iterator[Any]] | None) -> Iterator[Any]:
        if remote is None:
            return
        if not self._is_reachable:
            raise ArkworkerError(f"{what}: {before}the address of Arkindex is not set: set ARKINDEX_API_URL")
        yield from remote(self._remote)

    def _unless_at_desk(
        self, element: Element, remote: Callable[[RemoteReader], Iterator[Any]]
    ) -> Callable[[RemoteReader], Iterator[Any]] | None:
        """What asks Arkindex about an element; None for an image file of a desk, which it cannot know."""
        image = element.zone.image if element.zone is not None else None
        is_file = image is not None and image.url is not None and image.url.startswith(os.sep)
        return None if is_file and self._local_files else remote
