"""Which picture is wanted, how it is to be opened, and who does it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Protocol

from arkworker.images.orientation import UPRIGHT, Orientation

if TYPE_CHECKING:
    import PIL.Image

    from arkworker.geometry import PixelBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A part of an image, and where to get it.

    Attributes:
        id: Of the element that it is of; for messages, and to ask for a fresh address.
        url: The IIIF address of the image; in developer mode, also the path or the `file://` address of a file.
        s3_url: The presigned address of the file itself.
        zone_url: The IIIF address of the part, as the instance knows its servers.
        width: Of the whole image, in pixels, upright; None when unknown.
        height: Likewise.
        box: The part that is wanted, in pixels of the upright image; None for the whole of an image of unknown size.
        iiif_version: Of the server of `url`; None when unknown.
        largest: The largest width and height that this server gives; None when unknown.
        orientation: What the element says of mirroring and turning; it is not that of the file.
    """

    id: str
    url: str | None = field(default=None, repr=False)
    s3_url: str | None = field(default=None, repr=False)
    zone_url: str | None = field(default=None, repr=False)
    width: int | None = None
    height: int | None = None
    box: PixelBox | None = None
    iiif_version: int | None = None
    largest: tuple[int | None, int | None] = (None, None)
    orientation: Orientation = UPRIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What `Element.open_image` was asked for.

    Attributes:
        max_width: Largest width in pixels, before rotation; a smaller image is never enlarged.
        max_height: Largest height, likewise.
        preserve_ratio: With both limits: fit into them, rather than stretch to them.
        use_full_image: The whole image of the element's zone, not only the box around its polygon.
        extension: The format asked of the image server: `jpg`, `png`, …
        mode: The Pillow mode to convert to; None leaves grey images grey: L or RGB.
        rotation_angle: Degrees, clockwise; None for the element's own.
        mirrored: Whether left and right are exchanged; None for the element's own.
        max_image_pixels: In place of `ARKINDEX_MAX_IMAGE_PIXELS`; 0 lifts the limit.

    Raises:
        ValueError: A size that is not a positive integer, a rotation that is not a number, an invalid extension, or a
            mode that is not text.
    """

    max_width: int | None = None
    max_height: int | None = None
    preserve_ratio: bool = True
    use_full_image: bool = False
    extension: str = "jpg"
    mode: str | None = "RGB"
    rotation_angle: float | None = None
    mirrored: bool | None = None
    max_image_pixels: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_width", "max_height"):
            check_integer(name, getattr(self, name), 1)
        check_integer("max_image_pixels", self.max_image_pixels, 0)
        angle: object = self.rotation_angle
        if angle is not None and not (isinstance(angle, Real) and math.isfinite(angle)):
            raise ValueError("rotation_angle should be a number of degrees")
        extension: object = self.extension
        if not (isinstance(extension, str) and extension.isascii() and extension.isalnum()):
            raise ValueError("extension should be the name of an image format without a dot, such as jpg")
        mode: object = self.mode
        if not isinstance(mode, str | None):
            raise ValueError("mode should be the name of a mode of Pillow")  # noqa: TRY004 - one kind for all of them


def check_integer(name: str, value: object, least: int) -> None:
    """Refuse a limit that is neither None nor an integer of at least this."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ValueError(f"{name} should be an integer of at least {least}")


class OpensImages(Protocol):
    """What an element's `open_image` hands over to."""

    def open(self, picture: Picture, options: ImageOptions) -> PIL.Image.Image:
        """The picture in memory, oriented.

        Raises:
            ImageError: It cannot be retrieved.
        """
