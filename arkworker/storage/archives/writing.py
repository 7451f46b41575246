"""A directory as the bytes of a tar, the same for the same content.

The format is GNU tar's own: long names of any bytes and large sizes, which every reader of today knows.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

from .headers import BLOCK, DIRECTORY, FILE, HARD_LINK, LONG_LINK, LONG_NAME, SYMLINK, checksum
from .names import clean, follow
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 2**18
RECORD = 20 * BLOCK  # tar fills up the last one

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s247x")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME_FIELD = 100
_OCTAL_LIMIT = 8**11


def tar(directory: bytes, left_out: frozenset[bytes] = frozenset()) -> Iterator[bytes | bytearray | memoryview]:
    """The tar of what is in a directory, in pieces of some hundred kilobytes; use each before asking for the next.

    Args:
        directory: With no symbolic link in its path.
        left_out: Paths that are skipped with all below them.

    Raises:
        Refusal: There is something that `extract` would refuse, or a file changes while it is read.
    """
    pending = bytearray()
    total = 0
    for piece in _Walk(directory, left_out).parts(b""):
        total += len(piece)
        if len(piece) >= PIECE:
            yield pending
            pending.clear()
            yield piece
            continue
        pending += piece
        if len(pending) >= PIECE:
            yield pending
            pending.clear()
    total += 2 * BLOCK
    yield bytes(pending) + bytes(2 * BLOCK) + bytes(-total % RECORD)


class _Walk:
    def __init__(self, directory: bytes, left_out: frozenset[bytes]) -> None:
        self._directory = directory.rstrip(b"/") + b"/"
        self._left_out = left_out
        self._linked: dict[tuple[int, int], bytes] = {}
        self._buffer = memoryview(bytearray(PIECE))

    def parts(self, path: bytes) -> Iterator[bytes | memoryview]:
        """Headers and contents of all below a directory (with its slash); a piece is overwritten by the next one."""
        with os.scandir(self._directory + path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.path in self._left_out:
                continue
            name = path + entry.name
            try:
                clean(name)
                yield from self._parts_of(name, entry)
            except OSError as error:
                raise Refusal(f"cannot be read: {error.strerror}", name) from None
            except Refusal as refusal:
                raise Refusal(refusal.reason, refusal.member or name) from None

    def _parts_of(self, name: bytes, entry: os.DirEntry[bytes]) -> Iterator[bytes | memoryview]:
        if entry.is_symlink():
            yield header(name, SYMLINK, target=self._inside(name, entry.path))
        elif entry.is_dir():
            yield header(name + b"/", DIRECTORY, mode=0o755)
            yield from self.parts(name + b"/")
        elif entry.is_file():
            yield from self._file(name, entry.path)
        else:
            raise Refusal("is a device, socket or FIFO, which no archive may hold")

    def _inside(self, name: bytes, path: bytes) -> bytes:
        """Where a symbolic link leads, from its own directory, over other links to the file itself."""
        target = os.path.realpath(path)
        if not target.startswith(self._directory) or not stat.S_ISREG(os.lstat(target).st_mode):
            raise Refusal("is a symbolic link, and leads to no regular file of the directory")
        if target in self._left_out:
            raise Refusal("is a symbolic link to the archive itself")
        relative = os.path.relpath(target, path.rpartition(b"/")[0])
        follow(name, relative)
        return relative

    def _file(self, name: bytes, path: bytes) -> Iterator[bytes | memoryview]:
        file = os.open(path, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise Refusal("changed while it was read")
            if status.st_nlink > 1 and (first := self._linked.setdefault((status.st_dev, status.st_ino), name)) != name:
                yield header(name, HARD_LINK, target=first)
                return
            yield header(name, FILE, status.st_size, 0o755 if status.st_mode & 0o100 else 0o644)
            yield from self._content(file, status.st_size)
            yield bytes(-status.st_size % BLOCK)
        finally:
            os.close(file)

    def _content(self, file: int, size: int) -> Iterator[memoryview]:
        while size:
            count = os.readv(file, [self._buffer[: min(size, PIECE)]])
            if not count:
                raise Refusal("changed while it was read")
            size -= count
            yield self._buffer[:count]


def header(name: bytes, kind: bytes, size: int = 0, mode: int = 0o644, target: bytes = b"") -> bytes:
    """The header of a member, after those for a name or link that is too long for it."""
    before = b""
    if len(target) > _NAME_FIELD:
        before += _long(LONG_LINK, target)
    if len(name) > _NAME_FIELD:
        before += _long(LONG_NAME, name)
    return before + _block(name, kind, size, mode, target)


def _long(kind: bytes, text: bytes) -> bytes:
    payload = text + b"\0"
    return _block(b"././@LongLink", kind, len(payload), 0o644, b"") + payload + bytes(-len(payload) % BLOCK)


def _block(name: bytes, kind: bytes, size: int, mode: int, target: bytes) -> bytes:
    octal = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    fields = (name, b"%07o\0" % mode, b"0000000\0", b"0000000\0", octal, b"00000000000\0")
    rest = (kind, target, b"ustar  \0")
    block = _FIELDS.pack(*fields, b" " * 8, *rest)
    return block[:148] + b"%06o\0 " % checksum(block) + block[156:]
