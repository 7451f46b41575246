"""Opening pictures: set up once for a run, or from the environment for elements that belong to none."""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from arkworker.errors import ConfigurationError, ImageError, Problem
from arkworker.images.orientation import Orientation
from arkworker.text import printable
from arkworker.transport.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    import PIL.Image

    from arkworker.images.download import Downloader
    from arkworker.images.options import ImageOptions, Picture

logger = logging.getLogger("arkworker.images")


@dataclass(frozen=True)
class ImageOpener:
    """Opens pictures; may be shared by threads. Pillow and the HTTP stack are imported when they are needed.

    Attributes:
        download: Gives the body at a web address, without credentials: see `download.Downloader`.
        refresh: Gives the present `s3_url` of an element's image, by the element's id; without it an expired one is not
            replaced.
        local_files: Whether an image's address may be a path: in developer mode.
        max_image_pixels: In place of Pillow's limit; 0 lifts it, None leaves it.
        watch: Sees each image that was opened, before it is returned.
    """

    download: Callable[[str], IO[bytes]]
    refresh: Callable[[str], str | None] | None = None
    local_files: bool = False
    max_image_pixels: int | None = None
    watch: Callable[[Picture, ImageOptions, PIL.Image.Image], None] | None = None

    def __post_init__(self) -> None:
        if self.max_image_pixels == 0 and self.watch is None:  # one that is watched is a copy
            logger.warning("ARKINDEX_MAX_IMAGE_PIXELS=0 lifts the limit on images: only for sources that you trust")

    def open(self, picture: Picture, options: ImageOptions) -> PIL.Image.Image:
        """The picture in memory: cropped, shrunk and oriented as the options and the element say.

        Raises:
            ImageError: It cannot be retrieved from any place, or Pillow is missing.
        """
        try:
            from arkworker.images.search import Search
        except ImportError as error:
            if error.name and error.name.partition(".")[0] == "PIL":
                raise ImageError("opening images needs Pillow: pip install 'arkworker[image]'") from None
            raise
        limit = self.max_image_pixels if options.max_image_pixels is None else options.max_image_pixels
        orientation = Orientation(
            picture.orientation.rotation_angle if options.rotation_angle is None else options.rotation_angle,
            picture.orientation.mirrored if options.mirrored is None else options.mirrored,
        )
        try:
            image = Search(picture, options, limit, self.download, self.refresh, self.local_files).image(orientation)
        except ImageError as error:
            raise ImageError(f"image of element {printable(picture.id, 60)}: {error}", error.status) from None
        if self.watch is not None:
            self.watch(picture, options, image)
        return image


_PIXELS, _AGENT, _BUNDLE = _VARIABLES = ("ARKINDEX_MAX_IMAGE_PIXELS", "REQUESTS_USER_AGENT", "ARKINDEX_API_CA_BUNDLE")


def default_opener() -> ImageOpener:
    """For elements that no runner has bound: in a script, in a test, in a process started by user code.

    Raises:
        ConfigurationError: A variable of the environment makes no sense.
    """
    return _opener_of(tuple(os.environ.get(name, "").strip() for name in _VARIABLES))


@functools.lru_cache(maxsize=4)
def _opener_of(values: tuple[str, ...]) -> ImageOpener:
    pixels, agent, bundle = values
    connection = Connection(user_agent=agent or None, ca_bundle=bundle or None)

    @functools.cache
    def downloader() -> Downloader:
        from arkworker.clock import SystemClock
        from arkworker.images.download import Downloader
        from arkworker.transport.transport import Transport

        return Downloader(Transport(connection, SystemClock()))

    def download(url: str) -> IO[bytes]:
        return downloader().get(url)

    return ImageOpener(download, local_files=True, max_image_pixels=_number_of(pixels))


def _number_of(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        message, hint = "this is not a number of pixels", "give an integer of at least 0; 0 lifts the limit"
        raise ConfigurationError([Problem(_PIXELS, "environment", _PIXELS, message, hint)])
    return int(text)
