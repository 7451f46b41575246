"""One header of a tar, read strictly: what any reader could take in two ways is refused."""

from __future__ import annotations

import contextlib
import functools
import struct
import zlib
from dataclasses import dataclass

from .refusal import Refusal

BLOCK = 512
FILE, OLD_FILE, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"\0", b"1", b"2", b"5"
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK = b"x", b"g", b"L", b"K"
EXTENSIONS = frozenset({PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK})
KINDS = {
    b"S": "a sparse file",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
    b"M": "a part of another volume",
    b"V": "a volume label",
    b"D": "an incremental dump",
}

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s80x155s12x")
_CHECKSUM = slice(148, 156)
_USTAR, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
_FORMATS = frozenset({_USTAR, _GNU, _V7})
_LARGEST_SIZE = 2**63 - 1


@dataclass(slots=True)
class Member:
    """One entry of the archive.

    Attributes:
        name: As the archive has it.
        kind: FILE, HARD_LINK, SYMLINK or DIRECTORY.
        size: Of the payload that follows, in bytes.
        executable: Whether its owner may execute it.
        modified: When it was last changed, in seconds since 1970; may be any number.
        target: Where a link leads, as the archive has it.
    """

    name: bytes
    kind: bytes
    size: int
    executable: bool
    modified: int
    target: bytes


def parse(block: bytes, offset: int) -> Member:
    """Read one header of 512 bytes, which lies at `offset` in the tar.

    Raises:
        Refusal: Its checksum, a number, the format or a name is not sound.
    """
    try:
        return _parse(block)
    except ValueError as error:
        raise Refusal(f"is damaged or no tar: the header at byte {offset:,} {error}") from None


def checksum(block: bytes) -> int:
    """The sum of all bytes of a header, the checksum itself counted as spaces."""
    return _sum(block[:256]) + _sum(block[256:]) - _sum(block[_CHECKSUM]) + 8 * ord(" ")


def _sum(data: bytes) -> int:
    # The lower half of an Adler-32: 1 + the sum, modulo 65521, which 256 bytes do not reach. Ten times faster than sum.
    return (zlib.adler32(data) & 0xFFFF) - 1


def _parse(block: bytes) -> Member:
    name, mode, uid, gid, size, modified, expected, kind, target, magic, prefix = _FIELDS.unpack(block)
    if checksum(block) != _number(expected):
        raise ValueError("has a wrong checksum")
    if magic not in _FORMATS:
        raise ValueError("is of no known format")
    _number(uid)
    _number(gid)
    path = _text(name)
    if magic == _USTAR and (directory := _text(prefix)):
        path = directory + b"/" + path
    if kind == OLD_FILE:
        kind = DIRECTORY if magic == _V7 and path.endswith(b"/") else FILE
    executable = bool(_number(mode) & 0o100)
    return Member(path, kind, _size(size, path), executable, _number(modified), _text(target))


def _text(field: bytes) -> bytes:
    text = field.rstrip(b"\0")
    if b"\0" in text:
        raise ValueError("has a NUL within a name")
    return text


def _size(field: bytes, name: bytes) -> int:
    if not field.strip(b" \0"):
        raise ValueError("has no size")
    size = _number(field)
    if not 0 <= size <= _LARGEST_SIZE:
        raise Refusal("claims an impossible size", name)
    return size


@functools.lru_cache(1024)  # modes, owners and times repeat themselves
def _number(field: bytes) -> int:
    """Octal digits, or the binary form of large and negative numbers; an empty field is 0."""
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    digits = field.strip(b" \0")
    if digits.isdigit() or not digits:  # no sign, no underscore
        with contextlib.suppress(ValueError):
            return int(digits or b"0", 8)
    raise ValueError("has a number that cannot be read")
