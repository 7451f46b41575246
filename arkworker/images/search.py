"""Where the pixels of an element come from: a local file, the file's own address on S3, a IIIF server, its tiles."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from arkworker.errors import ArkworkerError, ImageError
from arkworker.images import iiif
from arkworker.images.pixels import crop, decode, finish, target_size
from arkworker.images.tiles import assemble
from arkworker.text import presentable, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image

    from arkworker.images.options import ImageOptions, Picture
    from arkworker.images.orientation import Orientation

logger = logging.getLogger("arkworker.images")

EXPIRED = frozenset({400, 401, 403})  # what the kinds of S3 storage answer to an address that is no longer valid
ROUNDING = 1  # pixels by which servers differ


@dataclass(frozen=True)
class Search:
    """One picture, looked for in one place after the other; its size and pixels are the same from all of them.

    Attributes:
        picture: What is wanted.
        options: How it is wanted.
        limit: See `pixels.pixel_limit`.
        download: Gives the body at an address, without credentials.
        refresh: Gives the present S3 address of the element's image.
        local_files: Whether the image's address may be a path.
    """

    picture: Picture
    options: ImageOptions
    limit: int | None
    download: Callable[[str], IO[bytes]]
    refresh: Callable[[str], str | None] | None
    local_files: bool

    def image(self, orientation: Orientation) -> PIL.Image.Image:
        """The picture, shrunk, mirrored and turned."""
        image = self._pixels()
        size = target_size(*(self.picture.box[2:] if self.picture.box else image.size), self.options)
        return finish(image, size, self.options, orientation)

    def _pixels(self) -> PIL.Image.Image:
        """The picture, possibly smaller where that was asked for."""
        places = list(self._places())
        for place in places[:-1]:
            try:
                return place()
            except ImageError as error:
                logger.warning("image of element %s: %s; trying another way", printable(self.picture.id, 60), error)
        return places[-1]()

    def _places(self) -> Iterator[Callable[[], PIL.Image.Image]]:
        """The file itself first where all its pixels are needed, or where the server would not give so large a part."""
        if self.picture.url and not iiif.is_web_address(self.picture.url):
            yield self._local
            return
        remote = self._tiles if self._exceeds_server() else self._server
        if not self.picture.s3_url:
            yield remote
        elif not self.picture.url:
            yield self._storage
        elif self._needs_all_pixels() or self._exceeds_server():
            yield from (self._storage, remote)
        else:
            yield from (remote, self._storage)

    def _local(self) -> PIL.Image.Image:
        address = self.picture.url or ""
        if not self.local_files:
            raise ImageError(f"{presentable(address)} is not a web address; local files are for developer mode")
        path = Path(address)
        try:
            if address.lower().startswith("file://"):
                path = Path(unquote(urlsplit(address).path))
            if not path.is_file():
                raise ImageError(f"there is no file {printable(str(path))}")
            with path.open("rb") as file:
                size = self.picture.width, self.picture.height
                return self._cropped(decode(file, printable(str(path)), self.limit, size=size))
        except (OSError, ValueError) as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"{printable(str(path))} cannot be read: {type(error).__name__}") from None

    def _storage(self) -> PIL.Image.Image:
        address = self.picture.s3_url or ""
        try:
            return self._cropped(self._download(address, is_file=True))
        except ImageError as error:
            if error.status not in EXPIRED or not (fresh := self._fresh_address(address)):
                raise
        return self._cropped(self._download(fresh, is_file=True))

    def _fresh_address(self, expired: str) -> str | None:
        if self.refresh is None:
            return None
        try:
            fresh = self.refresh(self.picture.id)
        except ArkworkerError as error:
            logger.warning("no fresh address for an image: %s", error)
            return None
        return fresh if fresh != expired else None

    def _server(self) -> PIL.Image.Image:
        *sizes, last = self._sizes()
        for size in sizes:
            try:
                image = self._request(size)
            except ImageError as error:
                if error.status is None or not (400 <= error.status < 500 or error.status == 501):
                    raise
            else:
                return self._checked(image)
        return self._checked(self._request(last))

    def _sizes(self) -> list[str]:
        """How the size may be asked for; the next one where a server refuses the one before."""
        box = self.picture.box
        asked = iiif.shrunk_size(box.width, box.height, self._target(), self.options) if box else None
        return list(dict.fromkeys(filter(None, (asked, iiif.full_size(self.picture.iiif_version), "max"))))

    def _request(self, size: str) -> PIL.Image.Image:
        return self._download(iiif.sized_address(self.picture, size, self.options), is_file=False)

    def _target(self) -> tuple[int, int]:
        box = self.picture.box
        return target_size(box.width, box.height, self.options) if box else (0, 0)

    def _checked(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """An answer shows its whole box, in the size of the box or that asked for, or one between.

        Polygons found on any other would be wrong without being noticed.
        """
        box, target = self.picture.box, self._target()
        if box is None or _is_near(image.size, (box.width, box.height)) or _is_near(image.size, target):
            return image
        answer = f"the server answers {image.width} by {image.height} pixels for {box.width} by {box.height}"
        scale = image.width / box.width
        is_whole = _is_near(image.size, (image.width, round(box.height * scale)))
        if scale > 1 or image.height > box.height or not is_whole:
            raise ImageError(answer)
        if image.width >= target[0] and image.height >= target[1]:
            return image
        logger.warning("image of element %s: %s; trying tiles", printable(self.picture.id, 60), answer)
        return self._tiles()

    def _tiles(self) -> PIL.Image.Image:
        picture = self.picture
        declared = (picture.width, picture.height) if picture.width and picture.height else None
        return assemble(iiif.image_address(picture), picture.box, self.download, declared=declared, limit=self.limit)

    def _exceeds_server(self) -> bool:
        wanted = self._target()
        return any(largest and size > largest for size, largest in zip(wanted, self.picture.largest, strict=True))

    def _needs_all_pixels(self) -> bool:
        box = self.picture.box
        if box is None:
            return True
        return box == (0, 0, self.picture.width, self.picture.height) and self._target() == (box.width, box.height)

    def _download(self, address: str, *, is_file: bool) -> PIL.Image.Image:
        if not iiif.is_web_address(address):
            raise ImageError(f"{presentable(address)} is not a web address")
        with self.download(address) as body:
            size = self.picture.width, self.picture.height
            return decode(body, presentable(address), self.limit, is_file=is_file, size=size)

    def _cropped(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """The box of a whole image, provided that it is the image that Arkindex knows."""
        width, height = self.picture.width or image.width, self.picture.height or image.height
        if image.size != (width, height):
            raise ImageError(f"it has {image.width} by {image.height} pixels, Arkindex says {width} by {height}")
        box = self.picture.box
        if box is None or box == (0, 0, width, height):
            return image
        if not box.fits_in(width, height):  # what is there would be stretched to it
            raise ImageError(f"its polygon reaches beyond the image of {width} by {height} pixels")
        return crop(image, (box.x, box.y, box.x + box.width, box.y + box.height), self.limit)


def _is_near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(size[0] - other[0]) <= ROUNDING and abs(size[1] - other[1]) <= ROUNDING
