"""Archives made byte by byte, as no well-meaning program would make them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
USTAR = b"ustar\x0000"


@dataclass
class Entry:
    """One header and what follows it; the fields are those of the format, as bytes."""

    name: bytes
    content: bytes = b""
    kind: bytes = b"0"
    link: bytes = b""
    mode: bytes = b"0000644\0"
    size: bytes | None = None
    modified: bytes = b"00000000000\0"
    magic: bytes = USTAR
    prefix: bytes = b""
    checksum: bytes | None = None

    def __bytes__(self) -> bytes:
        size = b"%011o\0" % len(self.content) if self.size is None else self.size
        before = (self.name, self.mode, b"0000000\0", b"0000000\0", size, self.modified)
        after = (self.kind, self.link, self.magic, b"", b"", b"", b"", self.prefix)
        right = b"%06o\0 " % sum(FIELDS.pack(*before, b" " * 8, *after))
        header = FIELDS.pack(*before, right if self.checksum is None else self.checksum, *after)
        return header + self.content + bytes(-len(self.content) % 512)


def pax(**values: str | bytes) -> Entry:
    """An extended header before the next member."""
    payload = b""
    for key, value in values.items():
        raw = value if isinstance(value, bytes) else value.encode()
        rest = b" " + key.replace("__", ".").encode() + b"=" + raw + b"\n"
        length = len(rest)
        while length != len(rest) + len(str(length)):
            length = len(rest) + len(str(length))
        payload += str(length).encode() + rest
    return Entry(b"pax", payload, b"x")


END = bytes(1024)
Part = Entry | bytes


class Maker:
    """Makes archives in a directory of the test."""

    END = END
    Entry = Entry
    pax = staticmethod(pax)

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made = 0

    def compressed(self, data: bytes) -> Path:
        """A file with these bytes, whatever they are."""
        path = self.directory / f"archive-{self.made}.tar.zst"
        self.made += 1
        path.write_bytes(data)
        return path

    def tar(self, *parts: Part) -> bytes:
        return b"".join(map(bytes, parts))

    def __call__(self, *parts: Part, end: bytes = END) -> Path:
        """A whole archive of these entries."""
        return self.compressed(self.zstd(self.tar(*parts) + end))

    def zstd(self, content: bytes) -> bytes:
        return zstandard.ZstdCompressor(write_checksum=True).compress(content)


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    directory = tmp_path / "archives"
    directory.mkdir()
    return Maker(directory)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An otherwise empty directory for destinations, so that anything left beside one is seen."""
    path = tmp_path / "place"
    path.mkdir()
    return path


def read_tree(root: Path) -> dict[str, bytes | None]:
    """Every path below a directory: the content of files, None for directories."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes | None]]:
    return read_tree
