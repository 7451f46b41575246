"""Where the pixels of an element come from: a local file, the file's own address on S3, a IIIF server, its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from arkworker.elements import Element
from arkworker.errors import ArkworkerError, ImageError
from arkworker.images import iiif
from arkworker.images.addresses import presentable
from arkworker.images.decoding import crop, decode
from arkworker.images.log import logger
from arkworker.images.pixels import iiif_size, target_size
from arkworker.images.tiles import assemble
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import BytesIO

    import PIL.Image

    from arkworker.elements import Image, ImageOptions
    from arkworker.geometry import PixelBox

EXPIRED = frozenset({400, 401, 403})  # what the kinds of S3 storage answer to an address that is no longer valid
ROUNDING = 1  # pixels by which servers differ


@dataclass(frozen=True)
class Search:
    """One image, looked for in one place after the other.

    Attributes:
        element: Whose image it is.
        image: That of its zone.
        box: The part of it that is wanted; None for the whole of an image of unknown size.
        options: How it is wanted.
        limit: See `decoding.pixel_limit`.
        download: Gives the body at an address, without credentials.
        refresh: Gives what `RetrieveElement` answers for an element's id.
        local_files: Whether the image's address may be a path.
    """

    element: Element
    image: Image
    box: PixelBox | None
    options: ImageOptions
    limit: int | None
    download: Callable[[str], BytesIO]
    refresh: Callable[[str], Mapping[str, Any]] | None
    local_files: bool

    def pixels(self) -> PIL.Image.Image:
        """The box, or the whole image, possibly smaller where that was asked for."""
        places = list(self._places())
        for place in places[:-1]:
            try:
                return place()
            except ImageError as error:
                logger.warning("image of element %s: %s; trying another way", printable(self.element.id, 60), error)
        return places[-1]()

    def _places(self) -> Iterator[Callable[[], PIL.Image.Image]]:
        """The file itself first where all its pixels are needed, or where the server would not give so large a part."""
        if self.image.url and not iiif.is_web_address(self.image.url):
            yield self._local
            return
        remote = self._tiles if self._exceeds_server() else self._server
        if not self.image.s3_url:
            yield remote
        elif not self.image.url:
            yield self._storage
        elif self._needs_all_pixels() or self._exceeds_server():
            yield from (self._storage, remote)
        else:
            yield from (remote, self._storage)

    def _local(self) -> PIL.Image.Image:
        address = self.image.url or ""
        path = Path(unquote(urlsplit(address).path) if address.lower().startswith("file://") else address)
        if not self.local_files:
            raise ImageError(f"{presentable(address)} is no web address; local files are for developer mode")
        try:
            if not path.is_file():
                raise ImageError(f"there is no file {printable(str(path))}")
            with path.open("rb") as file:
                return self._cropped(decode(file, printable(str(path)), self.limit))
        except (OSError, ValueError) as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"{printable(str(path))} cannot be read: {type(error).__name__}") from None

    def _storage(self) -> PIL.Image.Image:
        address = self.image.s3_url or ""
        try:
            return self._cropped(self._download(address))
        except ImageError as error:
            if error.status not in EXPIRED or not (fresh := self._fresh_address(address)):
                raise
        return self._cropped(self._download(fresh))

    def _fresh_address(self, expired: str) -> str | None:
        if self.refresh is None:
            return None
        try:
            element = Element.from_api(self.refresh(self.element.id))
        except ArkworkerError as error:
            logger.warning("no fresh address for an image: %s", error)
            return None
        image = element.zone.image if element.zone else None
        return image.s3_url if image and image.s3_url != expired else None

    def _server(self) -> PIL.Image.Image:
        *sizes, last = self._sizes()
        for size in sizes:
            try:
                image = self._request(size)
            except ImageError as error:
                if error.status is None or not (400 <= error.status < 500 or error.status == 501):
                    raise
            else:
                return self._checked(image, size)
        return self._checked(self._request(last), last)

    def _sizes(self) -> list[str]:
        """How the size may be asked for; the next one where a server refuses the one before."""
        asked = iiif_size(self.box.width, self.box.height, self.options) if self.box else None
        version = self.image.server.version if self.image.server else None
        return list(dict.fromkeys(filter(None, (asked, iiif.full_size(version), "max"))))

    def _request(self, size: str) -> PIL.Image.Image:
        return self._download(iiif.sized_address(self.element, self.image, self.box, size, self.options))

    def _checked(self, image: PIL.Image.Image, size: str) -> PIL.Image.Image:
        """An unscaled answer has the size of its box: polygons found on any other would be wrong, and nobody see it."""
        if self.box is None or size not in ("full", "max"):
            return image
        width, height = self.box.width, self.box.height
        if abs(image.width - width) <= ROUNDING and abs(image.height - height) <= ROUNDING:
            return image
        answer = f"the server answers {image.width} by {image.height} pixels for {width} by {height}"
        if image.width > width or image.height > height:
            raise ImageError(answer)
        wanted = target_size(width, height, self.options)
        if image.width >= wanted[0] and image.height >= wanted[1]:
            return image
        logger.warning("image of element %s: %s; trying tiles", printable(self.element.id, 60), answer)
        return self._tiles()

    def _tiles(self) -> PIL.Image.Image:
        declared = (self.image.width, self.image.height) if self.image.width and self.image.height else None
        base = iiif.image_address(self.image)
        return assemble(base, self.box, self.download, declared=declared, limit=self.limit)

    def _exceeds_server(self) -> bool:
        if self.box is None:
            return False
        width, height = target_size(self.box.width, self.box.height, self.options)
        widest, highest = iiif.largest_sizes(self.image)
        return width > widest or height > highest

    def _needs_all_pixels(self) -> bool:
        if self.box is None:
            return True
        whole = self.box == (0, 0, self.image.width, self.image.height)
        return whole and iiif_size(self.box.width, self.box.height, self.options) is None

    def _download(self, address: str) -> PIL.Image.Image:
        if not iiif.is_web_address(address):
            raise ImageError(f"{presentable(address)} is no web address")
        return decode(self.download(address), presentable(address), self.limit)

    def _cropped(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """The box of a whole image, provided that it is the image that Arkindex knows."""
        width, height = self.image.width or image.width, self.image.height or image.height
        if image.size != (width, height):
            raise ImageError(f"it has {image.width} by {image.height} pixels, Arkindex says {width} by {height}")
        if self.box is None or self.box == (0, 0, width, height):
            return image
        left, top = self.box.x, self.box.y
        right, bottom = min(width, left + self.box.width), min(height, top + self.box.height)
        if right <= left or bottom <= top:
            raise ImageError("its polygon is entirely outside the image")
        return crop(image, (left, top, right, bottom), self.limit)
