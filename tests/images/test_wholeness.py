"""Files that seem to have an end, and lack a part of their pixels; files that only look like these."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from arkworker.errors import ImageError
from arkworker.images.pixels import decode

if TYPE_CHECKING:
    from collections.abc import Callable

INCOMPLETE = "page is an incomplete image: a part of its pixels is missing"


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    body = io.BytesIO()
    image.save(body, kind, **options)
    return body.getvalue()


def opened(body: bytes) -> Image.Image | str:
    try:
        return decode(io.BytesIO(body), "page", None)
    except ImageError as error:
        return str(error)


def png(size: tuple[int, int], lines: bytes, *, interlaced: bool = False) -> bytes:
    """A grey image of these lines, each behind the number of its filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, interlaced)
    pixels = zlib.compress(lines)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels[:5]), chunk(b"IDAT", pixels[5:]), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("rows", "expected"), [(3, INCOMPLETE), (4, "black at the bottom")])
def test_a_png_that_ends_early_is_refused(rows: int, expected: str) -> None:
    """Between two rows, where Pillow does not notice; a page whose last row is black is a page."""
    image = opened(png((2, 4), b"\0\7\7\0\7\7\0\7\7\0\0\0"[: 3 * rows]))

    assert (image if isinstance(image, str) else "black at the bottom") == expected


@pytest.mark.parametrize(("length", "is_whole"), [(22, True), (16, False), (6, False)])
def test_an_interlaced_png_has_all_its_passes(length: int, is_whole: bool) -> None:  # noqa: FBT001 - expected
    """5 columns and 3 rows: 2 + 2 + 0 + 2 + 4 + 6 + 6 bytes."""
    image = opened(png((5, 3), bytes(length), interlaced=True))

    assert (image != INCOMPLETE) == is_whole


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_tail_of_zeros_is_refused(kind: str, drawing: Callable[[int, int], Image.Image]) -> None:
    """As a crash leaves it, of the full length: Pillow passes over the checksums, and decodes zeros."""
    body = saved(drawing(200, 150), kind)

    assert {
        isinstance(opened(body[:cut] + bytes(len(body) - cut)), str)
        for cut in range(len(body) // 5, len(body) - 20, len(body) // 11)
    } == {True}


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_cut_jpeg_with_an_end_is_refused(mode: str, drawing: Callable[[int, int], Image.Image]) -> None:
    """As tools make it that mend files: the rest would be grey. A preview in front of the pixels has an end, too."""
    preview = saved(drawing(9, 9), "JPEG")
    body = saved(drawing(200, 150).convert(mode), "JPEG", comment=preview)

    assert opened(body[: len(body) * 6 // 10] + b"\xff\xd9") == INCOMPLETE
    assert isinstance(opened(body), Image.Image)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_is_grey_at_the_bottom_is_whole(options: dict[str, object]) -> None:
    """It is looked at twice."""
    assert isinstance(opened(saved(Image.new("RGB", (64, 48), (128, 128, 128)), "JPEG", **options)), Image.Image)


def test_a_tiff_without_one_of_its_strips_is_refused(drawing: Callable[[int, int], Image.Image]) -> None:
    """An offset of 0 says that it was never written; Pillow reads the header in its place."""
    image = drawing(20, 10)
    body = saved(image, "TIFF")
    start = body.index(image.tobytes())
    entry = struct.pack("<HHI", 273, 4, 1)  # the tag, its type and count, then the offset itself

    assert opened(body.replace(entry + struct.pack("<I", start), entry + bytes(4))) == INCOMPLETE
