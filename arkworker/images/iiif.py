"""Addresses of the IIIF Image API, versions 2 and 3: `{image}/{region}/{size}/{rotation}/{quality}.{format}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from arkworker.elements import Element, Image, ImageOptions
    from arkworker.geometry import PixelBox

_REQUEST = re.compile(r"/(?P<region>[^/]+)/(?P<size>[^/]+)/(?P<rotation>!?[\d.]+)/(?P<quality>\w+)\.(?P<format>\w+)$")


def is_web_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def image_address(image: Image) -> str:
    """The base of the image.

    Raises:
        ImageError: The image has none.
    """
    if not image.url:
        raise ImageError("the image has no address")
    return image.url


def sized_address(element: Element, image: Image, box: PixelBox | None, size: str, options: ImageOptions) -> str:
    """Where the server gives the box, or the whole image, at a size.

    The zone's own address is kept but for size and format: the instance knows its servers best.
    """
    zone_url = element.zone.url if element.zone else None
    if zone_url and not options.use_full_image:
        parts = urlsplit(zone_url)
        if match := _REQUEST.search(parts.path):
            tail = f"/{match['region']}/{size}/{match['rotation']}/{match['quality']}.{options.extension}"
            return parts._replace(path=parts.path[: match.start()] + tail).geturl()
    whole = box is None or (box.x, box.y, box.width, box.height) == (0, 0, image.width, image.height)
    region = "full" if whole or box is None else ",".join(map(str, box))
    return below(image_address(image), f"{region}/{size}/0/default.{options.extension}")


def below(base: str, path: str) -> str:
    """The address of a path below another; what follows a question mark stays."""
    parts = urlsplit(base)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{path}").geturl()


def full_size(version: int | None) -> str:
    """`full` went with version 3, `max` came with 2.1."""
    return "max" if (version or 2) >= 3 else "full"


def largest_sizes(image: Image) -> tuple[float, float]:
    """The width and height beyond which the server of an image does not answer."""
    server = image.server
    width, height = (server.max_width, server.max_height) if server else (None, None)
    return width or float("inf"), height or float("inf")
