"""Every cut and every flipped bit of an archive is noticed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArchiveError
from arkworker.storage.archives import create, extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def small_archive(directory: Path) -> bytes:
    """One of ours, with some of everything."""
    source = directory / "source"
    (source / "directory" / "empty").mkdir(parents=True)
    (source / "directory" / "text.txt").write_text("a few words")
    (source / "random.bin").write_bytes(random.Random(1).randbytes(20))
    (source / "link").symlink_to("directory/text.txt")
    create(source, directory / "small.tar.zst")
    return (directory / "small.tar.zst").read_bytes()


def outcome(archive: Path, place: Path, tree: Callable[[Path], dict[str, bytes | None]]) -> object:
    """What was extracted, or None; and nothing else is there."""
    try:
        extract(archive, place / "x")
    except ArchiveError:
        assert list(place.iterdir()) == []
        return None
    found = tree(place)
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return found


def test_every_prefix_is_refused(
    make: Any, place: Path, tmp_path: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """An upload that was cut off anywhere is not an archive."""
    whole = small_archive(tmp_path)
    accepted = [cut for cut in range(len(whole)) if outcome(make.compressed(whole[:cut]), place, tree) is not None]
    assert accepted == []


def test_every_flipped_bit_is_refused_or_harmless(
    make: Any, place: Path, tmp_path: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """One wrong bit never gives other content."""
    whole = small_archive(tmp_path)
    sound = outcome(make.compressed(whole), place, tree)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        make.made = 0  # the same file again
        assert outcome(make.compressed(bytes(damaged)), place, tree) in (None, sound)


def test_every_prefix_of_the_tar_within_sound_zstd_is_refused(
    make: Any, place: Path, tree: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """Also when it was cut before it was compressed: at each block, and within."""
    tar = make.tar(make.pax(path="a" * 120), make.Entry(b"f", b"text"), make.Entry(b"d/", kind=b"5")) + make.END
    cuts = [*range(0, len(tar), 256), 1, 511, 513, len(tar) - 1]
    accepted = [cut for cut in cuts if outcome(make.compressed(make.zstd(tar[:cut])), place, tree) is not None]
    assert accepted == []
