"""Announcing images of IIIF servers to Arkindex."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.promises import existing_id_of, record_of, text_of
from arkworker.elements.records import Image
from arkworker.errors import ApiResponseError, UsageError

if TYPE_CHECKING:
    from arkworker.arkindex.client import Client

logger = logging.getLogger("arkworker")

CREATE, RETRIEVE = "CreateIIIFURL", "RetrieveImage"


def create_iiif_image(client: Client, url: str, *, width: int | None = None, height: int | None = None) -> Image:
    """The image at an address of a IIIF server, made known to Arkindex; the one that it knows already, if it does.

    Args:
        client: Of the instance.
        url: The base of the image, without region and size: `https://iiif.example.org/iiif/2/page.jpg`.
        width: In pixels; together with `height`, or Arkindex asks the server.
        height: In pixels.

    Raises:
        UsageError: The address is none, or one of the sizes is missing or no positive number. Nothing was sent.
        ApiError: Arkindex refuses it, or cannot reach the server.
    """
    body = _check(url, width, height)
    try:
        return _image(CREATE, client.request(CREATE, body))
    except ApiResponseError as error:
        existing = existing_id_of(error)
        if existing is None:
            raise
    logger.info("Arkindex knows this image already: %s is used", existing)
    return _image(RETRIEVE, client.request(RETRIEVE, id=existing))


def _check(url: Any, width: int | None, height: int | None) -> dict[str, Any]:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise UsageError("create_iiif_image: url should be a web address, https:// or http://")
    if (width is None) != (height is None):
        raise UsageError("create_iiif_image: give both width and height, or none of them")
    if width is None or height is None:
        return {"url": url}
    if not all(type(size) is int and size > 0 for size in (width, height)):
        raise UsageError("create_iiif_image: width and height should be positive whole numbers of pixels")
    return {"url": url, "width": width, "height": height}


def _image(operation: str, answer: Any) -> Image:
    text_of(operation, answer, "id")
    return record_of(Image, operation, answer)
