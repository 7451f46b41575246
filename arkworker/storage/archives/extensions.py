"""Extended headers: what does not fit in 512 bytes, in the ways of POSIX (pax) and of GNU tar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .headers import DIRECTORY, FILE, HARD_LINK, KINDS, LONG_NAME, PAX, SYMLINK
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .headers import Member

# What changes the meaning of the payload, and is nothing but trouble.
_REFUSED = ("GNU.sparse.", "GNU.volume.", "GNU.dumpdir", "SCHILY.realsize", "SCHILY.filetype", "SUN.holesdata")
_MEANT_HERE = ("path", "linkpath", "size")


class Extensions:
    """The extended headers before one member."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._values: dict[str, bytes] = {}
        self._is_split = False

    def __bool__(self) -> bool:
        return bool(self._seen)

    def add(self, kind: bytes, payload: bytes) -> None:
        """Take one in: pax, or a long name or link of GNU tar."""
        if kind in self._seen:
            raise Refusal("has two extended headers of one kind before one member")
        self._seen.add(kind)
        if kind == PAX:
            records = dict(_records(payload))
            values = {key: records[key] for key in _MEANT_HERE if key in records}
            self._is_split |= any(key.startswith(_REFUSED) for key in records)
        else:
            values = {"path" if kind == LONG_NAME else "linkpath": _long_text(payload)}
        if values.keys() & self._values.keys():
            raise Refusal("has two long names for one member")
        self._values.update(values)

    def apply(self, member: Member) -> Member:
        """The member with what its extended headers say of it, checked as a whole."""
        if self._seen:
            member.name = self._values.get("path", member.name)
            member.target = self._values.get("linkpath", member.target)
            if "size" in self._values:
                member.size = _size(self._values["size"], member.name)
        if self._is_split:
            raise Refusal("is a sparse or split file, which is not extracted", member.name)
        _check(member)
        return member


def check_global(payload: bytes) -> None:
    """A pax header for all that follows may hold remarks, but must not rename or resize every member."""
    for key, _ in _records(payload):
        if key in _MEANT_HERE or key.startswith(_REFUSED):
            raise Refusal(f"has a global header that sets the {key} of every member")


def _check(member: Member) -> None:
    if member.kind not in {FILE, HARD_LINK, SYMLINK, DIRECTORY}:
        raise Refusal(f"is {KINDS.get(member.kind, 'of a kind')} that is not extracted", member.name)
    if member.kind != DIRECTORY and member.name.endswith((b"/", b"/.")):
        raise Refusal("has the name of a directory and is none", member.name)
    if member.kind != FILE and member.size:
        raise Refusal("is a link or a directory with a content", member.name)


def _long_text(payload: bytes) -> bytes:
    text = payload.rstrip(b"\0")
    if not text or b"\0" in text:
        raise Refusal("has a long name that is empty or holds a NUL", text)
    return text


def _size(digits: bytes, name: bytes) -> int:
    if not digits.isdigit() or len(digits) > 19 or int(digits) >= 2**63:
        raise Refusal("claims an impossible size", name)
    return int(digits)


def _records(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """The records of a pax header, `LENGTH KEY=VALUE` and a line feed each; those that matter here only once."""
    seen: set[str] = set()
    position = 0
    while position < len(payload):
        key, value, position = _record(payload, position)
        if key in _MEANT_HERE:
            if key in seen or not value or b"\0" in value:
                raise Refusal(f"has an extended header whose {key} is empty, doubled or holds a NUL")
            seen.add(key)
        yield key, value


def _record(payload: bytes, start: int) -> tuple[str, bytes, int]:
    space = payload.find(b" ", start, start + 8)
    digits = payload[start:space]
    if space < 0 or not digits.isdigit():
        raise Refusal("is damaged: an extended header cannot be read")
    end = start + int(digits)
    key, equals, value = payload[space + 1 : end].partition(b"=")
    if not key or not equals or end > len(payload) or not value.endswith(b"\n"):
        raise Refusal("is damaged: an extended header cannot be read")
    return key.decode("utf-8", "backslashreplace"), value[:-1], end
