"""Whether a file holds all of an image: what Pillow does not look at, and fills with black or grey.

A file that is only cut is refused by Pillow itself. Left for this are the files that seem to have an end: those that
were made of a cut one, or that a crash or a full disk has left with zeros for a tail. WebP, AVIF and files without
compression have no mark by which a tail of zeros could be told.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import IO, TYPE_CHECKING, Any

from PIL.JpegImagePlugin import JpegImageFile

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_PIECE = 1 << 20
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324  # tags of TIFF
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of PNG
# Of an interlaced PNG: first column, first row, step to the right, step down.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def check_whole(image: Image.Image, last_row: Image.Image, source: IO[bytes], shown: str) -> None:
    """Refuse an image that was loaded, and was not all in its file.

    Args:
        image: As Pillow has loaded it.
        last_row: Of this image.
        source: What it was loaded from.
        shown: Names it in messages.

    Raises:
        ImageError: A part is missing.
    """
    if not _is_whole(image, last_row, source):
        raise ImageError(f"{shown} is an incomplete image: a part of its pixels is missing")


def _is_whole(image: Image.Image, last_row: Image.Image, source: IO[bytes]) -> bool:
    if image.format == "PNG":
        return _has_sound_chunks(source) and (not _may_lack_rows(last_row, source) or _has_all_rows(source))
    if image.format in ("JPEG", "MPO"):
        return _reaches_its_end(image, last_row, source)
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # type: ignore[attr-defined] # a TiffImageFile
        return not any(0 in tags.get(tag, ()) for tag in (_STRIP_OFFSETS, _TILE_OFFSETS))  # 0: never written
    return True


def _header(source: IO[bytes]) -> tuple[int, int, int, int, int]:
    """Width, height, bits, colour type and way of interlacing of a PNG."""
    source.seek(16)
    width, height, bits, colour, _, _, interlacing = struct.unpack(">IIBBBBB", source.read(13))
    return width, height, bits, colour, interlacing


def _pixel_chunks(source: IO[bytes]) -> Iterator[int]:
    """The length of each chunk of pixels of a PNG, whose content comes next in the source."""
    at = 8
    while True:
        source.seek(at)
        head = source.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4])
        if head[4:] == b"IDAT":
            yield length
        at += 12 + length


def _pieces(source: IO[bytes], length: int) -> Iterator[bytes]:
    while length and (piece := source.read(min(length, _PIECE))):
        length -= len(piece)
        yield piece


def _has_sound_chunks(source: IO[bytes]) -> bool:
    """Whether the pixels of a PNG have the checksums that stand behind them, which Pillow skips."""
    for length in _pixel_chunks(source):
        checksum = zlib.crc32(b"IDAT")
        for piece in _pieces(source, length):
            checksum = zlib.crc32(piece, checksum)
        if source.read(4) != checksum.to_bytes(4):
            return False
    return True


def _may_lack_rows(last_row: Image.Image, source: IO[bytes]) -> bool:
    """Whether a PNG may have ended early: rows that Pillow has not got are zeros."""
    return bool(_header(source)[-1]) or not any(last_row.tobytes())


def _has_all_rows(source: IO[bytes]) -> bool:
    width, height, bits, colour, interlacing = _header(source)
    needed = 0
    for left, top, right, down in _PASSES if interlacing else ((0, 0, 1, 1),):
        columns, rows = -(-max(0, width - left) // right), -(-max(0, height - top) // down)
        needed += rows * (1 + (columns * bits * _CHANNELS[colour] + 7) // 8) if columns else 0
    inflating = zlib.decompressobj()
    for length in _pixel_chunks(source):
        for piece in _pieces(source, length):
            rest = piece
            while rest and needed > 0:
                needed -= len(inflating.decompress(rest, _PIECE))
                rest = inflating.unconsumed_tail
    while needed > 0 and (more := inflating.decompress(b"", _PIECE)):
        needed -= len(more)
    return needed <= 0


def _reaches_its_end(image: Image.Image, last_row: Image.Image, source: IO[bytes]) -> bool:
    """Whether the mark of the end of a JPEG stands behind all of its pixels.

    What is missing before a mark is decoded as the middle of all greys. Other bytes before the mark would then be
    decoded as other pixels, and are skipped where there is nothing left to decode.
    """
    source.seek(0)
    content = source.read()
    end = content.find(_END_OF_IMAGE, _first_scan(content))
    if end < 0:
        return False
    extremes = last_row.getextrema()
    bands: Any = extremes if isinstance(extremes[0], tuple) else (extremes,)
    if not all(127 <= least == most <= 128 for least, most in bands):
        return True
    with JpegImageFile(io.BytesIO(content[:end] + bytes(_PIECE) + content[end:])) as other:
        other.load()
        return other.tobytes() == image.tobytes()


def _first_scan(content: bytes) -> int:
    """Where the pixels of a JPEG begin: what comes before, a preview among it, has ends of its own."""
    at = 2
    while at + 4 <= len(content) and content[at + 1] != _START_OF_SCAN:
        at += 1 if content[at + 1] == 0xFF else 2 + int.from_bytes(content[at + 2 : at + 4])
    return at
