"""zstd, strictly: the outline of the stream is read here, its content by the library.

The library alone cannot tell a cut stream from a whole one, nor bound what one call returns. The outline (RFC 8878:
frames, blocks and their sizes) is a few bytes for each block, so it is walked first: the stream must be whole, and what
goes into the decoder at once is chosen so that little comes out of it.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MAGIC = 0xFD2FB528
SKIPPABLE = 0x184D2A50  # to …5F
LARGEST_BLOCK = 128 * 2**10
PIECE = 2**19  # the most that one call of the decoder may give, in bytes: what fits the caches is faster
RAW, RUN, COMPRESSED, RESERVED = range(4)


def decompress(file: BinaryIO, max_window: int) -> Generator[bytes, None, None]:
    """The content of a zstd file in pieces of at most about a mebibyte; the next one is made in a second thread.

    Args:
        file: Open for reading, buffered.
        max_window: The largest window that a frame may ask for, in bytes.

    Raises:
        Refusal: It is no zstd, damaged, cut short, followed by something else, or asks for too large a window.
    """
    contents = _decode(file, max_window)
    with ThreadPoolExecutor(1, thread_name_prefix="arkworker-archive") as thread:
        # Several: the thread then goes on to the next piece while it still has Python's lock, and the two overlap.
        coming = deque(thread.submit(next, contents, b"") for _ in range(3))
        while content := coming.popleft().result():
            coming.append(thread.submit(next, contents, b""))
            yield content


def _decode(file: BinaryIO, max_window: int) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=max_window)
    stream = decoder.decompressobj(write_size=PIECE, read_across_frames=True)
    try:
        for piece in _pieces(_Outline(file, max_window)):
            if content := stream.decompress(piece):
                yield content
    except zstandard.ZstdError:
        raise Refusal("is damaged: its zstd data cannot be decompressed") from None
    except OSError as error:
        raise Refusal(f"cannot be read: {error.strerror}") from None


def _pieces(outline: _Outline) -> Iterator[bytes]:
    """The compressed bytes, cut so that each piece holds blocks of at most PIECE bytes of content."""
    parts: list[bytes] = []
    expected = 0
    for part, content in outline:
        if expected + content > PIECE or len(parts) > 4096:
            yield b"".join(parts)
            parts, expected = [], 0
        parts.append(part)
        expected += content
    yield b"".join(parts)


class _Outline:
    """Iterates over the headers and blocks of a zstd file: the bytes, and the most content that they stand for."""

    def __init__(self, file: BinaryIO, max_window: int) -> None:
        self._file = file
        self._max_window = max_window

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        frames = 0
        while start := self._file.read(4):
            magic = int.from_bytes(start, "little")
            if magic == MAGIC and len(start) == 4:
                yield from self._frame(start)
                frames += 1
            elif magic & ~0xF == SKIPPABLE and len(start) == 4:
                self._skip()
            else:
                raise Refusal("has other data after its zstd data, or is cut" if frames else "is not a zstd file")
        if not frames:
            raise Refusal("is empty")

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise Refusal("is cut short: its zstd data ends too early")
        return data

    def _skip(self) -> None:
        remaining = int.from_bytes(self._read(4), "little")
        while remaining:
            remaining -= len(self._read(min(remaining, PIECE)))

    def _frame(self, magic: bytes) -> Iterator[tuple[bytes, int]]:
        descriptor = self._read(1)
        flags = descriptor[0]
        fields = self._read(_header_size(flags))
        window = _window(flags, fields)
        if window > self._max_window:
            raise Refusal(f"asks for a zstd window of {window:,} bytes; at most {self._max_window:,} are allowed")
        yield magic + descriptor + fields, 0
        yield from self._blocks(min(window, LARGEST_BLOCK))
        if flags & 0b100:
            yield self._read(4), 0

    def _blocks(self, largest: int) -> Iterator[tuple[bytes, int]]:
        last = 0
        while not last:
            header = self._read(3)
            bits = int.from_bytes(header, "little")
            last, kind, size = bits & 1, bits >> 1 & 3, bits >> 3
            if kind == RESERVED or size > LARGEST_BLOCK:
                raise Refusal("is damaged: a zstd block of no known kind or size")
            yield header + self._read(1 if kind == RUN else size), largest if kind == COMPRESSED else size


def _header_size(flags: int) -> int:
    """The bytes of window, dictionary and content size that follow the descriptor of a frame."""
    if flags & 0b1000:
        raise Refusal("is damaged: a reserved bit is set in a zstd frame")
    single = flags >> 5 & 1
    return (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]


def _window(flags: int, fields: bytes) -> int:
    """How far back the decoder must be able to look, in bytes."""
    if not flags >> 5 & 1:
        base = 1 << (10 + (fields[0] >> 3))
        return base + base // 8 * (fields[0] & 7)
    content_size = int.from_bytes(fields[(0, 1, 2, 4)[flags & 3] :], "little")
    return content_size + (256 if flags >> 6 == 1 else 0)
