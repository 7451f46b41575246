"""Images: on the emulator's own server, uploaded, or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import iiif, represent
from arkworker.emulator.failures import conflict, invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.tables import Image
from arkworker.emulator.values import Body

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewImage(Body):
    hash: str = Field(pattern=r"^[0-9a-f]{32}$")


class ImageChange(Body):
    status: Literal["checked", "unchecked", "error"]


class NewUrl(Body):
    url: str = Field(pattern=r"^https?://[^\s?#]+$", max_length=2000)
    width: int | None = Field(None, gt=0)
    height: int | None = Field(None, gt=0)


@operations("CreateImage", "POST /image/", body=NewImage, status=201)
def create_image(request: ApiRequest, body: NewImage) -> dict[str, Any]:
    known = request.session.scalar(select(Image).where(Image.hash == body.hash))
    if known is not None:
        raise invalid("Image with this hash already exists.", "hash", code="unique", id=known.id)
    row = Image(path=body.hash, width=0, height=0, status="unchecked", hash=body.hash)
    request.session.add(row)
    request.session.flush()
    row.file = str(request.site.storage.path(f"images/{row.id}"))
    put = request.site.storage.sign("PUT", f"images/{row.id}")
    return {**represent.image(row, request.site), "s3_put_url": f"{request.site.storage_url}{put}"}


@operations("RetrieveImage", "GET /image/{id:uuid}/")
def retrieve_image(request: ApiRequest, image_id: str) -> dict[str, Any]:
    return represent.image(request.get(Image, image_id), request.site)


@operations("PartialUpdateImage", "PATCH /image/{id:uuid}/", body=ImageChange)
def update_image(request: ApiRequest, image_id: str, body: ImageChange) -> dict[str, Any]:
    """Marking an image as checked reads its size from the file that was uploaded."""
    row = request.get(Image, image_id)
    row.status = body.status
    if body.status == "checked" and row.file:
        try:
            row.width, row.height = iiif.measure(row.file)
        except OSError:
            raise invalid("The image cannot be read.", "status", code="unreadable") from None
    return represent.image(row, request.site)


@operations("CreateIIIFURL", "POST /image/iiif/url/", body=NewUrl, status=201)
def create_iiif_url(request: ApiRequest, body: NewUrl) -> dict[str, Any]:
    known = request.session.scalar(select(Image).where(Image.external_url == body.url))
    if known is not None:
        message = "Image with this URL already exists."
        if request.site.error_style == "legacy":  # before Arkindex 1.11.2
            raise invalid(message, "url", code="unique", id=known.id)
        raise conflict(message, "url", code="unique", existing_id=known.id)
    if body.width is None or body.height is None:
        # The real server asks the other one; the emulator has no network, by design.
        raise invalid("The emulator needs both the width and the height of an image elsewhere.", "width")
    path = body.url.rstrip("/").rsplit("/", 1)[-1]
    row = Image(path=path, width=body.width, height=body.height, external_url=body.url)
    request.session.add(row)
    request.session.flush()
    return represent.image(row, request.site)
