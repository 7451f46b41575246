"""Opening the images of elements, set up from the environment."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.elements import Element, Orientation
from arkworker.errors import ConfigurationError, ImageError, Problem
from arkworker.images.download import Downloader
from arkworker.images.log import logger
from arkworker.images.pixels import finish
from arkworker.images.search import Search
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import PIL.Image

    from arkworker.clock import Clock
    from arkworker.elements import ImageOptions


@dataclass(frozen=True)
class ImageOpener:
    """Opens the images of elements; may be shared by threads.

    Attributes:
        downloader: Fetches by address, without credentials.
        refresh: Gives what `RetrieveElement` answers for an element's id; without it an expired S3 address is not
            replaced.
        local_files: Whether an image's address may be a path: in developer mode.
        max_image_pixels: In place of Pillow's limit; 0 lifts it, None leaves it.
    """

    downloader: Downloader = field(default_factory=Downloader)
    refresh: Callable[[str], Mapping[str, Any]] | None = None
    local_files: bool = False
    max_image_pixels: int | None = None

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        refresh: Callable[[str], Mapping[str, Any]] | None = None,
        local_files: bool = False,
        clock: Clock | None = None,
    ) -> ImageOpener:
        """With what the environment says: `ARKINDEX_MAX_IMAGE_PIXELS`, `REQUESTS_USER_AGENT`, certificates.

        Raises:
            ConfigurationError: The limit of pixels is no integer of at least 0.
        """
        return cls(
            downloader=Downloader.from_environment(environ, clock),
            refresh=refresh,
            local_files=local_files,
            max_image_pixels=_max_image_pixels(environ),
        )

    def open(self, element: Element, options: ImageOptions) -> PIL.Image.Image:
        """The element's image in memory: cropped, shrunk and oriented as the options and the element say.

        Raises:
            ImageError: It cannot be had from any place.
        """
        image, box = element.image, element.pixel_box(use_full_image=options.use_full_image)
        limit = self.max_image_pixels if options.max_image_pixels is None else options.max_image_pixels
        try:
            search = Search(element, image, box, options, limit, self.downloader.get, self.refresh, self.local_files)
            return finish(search.pixels(), options, _orientation(element, options))
        except ImageError as error:
            raise ImageError(f"image of element {printable(element.id, 60)}: {error}", error.status) from None


def _orientation(element: Element, options: ImageOptions) -> Orientation:
    return Orientation(
        element.rotation_angle if options.rotation_angle is None else options.rotation_angle,
        element.mirrored if options.mirrored is None else options.mirrored,
    )


def _max_image_pixels(environ: Mapping[str, str]) -> int | None:
    text = environ.get("ARKINDEX_MAX_IMAGE_PIXELS", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ConfigurationError(
            [
                Problem(
                    path="ARKINDEX_MAX_IMAGE_PIXELS",
                    source="environment",
                    location="ARKINDEX_MAX_IMAGE_PIXELS",
                    message="this is no number of pixels",
                    hint="give an integer of at least 0; 0 lifts the limit",
                )
            ]
        )
    if not int(text):
        logger.warning("ARKINDEX_MAX_IMAGE_PIXELS=0 lifts the limit on images: only for sources that you trust")
    return int(text)


_VARIABLES = ("ARKINDEX_MAX_IMAGE_PIXELS", "REQUESTS_USER_AGENT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def default_opener() -> ImageOpener:
    """For elements that no runner has bound: at a desk, in a test, in a process started by user code."""
    return _opener_of(tuple((name, os.environ[name]) for name in _VARIABLES if name in os.environ))


@functools.lru_cache(maxsize=4)
def _opener_of(variables: tuple[tuple[str, str], ...]) -> ImageOpener:
    return ImageOpener.from_environment(dict(variables), local_files=True)
