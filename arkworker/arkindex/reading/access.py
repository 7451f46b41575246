"""The elements of one run: found by their id, their images opened, and what belongs to them read.

The cache is asked where it knows the element, else the API.
"""

from __future__ import annotations

import dataclasses
import os
from operator import methodcaller
from typing import IO, TYPE_CHECKING, Any

from arkworker.arkindex.reading.remote import RemoteReader
from arkworker.elements.query import Query
from arkworker.errors import ArkworkerError
from arkworker.images.opener import ImageOpener
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.reading.cached import CacheReader
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.elements.model import Element
    from arkworker.elements.query import Source
    from arkworker.elements.stored import (
        StoredClassification,
        StoredEmbedding,
        StoredEntity,
        StoredMetadata,
        StoredTranscription,
    )
    from arkworker.images.options import ImageOptions, Picture


class ElementAccess:
    """What a run knows of elements; each that is bound to it reads here what belongs to it.

    Args:
        api: Gives the client of the run.
        sessions: Gives the sessions of the cache while it is open; None for a worker without one.
        is_reachable: Whether the address of Arkindex is set.
        local_files: Whether an element may be a local image file, whose address is a path.
        max_image_pixels: The largest image; 0 lifts the limit, None leaves that of Pillow.
    """

    def __init__(
        self,
        api: Callable[[], Client],
        sessions: Callable[[], Sessions | None],
        *,
        is_reachable: bool,
        local_files: bool,
        max_image_pixels: int | None = None,
    ) -> None:
        self._api = api
        self._sessions = sessions
        self._is_reachable = is_reachable
        self._local_files = local_files
        self._remote = RemoteReader(api)
        self._download: Callable[[str], IO[bytes]] | None = None
        self._opener = ImageOpener(self._fetch, self._refresh, local_files, max_image_pixels)

    def bind(self, element: Element) -> Element:
        """The same element, as one of this run."""
        return element.bind(self._opener, self)

    def watch_images(self, watch: Callable[[Picture, ImageOptions, PIL.Image.Image], None]) -> None:
        """Have each opened image of elements that are bound from now on shown to a watcher."""
        self._opener = dataclasses.replace(self._opener, watch=watch)

    def find_cached(self, element_id: str, *, is_wanted: bool = False) -> Element | None:
        """The element of that id from the cache; None when that does not have it.

        Args:
            element_id: Its id.
            is_wanted: Whether a cache that began empty is looked at, too.

        Raises:
            CacheError: Its row describes no element.
        """
        cache = self._find_cache(is_wanted=is_wanted)
        found = cache.element(element_id) if cache is not None else None
        return self.bind(found) if found is not None else None

    def retrieve(self, element_id: str, source: Source | None = None) -> Element:
        """The element of that id, from the cache where that has it, else from Arkindex.

        Raises:
            ApiError, CacheError: It cannot be retrieved.
            ArkworkerError: It is not in the cache, and there is no address of Arkindex, or it is not to be asked.
            ValueError: The source does not exist.
        """
        wanted = Query(source=source).source
        if wanted != "api" and (found := self.find_cached(element_id, is_wanted=wanted == "cache")) is not None:
            return found
        named = f"element {printable(element_id, 60)}"
        if wanted == "cache":
            raise ArkworkerError(f"{named}: it is not in the cache")
        if not self._is_reachable:
            before = "it is not in the cache, and " if self._sessions() is not None else ""
            raise ArkworkerError(f"{named}: {before}the address of Arkindex is not set: set ARKINDEX_API_URL")
        return self.bind(self._remote.element(element_id))

    def elements(self, corpus_id: str, query: Query, *, top_level: bool | None = None) -> Iterator[Element]:
        """The elements of a corpus, page after page as they are read, bound to this run.

        Raises:
            ApiError: They cannot be listed. With the item concerned.
        """
        return map(self.bind, self._remote.elements(corpus_id, query, top_level=top_level))

    def children(self, element: Element, query: Query) -> Iterator[Element]:
        """As `ReadsElements`, and so are the others."""
        return map(self.bind, self._of_element("children", element, query))

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        def knows(cache: CacheReader) -> bool:
            # A row without a parent says little: the elements that a process begins with have none there.
            return cache.knows_parents(element.id) or (not self._is_reachable and cache.knows(element.id))

        return map(self.bind, self._of_element("parents", element, query, knows))

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

    def _find_cache(self, *, is_wanted: bool) -> CacheReader | None:
        """The cache, where it is what to look at first; one that began empty is only where it is wanted, or alone."""
        sessions = self._sessions()
        if sessions is None or (sessions.began_empty and self._is_reachable and not is_wanted):
            return None
        from arkworker.arkindex.reading.cached import CacheReader  # it imports SQLAlchemy

        return CacheReader(sessions)

    def _fetch(self, url: str) -> IO[bytes]:
        """The body at an address, by the HTTP stack of the run's client, but without its token."""
        if self._download is None:
            from arkworker.images.download import Downloader  # it imports requests

            client = self._api()
            self._download = Downloader(client.transport, client.clock).get
        return self._download(url)

    def _refresh(self, element_id: str) -> str | None:
        zone = self._remote.element(element_id).zone
        return zone.image.s3_url if zone and zone.image else None

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
