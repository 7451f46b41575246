"""Images on Arkindex: those of IIIF servers are announced, files are uploaded."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.promises import address_of, existing_id_of, record_of, text_of
from arkworker.elements.records import Image
from arkworker.errors import ApiContentError, ApiResponseError, UsageError
from arkworker.storage.exclusive import blaming, open_regular
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.arkindex.client import Client

__all__ = ["create_iiif_image", "upload_image"]

logger = logging.getLogger("arkworker")

CREATE, RETRIEVE = "CreateIIIFURL", "RetrieveImage"
UPLOAD, UPDATE = "CreateImage", "PartialUpdateImage"


def create_iiif_image(client: Client, url: str, *, width: int | None = None, height: int | None = None) -> Image:
    """An image of a IIIF server, registered on Arkindex; if Arkindex already knows it, that image.

    Args:
        client: The client of the instance.
        url: The base of the image, without region and size: `https://iiif.example.org/iiif/2/page.jpg`.
        width: In pixels; together with `height`, or Arkindex asks the server.
        height: In pixels.

    Raises:
        UsageError: The address is not valid, or a size is missing or not a positive number. Nothing was sent.
        ApiError: Arkindex refuses it, or cannot reach the server.
    """
    body = _check(url, width, height)
    try:
        return _image(CREATE, client.request(CREATE, body))
    except ApiResponseError as error:
        existing = existing_id_of(error)
        if existing is None:
            raise
    logger.info("Arkindex already has this image: %s is used", existing)
    return _image(RETRIEVE, client.request(RETRIEVE, id=existing))


def upload_image(client: Client, path: Path) -> Image:
    """Upload a file as an image of Arkindex; if Arkindex already has one with the same content, that image.

    Args:
        client: The client of the instance.
        path: A JPEG, or anything else that the instance's image server can read.

    Raises:
        ApiError: Arkindex or its storage refuses it, or an earlier upload of this content was never completed.
        ArkworkerError: The file cannot be read, or is not a regular one.
        ReadOnlyError: In read-only mode; nothing was sent.
    """
    with blaming(path, " cannot be uploaded"), os.fdopen(open_regular(path), "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    try:
        # The digest names the image: asked twice, Arkindex has one.
        answer = client.request_with_outcome(UPLOAD, {"hash": digest}, idempotent=True).value
    except ApiResponseError as error:
        existing = existing_id_of(error)
        if existing is None:
            raise
        return _finished(client, existing)
    client.upload_url(address_of(UPLOAD, answer, "s3_put_url"), path)
    return _image(UPDATE, client.request(UPDATE, {"status": "checked"}, id=text_of(UPLOAD, answer, "id")))


def _finished(client: Client, image_id: str) -> Image:
    image = _image(RETRIEVE, client.request(RETRIEVE, id=image_id))
    if image.status != "checked":
        told = f"image {printable(image_id, 60)} has this content, but its upload was never completed: remove it"
        raise ApiContentError(UPLOAD, told)
    logger.info("Arkindex already has this image: %s is used", image_id)
    return image


def _check(url: Any, width: int | None, height: int | None) -> dict[str, Any]:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise UsageError("create_iiif_image: url should be a web address, https:// or http://")
    if (width is None) != (height is None):
        raise UsageError("create_iiif_image: give both width and height, or neither")
    if width is None or height is None:
        return {"url": url}
    if not all(type(size) is int and size > 0 for size in (width, height)):
        raise UsageError("create_iiif_image: width and height should be positive whole numbers of pixels")
    return {"url": url, "width": width, "height": height}


def _image(operation: str, answer: Any) -> Image:
    text_of(operation, answer, "id")
    return record_of(Image, operation, answer)
