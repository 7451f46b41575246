"""The elements of one run: found by their id, and bound to what opens their images and reads what belongs to them."""

from __future__ import annotations

import dataclasses
from typing import IO, TYPE_CHECKING

from arkworker.arkindex.reading.reader import Reader
from arkworker.arkindex.reading.remote import RemoteReader
from arkworker.elements import Query
from arkworker.errors import ArkworkerError
from arkworker.images import ImageOpener
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.reading.cached import CacheReader
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.elements import Element, ImageOptions, Source
    from arkworker.images.options import Picture


class ElementAccess:
    """What a run knows of elements.

    Args:
        api: Gives the client of the run.
        sessions: Gives the sessions of the cache while it is open; None for a worker without one.
        is_reachable: Whether the address of Arkindex is set.
        local_files: Whether the address of an image may be a path.
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
        self._remote = RemoteReader(api)
        self._download: Callable[[str], IO[bytes]] | None = None
        self._opener = ImageOpener(self._fetch, self._refresh, local_files, max_image_pixels)
        self._reader = Reader(
            self._remote, self._find_cache, is_reachable=is_reachable, local_files=local_files, bind=self.bind
        )

    def bind(self, element: Element) -> Element:
        """The same element, as one of this run."""
        return element.bind(self._opener, self._reader)

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
