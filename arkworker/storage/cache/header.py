"""The first bytes of a SQLite file, read before SQLite is trusted with it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from arkworker.storage.cache.refusal import refusal

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"SQLite format 3\0"
_SCHEMA_PAGES = 4096
_SCHEMA_OBJECTS = 1000
_SCHEMA_BYTES = 2**20


def check_header(path: str, real: Path) -> bool:
    """Check the header and the size of the schema of a file before SQLite reads it into memory.

    Returns:
        Whether the header is ordinary: what SQLite writes by default, with nothing that a copy should not keep.

    Raises:
        CacheError: It is no SQLite database, or its schema is damaged or too large.
    """
    with real.open("rb") as file:
        header = file.read(100)
        if len(header) < 100 or not header.startswith(_MAGIC):
            raise refusal(path, "is no SQLite database: of another format, damaged, cut or encrypted")
        page_size = {1: 65536}.get(size := struct.unpack_from(">H", header, 16)[0], size)
        if page_size < 512 or page_size & (page_size - 1):
            raise refusal(path, "is damaged: its page size is impossible")
        _check_schema_size(path, file, page_size)
    fixed = header[20:24] == b"\0\x40\x20\x20" and header[44:60] == struct.pack(">4I", 4, 0, 0, 1)
    return fixed and header[18:20] in (b"\1\1", b"\2\2") and not any(header[64:68] + header[72:92])


def _check_schema_size(path: str, file: BinaryIO, page_size: int) -> None:
    """Walk the tree of the schema: SQLite keeps all of it in memory, from the first statement on."""
    pages, visited, objects, size = [1], 0, 0, 0
    while pages:
        number, visited = pages.pop(), visited + 1
        file.seek((number - 1) * page_size)
        page = file.read(page_size)
        try:
            children, payloads = _read_schema_page(page, 100 if number == 1 else 0)
        except (struct.error, IndexError):
            raise refusal(path, "is damaged or cut: its schema cannot be read") from None
        pages += children
        objects, size = objects + len(payloads), size + sum(payloads)
        if visited > _SCHEMA_PAGES or objects > _SCHEMA_OBJECTS or size > _SCHEMA_BYTES:
            raise refusal(path, f"has a schema of more than {_SCHEMA_OBJECTS} objects or {_SCHEMA_BYTES} bytes")


def _read_schema_page(page: bytes, start: int) -> tuple[list[int], list[int]]:
    """The child pages and the sizes of the entries of one page of a table's tree (SQLite file format, 1.6)."""
    kind, count = page[start], struct.unpack_from(">H", page, start + 3)[0]
    if kind == 13:
        cells = struct.unpack_from(f">{count}H", page, start + 8)
        return [], [_varint(page, cell) for cell in cells]
    if kind != 5:
        raise IndexError("no page of a table")
    cells = struct.unpack_from(f">{count}H", page, start + 12)
    right = struct.unpack_from(">I", page, start + 8)[0]
    children = [right, *(struct.unpack_from(">I", page, cell)[0] for cell in cells)]
    if 0 in children:
        raise IndexError("no page")
    return children, []


def _varint(page: bytes, position: int) -> int:
    value = 0
    for byte in page[position : position + 9]:
        value = value << 7 | byte & 127
        if byte < 128:
            return value
    raise IndexError("no number")
