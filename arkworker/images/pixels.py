"""Sizes, and what is done to an image once it is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from arkworker.errors import ImageError
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.elements import ImageOptions, Orientation


def target_size(width: int, height: int, options: ImageOptions) -> tuple[int, int]:
    """The size that an image shall have: at most the limits, never larger than it is."""
    wide = min(width, options.max_width or width)
    high = min(height, options.max_height or height)
    if not options.preserve_ratio and options.max_width and options.max_height:
        return wide, high
    scale = min(wide / width, high / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def iiif_size(width: int, height: int, options: ImageOptions) -> str | None:
    """The size as an IIIF server is asked for it; None when there is nothing to shrink."""
    if target_size(width, height, options) == (width, height):
        return None
    wide, high = options.max_width, options.max_height
    if wide and high and options.preserve_ratio:
        return f"!{wide},{high}"
    return f"{min(wide, width) if wide else ''},{min(high, height) if high else ''}"


def finish(image: Image.Image, options: ImageOptions, orientation: Orientation) -> Image.Image:
    """Converted, shrunk, mirrored and rotated, in this order.

    Raises:
        ImageError: The mode is none of Pillow's, or none that the image can be converted to.
    """
    if options.mode is not None and image.mode != options.mode:
        image = _converted(image, options.mode)
    size = target_size(*image.size, options)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if orientation.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if orientation.rotation_angle:
        image = image.rotate(-orientation.rotation_angle, expand=True)
    return image


def _converted(image: Image.Image, mode: str) -> Image.Image:
    try:
        return image.convert(mode)
    except (ValueError, KeyError):
        raise ImageError(f"it cannot be converted to the mode {printable(mode, 40)}") from None
