"""zstd, strictly: the outline of the stream is read here, its content by the library.

The library alone can tell neither that a stream is cut nor that something else follows. The outline (RFC 8878: frames,
blocks and their sizes) is a few bytes for each block, so it is walked on the way to the decoder: the stream must be
whole, and nothing but zstd.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

MAGIC = 0xFD2FB528
SKIPPABLE = 0x184D2A50  # to …5F
LARGEST_BLOCK = 128 * 2**10
PIECE = 2**18  # what fits the caches is faster
RAW, RUN, COMPRESSED, RESERVED = range(4)

# What the decoder still holds when its input ends would be lost: one more frame, of nothing, pushes it out.
_END = SKIPPABLE.to_bytes(4, "little") + bytes(4)
# Content that was hardly compressed is decoded sooner than two threads agree on Python's lock.
_WORTH_A_THREAD = 0.75


def decompress(file: BinaryIO, max_window: int) -> Generator[memoryview, None, None]:
    """The content of a zstd file in pieces of PIECE bytes at most, each to be used before the next one is asked for.

    Args:
        file: Open for reading, buffered.
        max_window: The largest window that a frame may ask for, in bytes.

    Raises:
        Refusal: It is no zstd, damaged, cut short, followed by something else, or asks for too large a window.
    """
    decoder = _Decoder(file, max_window)
    buffer, other = (memoryview(bytearray(PIECE)) for _ in range(2))
    read: Callable[[], int] = partial(decoder.read_into, buffer)
    with ThreadPoolExecutor(1, thread_name_prefix="arkworker-archive") as thread:
        while size := read():
            content = buffer[:size]
            if decoder.ratio < _WORTH_A_THREAD:
                buffer, other = other, buffer
                read = thread.submit(decoder.read_into, buffer).result
            else:
                read = partial(decoder.read_into, buffer)
            yield content


class _Decoder:
    """Decodes into buffers.

    Attributes:
        ratio: The compressed size over the size of the content, of what was decoded last.
    """

    def __init__(self, file: BinaryIO, max_window: int) -> None:
        self.ratio = 1.0
        self._outline = _Outline(file, max_window)
        decoder = zstandard.ZstdDecompressor(max_window_size=max_window)
        source = cast("BinaryIO", self._outline)  # nothing but its read is called
        self._stream = decoder.stream_reader(source, read_size=LARGEST_BLOCK, read_across_frames=True)

    def read_into(self, buffer: memoryview) -> int:
        before = self._outline.given
        try:
            count = self._stream.readinto(buffer)
        except zstandard.ZstdError:
            raise Refusal("is damaged: its zstd data cannot be decompressed") from None
        except OSError as error:
            raise Refusal(f"cannot be read: {error.strerror}") from None
        self.ratio = (self._outline.given - before) / max(count, 1)
        return count


class _Outline:
    """A zstd file for the decoder, checked from header to header; what others may skip is left out.

    Attributes:
        given: How many bytes the decoder got.
    """

    def __init__(self, file: BinaryIO, max_window: int) -> None:
        self.given = 0
        self._file = file
        self._max_window = max_window
        self._parts = self._frames()

    def read(self, _size: int) -> bytes:
        """The next part, empty at the end; what a decoder calls its source by."""
        part = next(self._parts, b"")
        self.given += len(part)
        return part

    def _frames(self) -> Iterator[bytes]:
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
        yield _END

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise Refusal("is cut short: its zstd data ends too early")
        return data

    def _skip(self) -> None:
        remaining = int.from_bytes(self._read(4), "little")
        while remaining:
            remaining -= len(self._read(min(remaining, PIECE)))

    def _frame(self, magic: bytes) -> Iterator[bytes]:
        descriptor = self._read(1)
        flags = descriptor[0]
        fields = self._read(_header_size(flags))
        window = _window(flags, fields)
        if window > self._max_window:
            raise Refusal(f"asks for a zstd window of {window:,} bytes; at most {self._max_window:,} are allowed")
        yield magic + descriptor + fields
        yield from self._blocks()
        if flags & 0b100:
            yield self._read(4)

    def _blocks(self) -> Iterator[bytes]:
        last = 0
        while not last:
            header = self._read(3)
            bits = int.from_bytes(header, "little")
            last, kind, size = bits & 1, bits >> 1 & 3, bits >> 3
            if kind == RESERVED or size > LARGEST_BLOCK:
                raise Refusal("is damaged: a zstd block of no known kind or size")
            yield header
            if content := self._read(1 if kind == RUN else size):
                yield content


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
