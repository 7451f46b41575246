"""A single flipped bit in the structure of a parent: refused, or the same content."""

from __future__ import annotations

import random
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError
from arkworker.storage.cache import merge

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 512


@pytest.fixture
def parent(write_cache: Any, rows: Any) -> Path:
    content = [rows.image(1), rows.element(2, image_id=f"{1:032x}"), rows.transcription(3, 2, text="é" * 900)]
    content += [rows.element(number) for number in range(10, 16)] + [rows.entity(3), rows.classification(4, 2)]
    path: Path = write_cache("parent.sqlite", *content, extra=f"PRAGMA page_size={PAGE}; VACUUM;")
    return path


def structure_of(content: bytes) -> list[int]:
    """The bytes that are structure: the header of the file, the headers of the pages and their tables of cells."""
    positions = list(range(100))
    for number in range(len(content) // PAGE):
        start = number * PAGE + (100 if number == 0 else 0)
        kind, count = content[start], struct.unpack_from(">H", content, start + 3)[0]
        if kind in (2, 5, 10, 13):
            header = 12 if kind in (2, 5) else 8
            positions += range(start, start + header + 2 * count)
    return positions


def check_flips(parent: Path, tmp_path: Path, read_cache: Any, flips: list[tuple[int, int]]) -> tuple[int, int]:
    merge([parent], tmp_path / "out.sqlite")
    expected = read_cache(tmp_path / "out.sqlite")
    content = parent.read_bytes()
    flipped, accepted = tmp_path / "flipped.sqlite", 0
    for position, bit in flips:
        flipped.write_bytes(content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :])
        try:
            merge([flipped], tmp_path / "out.sqlite")
        except CacheError:
            continue
        accepted += 1
        assert read_cache(tmp_path / "out.sqlite") == expected, (position, bit)
        with closing(sqlite3.connect(tmp_path / "out.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return len(flips), accepted


def test_flips_in_the_structure(parent: Path, tmp_path: Path, read_cache: Any) -> None:
    """Some of them, the same at each run."""
    positions = structure_of(parent.read_bytes())
    flips = [(position, bit) for position in positions for bit in range(8)]
    total, accepted = check_flips(parent, tmp_path, read_cache, random.Random(3).sample(flips, 60))
    assert accepted < total


@pytest.mark.campaign
def test_every_flip_in_the_structure(parent: Path, tmp_path: Path, read_cache: Any) -> None:
    """All of them."""
    positions = structure_of(parent.read_bytes())
    check_flips(parent, tmp_path, read_cache, [(position, bit) for position in positions for bit in range(8)])
