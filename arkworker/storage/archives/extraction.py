"""Extracting: zstd to tar to disk in one stream, all or nothing."""

from __future__ import annotations

import io
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from arkworker.storage.archives.destination import Overlay, commit, prepare
from arkworker.storage.archives.refusal import (
    DEFAULT_MAX_MEMBERS,
    DEFAULT_MAX_MEMORY,
    MAX_PATH,
    Budget,
    Refusal,
    blaming,
    check_path,
    free_space,
)
from arkworker.storage.archives.unpacking import PIECE, unpack
from arkworker.storage.exclusive import open_regular
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

_MAX_PADDING = 64 * 2**20  # after the end mark: tar fills up its last record, usually of ten kilobytes
_WINDOW_ERROR = "too much memory"


def extract(
    archive: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    max_bytes: int | None = None,
    max_members: int = DEFAULT_MAX_MEMBERS,
    max_memory: int = DEFAULT_MAX_MEMORY,
) -> None:
    """Extract a `.tar.zst` archive; nothing is changed outside the destination, and on an error nothing at all.

    Regular files, directories, and links to regular files of the same archive are extracted (links as hard links);
    anything else is refused. An absent or empty destination is complete after one rename. Existing content is
    kept, except for files that the archive has, too.

    Args:
        archive: A regular file.
        destination: A directory; it and its parents are made when absent.
        max_bytes: The most that the files may take in total; by default the free space of the disk less 1 GiB.
        max_members: The most members allowed.
        max_memory: What the process may use in total, in bytes; half of it bounds the window of zstd.

    Raises:
        ArchiveError: The archive is absent, damaged, hostile or too large, or the destination cannot be written to.
    """
    extract_parent_archives([archive], destination, max_bytes=max_bytes, max_members=max_members, max_memory=max_memory)


def extract_parent_archives(
    archives: Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    max_bytes: int | None = None,
    max_members: int = DEFAULT_MAX_MEMBERS,
    max_memory: int = DEFAULT_MAX_MEMORY,
) -> None:
    """Extract several archives into one destination, all of them or none.

    Where two of them have the same file, the later one wins, and a warning names both. The limits, and the rest, are as
    for `extract`; they hold for the archives together.

    Args:
        archives: In the order of the parents; without any, nothing changes.
        destination: A directory; it and its parents are made when absent.
        max_bytes: The most that the files may take in total; by default the free space of the disk less 1 GiB.
        max_members: The most members allowed.
        max_memory: What the process may use in total, in bytes; half of it bounds the window of zstd.

    Raises:
        ArchiveError: One of them cannot be extracted, or a name is a directory in one and a file in another.
    """
    paths = [Path(archive) for archive in archives]
    if not paths:
        return
    for path in paths:
        with blaming(path):
            check_path(path)
            check_path(destination)
    failing = f"cannot be extracted to {printable(os.fspath(destination), limit=4096)}"
    with blaming(paths[-1], failing), prepare(Path(destination)) as (target, staging):
        limit = free_space(staging) if max_bytes is None else max_bytes
        budget = Budget(limit, max_members, max_memory)
        longest_path = MAX_PATH - len(os.fsencode(target)) - 1
        overlay = Overlay(staging)
        for path in paths:
            with blaming(path):
                _unpack(path, overlay.new_layer(), longest_path, budget)
                overlay.add_layer(path)
        commit(staging, target)


def _unpack(archive: Path, directory: Path, longest_path: int, budget: Budget) -> None:
    seal = secrets.token_bytes(32).replace(b"\0", b"\1") * 32
    with _open(archive) as file, ThreadPoolExecutor(1, thread_name_prefix="arkworker-archive") as thread:
        content = _Content(_Sealed(file, seal), budget.max_window, thread)
        stream = cast("BinaryIO", io.BufferedReader(content, PIECE))
        unpack(stream, os.fsencode(directory), longest_path, budget)
        rest = stream.read(_MAX_PADDING)
        if not rest.endswith(seal):
            raise Refusal("is cut short: its zstd data ends too early")
        if rest.strip(b"\0") != seal:
            raise Refusal("has other data after the end of its tar")


def _open(archive: Path) -> BinaryIO:
    try:
        return os.fdopen(open_regular(archive), "rb", buffering=0)
    except FileNotFoundError:
        raise Refusal("there is no such archive") from None


class _Sealed:
    """A zstd file for the decoder, and then one more frame, the seal.

    The decoder does not say that its input ends within a frame. When the content of the seal comes out last, though,
    all before it was whole: else the frame of the seal would have been taken for a part of what is missing.
    """

    def __init__(self, file: BinaryIO, seal: bytes) -> None:
        self._file = file
        self._seal = zstandard.ZstdCompressor(write_checksum=True).compress(seal)

    def read(self, size: int) -> bytes:
        if data := self._file.read(size):
            return data
        seal, self._seal = self._seal, b""
        return seal


class _Content(io.RawIOBase):
    """What a zstd file holds, decoded by a thread one piece ahead."""

    def __init__(self, source: _Sealed, max_window: int, thread: ThreadPoolExecutor) -> None:
        decoder = zstandard.ZstdDecompressor(max_window_size=max_window)
        file = cast("BinaryIO", source)  # nothing but its read is called
        self._decoded = decoder.stream_reader(file, read_size=PIECE, read_across_frames=True)
        self._max_window = max_window
        self._thread = thread
        self._piece = memoryview(b"")
        self._next = thread.submit(self._decoded.read, PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        if not self._piece:
            self._piece = memoryview(self._take())
            self._next = self._thread.submit(self._decoded.read, PIECE)
        with memoryview(buffer) as view:
            count = min(len(view), len(self._piece))
            view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _take(self) -> bytes:
        try:
            return self._next.result()
        except zstandard.ZstdError as error:
            if _WINDOW_ERROR in str(error):
                raise Refusal(f"asks for a larger zstd window than the limit of {self._max_window:,} bytes") from None
            raise Refusal("is damaged, not a zstd file, or has other data after its zstd data") from None
        except OSError as error:
            raise Refusal(f"cannot be read: {error.strerror}") from None
