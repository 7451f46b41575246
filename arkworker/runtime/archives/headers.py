"""One header of a tar, read strictly: what any reader could take in two ways is refused."""

from __future__ import annotations

import contextlib
import struct
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

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12s")
_USTAR, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
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
    name, mode, uid, gid, size, modified, checksum, kind, target, magic, *_, prefix, _ = _FIELDS.unpack(block)
    where = f"at byte {offset:,}"
    if sum(block) - sum(checksum) + 8 * 32 != _number(checksum, where):
        raise Refusal(f"is damaged or no tar: the header {where} has a wrong checksum")
    if magic not in {_USTAR, _GNU, _V7}:
        raise Refusal(f"is damaged or no tar: the header {where} is of no known format")
    for number in (uid, gid):
        _number(number, where)
    path = _text(name, where)
    if magic == _USTAR and (directory := _text(prefix, where)):
        path = directory + b"/" + path
    member = Member(
        path, kind, _size(size, path, where), bool(_number(mode, where) & 0o100), _number(modified, where), b""
    )
    member.target = _text(target, where)
    if kind == OLD_FILE:
        member.kind = DIRECTORY if magic == _V7 and path.endswith(b"/") else FILE
    return member


def _text(field: bytes, where: str) -> bytes:
    text, _, rest = field.partition(b"\0")
    if rest.strip(b"\0"):
        raise Refusal(f"has a NUL within a name in the header {where}", text)
    return text


def _size(field: bytes, name: bytes, where: str) -> int:
    if not field.strip(b" \0"):
        raise Refusal(f"has no size in the header {where}", name)
    size = _number(field, where)
    if not 0 <= size <= _LARGEST_SIZE:
        raise Refusal("claims an impossible size", name)
    return size


def _number(field: bytes, where: str) -> int:
    """Octal digits, or the binary form of large and negative numbers; an empty field is 0."""
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    digits = field.strip(b" \0")
    if digits.isdigit() or not digits:  # no sign, no underscore
        with contextlib.suppress(ValueError):
            return int(digits or b"0", 8)
    raise Refusal(f"is damaged or no tar: the header {where} has a number that cannot be read")
