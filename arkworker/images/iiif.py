"""Addresses of the IIIF Image API, versions 2 and 3: `{image}/{region}/{size}/{rotation}/{quality}.{format}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from arkworker.errors import ImageError
from arkworker.text import presentable

if TYPE_CHECKING:
    from arkworker.images.options import ImageOptions, Picture

_REQUEST = re.compile(r"/(?P<region>[^/]+)/(?P<size>[^/]+)/(?P<rotation>!?[\d.]+)/(?P<quality>\w+)\.(?P<format>\w+)$")


def is_web_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def image_address(picture: Picture) -> str:
    """The base of the image.

    Raises:
        ImageError: The image has none.
    """
    if not picture.url:
        raise ImageError("the image has no address")
    return picture.url


def sized_address(picture: Picture, size: str, options: ImageOptions) -> str:
    """Where the server gives the picture at a size.

    The zone's own address is kept but for size and format: the instance knows its servers best.

    Raises:
        ImageError: The image has no address, or an invalid one.
    """
    if picture.zone_url and not options.use_full_image:
        try:
            parts = urlsplit(picture.zone_url)
        except ValueError:
            raise ImageError(f"{presentable(picture.zone_url)} is not a web address") from None
        if match := _REQUEST.search(parts.path):
            tail = f"/{match['region']}/{size}/{match['rotation']}/{match['quality']}.{options.extension}"
            return parts._replace(path=parts.path[: match.start()] + tail).geturl()
    box = picture.box
    whole = box is None or box == (0, 0, picture.width, picture.height)
    region = "full" if whole or box is None else ",".join(map(str, box))
    return below(image_address(picture), f"{region}/{size}/0/default.{options.extension}")


def below(base: str, path: str) -> str:
    """The address of a path below another; what follows a question mark stays.

    Raises:
        ImageError: The other is not an address.
    """
    try:
        parts = urlsplit(base)
    except ValueError:
        raise ImageError(f"{presentable(base)} is not a web address") from None
    return parts._replace(path=f"{parts.path.rstrip('/')}/{path}").geturl()


def full_size(version: int | None) -> str:
    """`full` went with version 3, `max` came with 2.1."""
    return "max" if (version or 2) >= 3 else "full"


def shrunk_size(width: int, height: int, target: tuple[int, int], options: ImageOptions) -> str | None:
    """The size as a server is asked for it; None when there is nothing to shrink."""
    if target == (width, height):
        return None
    wide, high = options.max_width, options.max_height
    if wide and high and options.preserve_ratio:
        return f"!{wide},{high}"
    return f"{min(wide, width) if wide else ''},{min(high, height) if high else ''}"
