"""From bytes to pixels, with nothing of a hostile file but an error."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What scanners, IIIF servers and annotators produce. Left out are formats that start programs (EPS), and rarities.
FORMATS = frozenset({"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})

_TOO_LARGE = "it has more pixels than Pillow may open; ARKINDEX_MAX_IMAGE_PIXELS sets the limit, 0 lifts it"
_pillow_limit = threading.RLock()


@contextmanager
def pixel_limit(max_image_pixels: int | None) -> Iterator[None]:
    """Pillow's limit replaced for a moment: 0 lifts it, None leaves it. Pillow warns beyond it and refuses twice it."""
    if max_image_pixels is None:
        yield
        return
    with _pillow_limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_image_pixels or None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def check_size(width: int, height: int, max_image_pixels: int | None) -> None:
    """Refuse, before it is put together, an image that Pillow would refuse to open.

    Raises:
        ImageError: It has more than twice the limit's pixels.
    """
    limit = Image.MAX_IMAGE_PIXELS if max_image_pixels is None else max_image_pixels
    if limit and width * height > 2 * limit:
        raise ImageError(_TOO_LARGE)


def decode(source: IO[bytes], shown: str, max_image_pixels: int | None) -> Image.Image:
    """The first image of a file, in memory.

    Args:
        source: Can be read from its start.
        shown: Names it in messages.
        max_image_pixels: See `pixel_limit`.

    Raises:
        ImageError: It is no image, damaged, cut, or larger than the limit.
    """
    try:
        with pixel_limit(max_image_pixels):
            image = Image.open(source)
        if image.format in FORMATS:
            image.load()
    except UnidentifiedImageError:
        raise ImageError(f"{shown} is no image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{shown}: {_TOO_LARGE}") from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 -- Pillow's readers raise about anything on a damaged file
        raise ImageError(f"{shown} is a damaged or incomplete image ({type(error).__name__})") from None
    if image.format not in FORMATS:
        raise ImageError(f"{shown}: images of format {image.format} are not opened")
    return image


def crop(image: Image.Image, box: tuple[int, int, int, int], max_image_pixels: int | None) -> Image.Image:
    """The part from (left, upper) to (right, lower); Pillow applies its limit to it again."""
    with pixel_limit(max_image_pixels):
        return image.crop(box)
