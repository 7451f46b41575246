"""The tar format: read strictly, so that what two readers could take in two ways is refused, and written plainly.

The tarfile module of the standard library needs five times as long for a header, which is a third of the work on small
files; and it takes a damaged header after the first member, or an absent end mark, for the end of the archive, so that
members vanish in silence. It ignores what follows a NUL in a name.
"""

from __future__ import annotations

import functools
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.storage.archives.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from arkworker.storage.archives.refusal import Budget

BLOCK = 512
END = bytes(2 * BLOCK)
FILE, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"

_OLD_FILE, _PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"\0", b"x", b"g", b"L", b"K"
_REFUSED_KINDS = {
    b"S": "a sparse file",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
    b"M": "a part of another volume",
    b"V": "a volume label",
    b"D": "an incremental dump",
}
# What changes the meaning of the payload, and is nothing but trouble.
_REFUSED_KEYS = (b"GNU.sparse.", b"GNU.volume.", b"GNU.dumpdir", b"SCHILY.realsize", b"SCHILY.filetype", b"SUN.holes")
_MEANT_HERE = (b"path", b"linkpath", b"size")

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s80x155s12x")
_CHECKSUM = slice(148, 156)
_USTAR, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")  # no sign, no underscore
_RECORD = re.compile(rb"(\d{1,7}) ([^=]+)=")  # of a pax header: its length, its key; a value and a line feed follow
_LARGEST_SIZE, _SIZE_DIGITS = 2**63 - 1, 19
_NAME_FIELD, _OCTAL_LIMIT = 100, 8**11


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


def take(stream: BinaryIO, count: int) -> bytes:
    """The next bytes, all of them.

    Raises:
        Refusal: There are fewer.
    """
    data = stream.read(count)
    if len(data) < count:
        raise Refusal("is cut short: its tar ends too early")
    return data


