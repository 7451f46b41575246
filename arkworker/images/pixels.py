"""From bytes to pixels, the same whichever way an image comes; nothing of a hostile file but an error.

A picture is upright, opaque, and has 8 bits for each of one or three colours. Its polygons are those of the upright
picture: what image servers give, and what Arkindex keeps the size of.
"""

from __future__ import annotations

import io
import math
import os
import sys
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from arkworker.errors import ImageError
from arkworker.images.wholeness import check_whole
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.images.options import ImageOptions
    from arkworker.images.orientation import Orientation

# What scanners, IIIF servers and annotators produce. Left out are formats that start programs (EPS), and rarities.
FORMATS = frozenset({"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})

_TOO_LARGE = "it has more pixels than Pillow may open; ARKINDEX_MAX_IMAGE_PIXELS sets the limit, 0 lifts it"
_pillow_limit = threading.RLock()

# Tags of TIFF, the first of EXIF, too.
_ORIENTATION, _WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES = 0x0112, 256, 257, 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_KIND, _COPY_OR_MASK = 254, 0b101  # of an image in a file of several
_MOST_COPIES = 32  # of a page, each half the size of the one before
# What makes an image upright, by its tag of orientation; those from 5 lie on their side.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = 5
_STRIP = 4_000_000  # pixels that are converted at a time
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNKS_OF_NOTES = frozenset({b"IHDR", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"IEND"})
# Where an orientation would be found again, and obeyed twice.
_NOTES = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "transparency")


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


def decode(
    source: IO[bytes],
    shown: str,
    max_image_pixels: int | None,
    *,
    is_file: bool = True,
    size: tuple[int | None, int | None] = (None, None),
) -> Image.Image:
    """The first image of a file, in memory.

    Args:
        source: Can be read from its start.
        shown: Names it in messages.
        max_image_pixels: See `pixel_limit`.
        is_file: Whether it is the file itself, whose note on its orientation is obeyed; what an image server gives is
            upright, whatever notes it has kept.
        size: The width and height of the image that polygons were drawn on. A file that has just this size
            as it lies, and another upright, is left as it lies: so its image server gives it.

    Raises:
        ImageError: It is not an image, damaged, cut, or larger than the limit.
    """
    try:
        with pixel_limit(max_image_pixels):
            image = Image.open(source)
        if image.format in FORMATS:
            image.load()
            last_row = crop(image, (0, image.height - 1, image.width, image.height), max_image_pixels)
            check_whole(image, last_row, source, shown)
            return _plain(image, is_file=is_file and not _fits_as_it_lies(image, size))
    except UnidentifiedImageError:
        raise ImageError(f"{shown} is not an image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{shown}: {_TOO_LARGE}") from None
    except (MemoryError, ImageError):
        raise
    except Exception as error:  # noqa: BLE001 -- Pillow's readers raise about anything on a damaged file
        raise ImageError(f"{shown} is a damaged or incomplete image ({type(error).__name__})") from None
    raise ImageError(f"{shown}: images of format {image.format} are not opened")


def measure(source: Any) -> tuple[int, int]:
    """The width and height of an image file, upright; its pixels are not read, so they may be too many to open.

    Args:
        source: A path, or a file that is open for reading.

    Raises:
        Exception: Of whatever kind Pillow's readers raise; it is not an image.
    """
    with _unread(source) as image:
        return _upright_size(image)


def measure_with_pages(source: Any) -> tuple[tuple[int, int], bool]:
    """As `measure`; and whether a TIFF file holds other pages than the first, which alone is opened."""
    with _unread(source) as image:
        return _upright_size(image), image.format == "TIFF" and _has_more_pages(image)


def _unread(source: Any) -> Image.Image:
    """An image file, opened; its pixels are not read, and may be as many as they like."""
    with pixel_limit(0):
        return Image.open(source)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if image.format == "TIFF":  # newer releases of Pillow have exchanged them already
        tags = image.tag_v2  # type: ignore[attr-defined] # a TiffImageFile
        width, height, orientation = tags[_WIDTH], tags[_HEIGHT], tags.get(_ORIENTATION)
    elif image.format == "PNG":
        orientation = _orientation_of_png(image.fp)  # type: ignore[attr-defined] # open, as nothing was read yet
    else:
        orientation = _orientation(image)
    is_on_its_side = orientation in _UPRIGHT and orientation >= _ON_ITS_SIDE
    return (height, width) if is_on_its_side else (width, height)


def _has_more_pages(image: Image.Image) -> bool:
    """Whether there is a page in a TIFF file that is neither the first nor a smaller copy of it."""
    with suppress(Exception):  # there is none, or one that is damaged: it would not be opened anyway
        for number in range(1, _MOST_COPIES):
            image.seek(number)
            tags: Any = image.tag_v2  # type: ignore[attr-defined] # a TiffImageFile
            if not tags.get(_KIND, 0) & _COPY_OR_MASK:
                return True
    return False


def crop(image: Image.Image, box: tuple[int, int, int, int], max_image_pixels: int | None) -> Image.Image:
    """The part from (left, upper) to (right, lower); Pillow applies its limit to it again."""
    with pixel_limit(max_image_pixels):
        return image.crop(box)


def target_size(width: int, height: int, options: ImageOptions) -> tuple[int, int]:
    """The size that an image shall have: at most the limits, never larger than it is."""
    wide = min(width, options.max_width or width)
    high = min(height, options.max_height or height)
    if not options.preserve_ratio and options.max_width and options.max_height:
        return wide, high
    scale = min(wide / width, high / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def finish(image: Image.Image, size: tuple[int, int], options: ImageOptions, orientation: Orientation) -> Image.Image:
    """Shrunk to a size, converted, mirrored and turned, in this order.

    Raises:
        ImageError: The mode is unknown to Pillow, or the image cannot be converted to it.
    """
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if options.mode is not None and image.mode != options.mode:
        image = _converted(image, options.mode)
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


def _plain(image: Image.Image, *, is_file: bool) -> Image.Image:
    """The image upright, on white, in mode L or RGB."""
    orientation = _orientation(image)
    turn = _UPRIGHT[orientation] if is_file and orientation else None
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _in_strips(image, "L", _scaling(image))
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = _in_strips(image, "RGB", _flattened)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    for name in _NOTES:
        image.info.pop(name, None)
    if turn is not None:
        image = image.transpose(turn)
    elif orientation:
        image.getexif().pop(_ORIENTATION, None)
    return image


def _fits_as_it_lies(image: Image.Image, size: tuple[int | None, int | None]) -> bool:
    is_on_its_side = (_orientation(image) or 1) >= _ON_ITS_SIDE
    return is_on_its_side and image.width != image.height and image.size == size


def _orientation(image: Image.Image) -> int | None:
    """The tag; None where there is none, where it says upright, or where the notes are not sound at all."""
    try:
        # Not its own method: that of a PNG file would read the pixels first.
        tag = Image.Image.getexif(image).get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - the notes may be damaged in any way where the pixels are sound
        return None
    return tag if isinstance(tag, int) and tag in _UPRIGHT else None


def _orientation_of_png(file: IO[bytes]) -> int | None:
    """As `_orientation`, without the pixels of a file, which Pillow would read to come to the notes behind them."""
    notes = io.BytesIO()
    file.seek(0)
    notes.write(file.read(len(_PNG)))
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big") + 4  # and the checksum
        if head[4:] in _CHUNKS_OF_NOTES:
            notes.write(head + file.read(length))
        else:
            file.seek(length, os.SEEK_CUR)
    notes.seek(0)
    with _unread(notes) as image:
        return _orientation(image)


def _in_strips(image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """What a conversion makes of an image, which needs the memory of several images for a few rows at a time only."""
    rows = max(1, _STRIP // max(1, image.width))
    if rows >= image.height:
        return convert(image)
    whole = Image.new(mode, image.size)
    for top in range(0, image.height, rows):
        whole.paste(convert(image.crop((0, top, image.width, min(image.height, top + rows)))), (0, top))
    return whole


def _flattened(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    picture = image if image.mode == "RGBA" else image.convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture)
    return page


def _scaling(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes 8 bits of an image of 16 or 32 bits, or of floats, or of a part of it."""
    tags: Any = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined] # a TiffImageFile
    bits = tags.get(_BITS, (16,))[0]
    if image.mode.startswith("I;16") and bits < 16:
        black, white = 0.0, 2.0**bits
    else:
        black, white = _extremes(image)
        if image.mode == "I" and black < 0 and tags.get(_SAMPLES, (0,))[0] == _UNSIGNED:
            return _upper_bytes
        black, white = _range(black, white, is_float=image.mode == "F")
    scale = 256 / (white - black)

    def scaled(part: Image.Image) -> Image.Image:
        wide = part.convert("I") if part.mode.startswith("I;16") else part
        # Beyond 255 is white: the conversion cuts there.
        grey = wide.point(lambda value: value * scale - black * scale).convert("L")
        return grey.point(lambda value: 255 - value) if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey

    return scaled


def _upper_bytes(image: Image.Image) -> Image.Image:
    """Pillow has read large unsigned numbers as negative ones: only the upper byte is needed of them."""
    return Image.frombytes("L", image.size, image.tobytes()[3 if sys.byteorder == "little" else 0 :: 4])


def _range(least: float, greatest: float, *, is_float: bool) -> tuple[float, float]:
    """From black to beyond white: of the usual ranges, the smallest that holds all values, or else just these."""
    usual = (1, 255, 65535) if is_float else (255, 4095, 65535)  # many scanners give 12 bits
    for white in usual:
        if least >= 0 and greatest <= white:
            return 0, 1 if white == 1 else white + 1
    return least, greatest if greatest > least else least + 1


def _extremes(image: Image.Image) -> tuple[float, float]:
    if image.mode.startswith("I;16") and image.mode != "I;16":  # of the other byte order, which Pillow cannot ask
        rows = max(1, _STRIP // max(1, image.width))
        strips = (
            image.crop((0, top, image.width, min(image.height, top + rows))) for top in range(0, image.height, rows)
        )
        found: list[Any] = [strip.convert("I").getextrema() for strip in strips]
        return min(least for least, _ in found), max(greatest for _, greatest in found)
    least, greatest = image.getextrema()
    if not (math.isfinite(least) and math.isfinite(greatest)):  # type: ignore[arg-type] # of one band: two numbers
        values = [value for value in memoryview(image.tobytes()).cast("f") if math.isfinite(value)] or [0.0]
        least, greatest = min(values), max(values)
    return least, greatest  # type: ignore[return-value] # see above
