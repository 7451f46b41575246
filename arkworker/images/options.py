"""How an image is to be opened, and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import PIL.Image

    from arkworker.elements.model import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What `Element.open_image` was asked for.

    Attributes:
        max_width: Largest width in pixels, before rotation; a smaller image is never enlarged.
        max_height: Largest height, likewise.
        preserve_ratio: With both limits: fit into them, rather than stretch to them.
        use_full_image: The whole image of the element's zone, not only the box around its polygon.
        extension: The format asked of the image server: `jpg`, `png`, …
        mode: The Pillow mode to convert to; None leaves the image's own.
        rotation_angle: Degrees, clockwise; None for the element's own.
        mirrored: Whether left and right are exchanged; None for the element's own.
        max_image_pixels: In place of `ARKINDEX_MAX_IMAGE_PIXELS`; 0 lifts the limit.

    Raises:
        ValueError: A size that is no positive integer, an extension that is none.
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
            _check_integer(name, getattr(self, name), 1)
        _check_integer("max_image_pixels", self.max_image_pixels, 0)
        if not (self.extension.isascii() and self.extension.isalnum()):
            raise ValueError("extension is the name of an image format without a dot, such as jpg")


def _check_integer(name: str, value: object, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ValueError(f"{name} is an integer of at least {least}")


class OpensImages(Protocol):
    """What an element's `open_image` hands over to."""

    def open(self, element: Element, options: ImageOptions) -> PIL.Image.Image:
        """The element's image in memory, oriented.

        Raises:
            ImageError: It cannot be had.
        """