def read_members(stream: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Each member up to the end mark, in order. Before asking for the next one, take its whole payload.

    Raises:
        Refusal: The tar is damaged or cut short, or has something that is never extracted.
    """
    values: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    while (block := take(stream, BLOCK)) != END[:BLOCK]:
        member = _parse(block)
        if member.kind in {_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK}:
            if member.kind in seen or (seen and member.kind == _PAX_GLOBAL):
                raise Refusal("has two extended headers of one kind, or a global one, before one member")
            budget.spend_extension(member.size)
            payload = take(stream, member.size + -member.size % BLOCK)[: member.size]
            if member.kind == _PAX_GLOBAL:
                budget.spend_member()
                _check_global(payload)
                continue
            seen.add(member.kind)
            _extend(values, member.kind, payload)
            continue
        budget.spend_member()
        if seen:
            _apply(values, member)
            values.clear()
            seen.clear()
        _check(member)
        size = member.size
        yield member
        if size % BLOCK:
            take(stream, -size % BLOCK)
    if seen or take(stream, BLOCK) != END[:BLOCK]:
        raise Refusal("is damaged: its tar ends after an extended header, or has half an end mark")


def header(name: bytes, kind: bytes, size: int = 0, mode: int = 0o644, target: bytes = b"") -> bytes:
    """The header of a member, after those for a name or link that is too long for it.

    The format is GNU tar's own: long names of any bytes and large sizes, which every reader of today knows.
    """
    before = b""
    if len(target) > _NAME_FIELD:
        before += _long(_LONG_LINK, target)
    if len(name) > _NAME_FIELD:
        before += _long(_LONG_NAME, name)
    octal = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    fields = (name, b"%07o\0" % mode, b"0000000\0", b"0000000\0", octal, b"00000000000\0")
    block = _HEADER.pack(*fields, b" " * 8, kind, target, _GNU, b"")
    return before + block[: _CHECKSUM.start] + b"%06o\0 " % _checksum(block) + block[_CHECKSUM.stop :]


def _long(kind: bytes, text: bytes) -> bytes:
    payload = text + b"\0"
    return header(b"././@LongLink", kind, len(payload)) + payload + bytes(-len(payload) % BLOCK)


def _parse(block: bytes) -> Member:
    name, mode, uid, gid, size, modified, expected, kind, target, magic, prefix = _HEADER.unpack(block)
    if _checksum(block) != _number(expected):
        raise Refusal("is damaged or not a tar: a header has a wrong checksum")
    if magic not in {_USTAR, _GNU, _V7}:
        raise Refusal("is damaged or not a tar: a header has an unknown format")
    _number(uid)
    _number(gid)
    path = _text(name)
    if magic == _USTAR and (directory := _text(prefix)):
        path = directory + b"/" + path
    if kind == _OLD_FILE:
        kind = DIRECTORY if magic == _V7 and path.endswith(b"/") else FILE
    length = _number(size)
    if not 0 <= length <= _LARGEST_SIZE or not size.strip(b" \0"):
        raise Refusal("claims an impossible size, or none", path)
    return Member(path, kind, length, bool(_number(mode) & 0o100), _number(modified), _text(target))


def _checksum(block: bytes) -> int:
    """The sum of all bytes of a header, the checksum itself counted as spaces."""
    return _sum(block[:256]) + _sum(block[256:]) - _sum(block[_CHECKSUM]) + 8 * ord(" ")


def _sum(data: bytes) -> int:
    # The lower half of an Adler-32: 1 + the sum, modulo 65521, which 256 bytes do not reach. Ten times faster than sum.
    return (zlib.adler32(data) & 0xFFFF) - 1


def _text(field: bytes) -> bytes:
    text = field.rstrip(b"\0")
    if b"\0" in text:
        raise Refusal("is damaged or not a tar: a header has a NUL within a name")
    return text


@functools.lru_cache(1024)  # modes, owners and times repeat themselves
def _number(field: bytes) -> int:
    """Octal digits, or the binary form of large and negative numbers; an empty field is 0."""
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    if digits := _OCTAL.fullmatch(field):
        return int(digits[1] or b"0", 8)
    raise Refusal("is damaged or not a tar: a header has a number that cannot be read")


def _extend(values: dict[bytes, bytes], kind: bytes, payload: bytes) -> None:
    """Add what an extended header says of the next member: of POSIX (pax), or of GNU tar a long name or link."""
    if kind == _PAX:
        found = _records(payload)
    else:
        text = payload.rstrip(b"\0")
        if not text or b"\0" in text:
            raise Refusal("has a long name that is empty or holds a NUL", text)
        found = {b"path" if kind == _LONG_NAME else b"linkpath": text}
    if found.keys() & values.keys():
        raise Refusal("has two long names for one member")
    values.update(found)


def _records(payload: bytes) -> dict[bytes, bytes]:
    """The records of a pax header; those that matter here may come only once."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(payload):
        start = _RECORD.match(payload, position)
        end = position + int(start[1]) if start else 0
        if not start or not start.end() < end <= len(payload) or payload[end - 1] != ord("\n"):
            raise Refusal("is damaged: an extended header cannot be read")
        key, value = start[2], payload[start.end() : end - 1]
        if key in _MEANT_HERE and (key in records or not value or b"\0" in value):
            raise Refusal(f"has an extended header whose {key.decode()} is empty, doubled or holds a NUL")
        records[key] = value
        position = end
    return records


def _check_global(payload: bytes) -> None:
    """A pax header for all that follows may hold remarks, but must not rename or resize every member."""
    if any(key in _MEANT_HERE or key.startswith(_REFUSED_KEYS) for key in _records(payload)):
        raise Refusal("has a global header that sets the name or the size of every member")


def _apply(values: dict[bytes, bytes], member: Member) -> None:
    member.name = values.get(b"path", member.name)
    member.target = values.get(b"linkpath", member.target)
    if any(key.startswith(_REFUSED_KEYS) for key in values):
        raise Refusal("is a sparse or split file, which is not extracted", member.name)
    if (digits := values.get(b"size")) is not None:
        if not digits.isdigit() or len(digits) > _SIZE_DIGITS or int(digits) > _LARGEST_SIZE:
            raise Refusal("claims an impossible size", member.name)
        member.size = int(digits)


def _check(member: Member) -> None:
    if member.kind not in {FILE, HARD_LINK, SYMLINK, DIRECTORY}:
        kind = _REFUSED_KINDS.get(member.kind, "of a kind")
        raise Refusal(f"is {kind} that is not extracted", member.name)
    if member.kind != DIRECTORY and member.name.endswith((b"/", b"/.")):
        raise Refusal("has the name of a directory, but is not one", member.name)
    if member.kind != FILE and member.size:
        raise Refusal("is a link or a directory with content", member.name)
