"""Archives that we create: the same bytes for the same content, and nothing in them that could not come out."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from arkworker.errors import ArchiveError
from arkworker.storage.archives import create, extract
from arkworker.storage.archives.tar import header

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tree = Callable[[Path], dict[str, bytes | None]]


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files and directories of many kinds."""
    path = tmp_path / "source"
    (path / "empty").mkdir(parents=True)
    (path / "page é").mkdir()
    (path / "page é" / "text.txt").write_text("a few words")
    (path / ("long" * 40)).write_text("long name")
    (path / "large").write_bytes(os.urandom(3_000_001))
    (path / "none").write_bytes(b"")
    (path / "run.sh").write_text("#!/bin/sh")
    (path / "run.sh").chmod(0o700)
    return path


def test_what_goes_in_comes_out(source: Path, place: Path, tree: Tree) -> None:
    """Contents, names of any length and bytes, empty directories, and who may execute."""
    (source / os.fsdecode(b"\xff\xfe\n")).mkdir()
    create(source, place / "a.tar.zst")
    extract(place / "a.tar.zst", place / "x")
    assert tree(place / "x") == tree(source)
    assert (oct((place / "x" / "run.sh").stat().st_mode), oct((place / "x" / "none").stat().st_mode)) == (
        "0o100755",
        "0o100644",
    )
    assert listing(place) == ["a.tar.zst", "x"]


def test_the_same_content_gives_the_same_bytes(source: Path, place: Path) -> None:
    """Whatever the times, the umask under which the files were written, and the number of threads."""
    create(source, place / "a", threads=1)
    for path in source.rglob("*"):
        os.utime(path, (1, 1))
    (source / "none").chmod(0o600)
    create(source, place / "b", threads=3)
    assert (place / "a").read_bytes() == (place / "b").read_bytes()


def test_it_is_one_frame_with_a_checksum(source: Path, place: Path) -> None:
    """So that any damage is found."""
    create(source, place / "a")
    data = (place / "a").read_bytes()
    decoder = zstandard.ZstdDecompressor().decompressobj()
    decoder.decompress(data)
    assert (decoder.eof, decoder.unused_data) == (True, b"")
    assert zstandard.get_frame_parameters(data).has_checksum


def test_links_within_are_kept_as_links(source: Path, place: Path, tree: Tree) -> None:
    """What a link leads to is stored once, and comes out under both names."""
    (source / "symbolic").symlink_to(source / "page é" / "text.txt")
    (source / "page é" / "over another").symlink_to("../symbolic")
    (source / "zz hard").hardlink_to(source / "large")
    create(source, place / "a")
    extract(place / "a", place / "x")
    assert tree(place / "x") == tree(source)
    assert (place / "a").stat().st_size < 3_100_000


@pytest.mark.parametrize("kind", ["outside", "directory", "dangling", "fifo", "socket", "deep"])
def test_refuses_what_could_not_be_extracted(kind: str, source: Path, place: Path, tmp_path: Path) -> None:
    """The error names it, and no archive appears."""
    (tmp_path / "secret").write_text("secret")
    if kind == "fifo":
        os.mkfifo(source / "bad")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(source / "bad"))
    elif kind == "deep":
        (source / "/".join(["d"] * 65)).mkdir(parents=True)
    else:
        (source / "bad").symlink_to({"outside": "../secret", "directory": "empty"}.get(kind, "absent"))
    with pytest.raises(ArchiveError) as caught:
        create(source, place / "a")
    assert caught.value.member == ("/".join(["d"] * 65) if kind == "deep" else "bad")
    assert listing(place) == []


def test_leaves_itself_out(source: Path) -> None:
    """An archive within its own directory does not grow from run to run."""
    create(source, source / "a.tar.zst")
    first = (source / "a.tar.zst").read_bytes()
    create(source, source / "a.tar.zst")
    assert (source / "a.tar.zst").read_bytes() == first
    assert not [name for name in listing(source) if name.startswith(".")]


def test_leaves_out_what_it_is_told_to(source: Path, place: Path) -> None:
    """With all below it, by whatever path it is named; it may be absent."""
    before = listing(source)
    (source / "left" / "out").mkdir(parents=True)
    (source / "left" / "out" / "file").touch()
    create(source, place / "a", leaving_out=[source / "." / "left", source / "absent"])
    extract(place / "a", place / "out")
    assert listing(place / "out") == before


def test_an_old_archive_stays_when_the_new_one_fails(source: Path, place: Path) -> None:
    """It is replaced when the new one is complete."""
    (place / "a").write_text("old")
    os.mkfifo(source / "zz")
    with pytest.raises(ArchiveError):
        create(source, place / "a")
    assert ((place / "a").read_text(), listing(place)) == ("old", ["a"])


def test_a_file_that_shrinks_meanwhile_is_an_error(source: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header has promised more."""
    monkeypatch.setattr(os, "readv", lambda *_: 0)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        create(source, place / "a")
    assert listing(place) == []


def test_a_file_that_grows_meanwhile_is_an_error(source: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of it may be neither its old content nor its new one."""
    read = os.readv

    def read_and_write(*arguments: Any) -> int:
        with (source / "large").open("ab") as file:
            file.write(b"more")
        return read(*arguments)

    monkeypatch.setattr(os, "readv", read_and_write)
    with pytest.raises(ArchiveError, match="member large: changed while it was read"):
        create(source, place / "a")
    assert listing(place) == []


@pytest.mark.parametrize("name", ["absent", "file"])
def test_refuses_what_is_no_directory(name: str, place: Path, tmp_path: Path) -> None:
    """One line that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="is not a directory"):
        create(tmp_path / name, place / "a")
    assert listing(place) == []


def test_writes_to_a_place_that_is_none_in_one_line(source: Path, place: Path) -> None:
    """An absent directory, or one in the place of the archive."""
    for archive in (place / "absent" / "a", place):
        with pytest.raises(ArchiveError) as caught:
            create(source, archive)
        assert str(caught.value).isprintable()


def test_sizes_beyond_octal_are_read_by_tar(tmp_path: Path) -> None:
    """A header of 9 GB says what GNU tar understands."""
    (tmp_path / "t.tar").write_bytes(header(b"big", b"0", 9 * 10**9))
    listing = subprocess.run(["tar", "-tvf", tmp_path / "t.tar"], capture_output=True, text=True, check=False).stdout
    assert "9000000000" in listing


def test_a_tree_of_a_hub_cache_survives_both_ways(place: Path, tree: Tree) -> None:
    """Create, extract, create, extract: the same bytes, the same tree."""
    hub = place / "hub"
    (hub / "blobs").mkdir(parents=True)
    (hub / "snapshots" / "1").mkdir(parents=True)
    (hub / "blobs" / "b").write_bytes(b"weights")
    (hub / "snapshots" / "1" / "model.bin").symlink_to("../../blobs/b")
    for number in range(2):
        create(hub, place / f"{number}.tar.zst")
        extract(place / f"{number}.tar.zst", place / f"{number}")
        assert tree(place / f"{number}") == tree(hub)
        hub = place / f"{number}"
