"""What is extracted, as what, up to which limit, and what else can go wrong than the archive."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ArchiveError, ExitCode
from arkworker.storage.archives import create, extract

if TYPE_CHECKING:
    from collections.abc import Callable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_get_plain_modes_whatever_archive_and_umask_say(umask: int, make: Any, place: Path) -> None:
    """0644 or 0755, and directories 0755: no set-uid, nothing that only some may read or all may write."""
    archive = make(
        make.Entry(b"d/", kind=b"5", mode=b"0007777\0"),
        make.Entry(b"d/setuid", mode=b"0006755\0"),
        make.Entry(b"d/open", mode=b"0000666\0"),
        make.Entry(b"closed/f", mode=b"0000000\0"),
    )
    before = os.umask(umask)
    try:
        extract(archive, place / "x")
    finally:
        os.umask(before)
    found = {str(path.relative_to(place)): oct(mode(path)) for path in sorted(place.rglob("*"))}
    assert found == {
        "x": "0o755",
        "x/closed": "0o755",
        "x/closed/f": "0o644",
        "x/d": "0o755",
        "x/d/open": "0o644",
        "x/d/setuid": "0o755",
    }


def test_keeps_times_that_fit(make: Any, place: Path) -> None:
    """A time stamp of the archive is the file's, where there is one that any file system can hold."""
    archive = make(make.Entry(b"f", modified=b"14524210730\0"))
    extract(archive, place / "x")
    assert (place / "x" / "f").stat().st_mtime == 0o14524210730


def test_links_become_regular_files(make: Any, place: Path, tree: Callable[[Path], dict[str, bytes | None]]) -> None:
    """As in the cache of a model hub: blobs, and symbolic links to them, before or after, over one another."""
    archive = make(
        make.Entry(b"snapshots/main/early", kind=b"2", link=b"../../blobs/1"),
        make.Entry(b"snapshots/main/chain", kind=b"2", link=b"late"),
        make.Entry(b"blobs/1", b"weights"),
        make.Entry(b"snapshots/main/late", kind=b"2", link=b"../../blobs/1"),
        make.Entry(b"copies/hard", kind=b"1", link=b"./blobs/1"),
    )
    extract(archive, place)
    files = {name: content for name, content in tree(place).items() if content is not None}
    names = ["blobs/1", "copies/hard", "snapshots/main/chain", "snapshots/main/early", "snapshots/main/late"]
    assert files == dict.fromkeys(names, b"weights")
    assert not any(path.is_symlink() for path in place.rglob("*"))


def test_copies_where_there_are_no_hard_links(make: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links gets copies, which count for the limit."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    archive = make(make.Entry(b"f", b"text", mode=b"0000755\0"), make.Entry(b"l", kind=b"1", link=b"f"))
    extract(archive, place / "x", max_bytes=8)
    assert ((place / "x" / "l").read_bytes(), mode(place / "x" / "l")) == (b"text", 0o755)
    with pytest.raises(ArchiveError, match="limit of 7 bytes"):
        extract(archive, place / "y", max_bytes=7)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_copy_that_fails_leaves_no_file_open(make: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the file that is copied, or of the copy."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    archive = make(make.Entry(b"f", b"text"), make.Entry(b"l", b"there"), make.Entry(b"l", kind=b"1", link=b"f"))
    before = open_files()
    with pytest.raises(ArchiveError, match="appears twice"):
        extract(archive, place / "x")
    assert open_files() == before


def test_an_archive_of_nothing_makes_an_empty_directory(make: Any, place: Path) -> None:
    """A tar that has just its end mark is sound."""
    extract(make(), place / "x")
    assert list((place / "x").iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_bytes": 7}, "unpacks to more than the limit of 7 bytes (by default, what leaves 1 GiB free)"),
        ({"max_members": 1}, "has more than the limit of 1 members"),
    ],
)
def test_limits_are_met_exactly(limits: dict[str, int], reason: str, make: Any, place: Path) -> None:
    """One byte or one member more than allowed is refused, and what is allowed is not."""
    archive = make(make.Entry(b"a", b"text"), make.Entry(b"b", b"text"))
    with pytest.raises(ArchiveError) as caught:
        extract(archive, place / "x", **limits)
    assert caught.value.reason == reason
    extract(archive, place / "x", **{key: value + 1 for key, value in limits.items()})
    assert len(list((place / "x").iterdir())) == 2


def test_directories_that_only_names_imply_are_limited(make: Any, place: Path) -> None:
    """A member of many levels does not make more directories than there may be members."""
    with pytest.raises(ArchiveError, match="directories"):
        extract(make(make.Entry(b"1/2/3/4/f")), place / "x", max_members=3)


def test_what_is_kept_in_mind_is_limited(make: Any, place: Path) -> None:
    """Symbolic links wait for the end of the archive, but not in unlimited memory."""
    links = [make.Entry(b"l%d" % number, kind=b"2", link=b"f") for number in range(600)]
    with pytest.raises(ArchiveError, match="memory limit"):
        extract(make(make.Entry(b"f"), *links), place / "x", max_memory=2**20)


def test_a_gibibyte_stays_free_by_default(make: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit, the disk is not filled up."""
    fields = [4096, 4096, 10**6, 10**6, 2**18, 10**6, 10**6, 10**6, 0, 255]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    with pytest.raises(ArchiveError, match="limit of 0 bytes"):
        extract(make(make.Entry(b"f", b"x")), place / "x")


def test_a_full_disk_is_an_error_of_the_archive(make: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left: one line, and all that was written goes."""

    def fill(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", fill)
    archive = make(make.Entry(b"f", b"text"))
    with pytest.raises(ArchiveError) as caught:
        extract(archive, place / "x")
    assert (caught.value.member, caught.value.reason) == ("f", "cannot be written: No space left on device")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", ["absent", "directory", "fifo", "below a file", "nul"])
def test_what_is_no_archive_is_one_line(kind: str, place: Path, tmp_path: Path) -> None:
    """Also a FIFO, for which nobody waits."""
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("")
    name = {"below a file": "file/archive", "nul": "a\0b"}.get(kind, kind)
    with pytest.raises(ArchiveError) as caught:
        extract(tmp_path / name, place / "x")
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_destination_that_can_be_none_is_one_line(path: str, make: Any, place: Path) -> None:
    """A NUL or undecodable text in a path given by a person."""
    with pytest.raises(ArchiveError) as caught:
        extract(make(make.Entry(b"f")), f"{place}/{path}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("archive", ["a" * 256, "loop", "loop/a"])
@pytest.mark.parametrize("destination", ["d" * 256, "loop", "loop/d"])
def test_paths_too_long_and_links_in_a_loop_are_one_line(
    archive: str, destination: str, make: Any, place: Path, tmp_path: Path
) -> None:
    """Of an archive, a destination and a directory to archive alike."""
    (tmp_path / "loop").symlink_to("loop")
    sound = make(make.Entry(b"f"))
    calls: tuple[Callable[[], None], ...] = (
        lambda: extract(tmp_path / archive, place / "x"),
        lambda: extract(sound, tmp_path / destination),
        lambda: create(tmp_path / archive, place / "a"),
        lambda: create(make.directory, tmp_path / destination / "a"),
    )
    for call in calls:
        with pytest.raises(ArchiveError) as caught:
            call()
        assert str(caught.value).isprintable()
    assert list(place.iterdir()) == []


def test_parents_that_can_be_made_only_in_part_are_not_left(make: Any, place: Path) -> None:
    """The first directories of a path are made before a later one proves impossible, and go again."""
    with pytest.raises(ArchiveError, match="File name too long"):
        extract(make(make.Entry(b"f")), place / "p" / ("q" * 300) / "x")
    assert list(place.iterdir()) == []


def test_a_newline_in_the_path_of_the_archive_stays_on_its_line(place: Path, tmp_path: Path) -> None:
    """The path comes from outside, too."""
    with pytest.raises(ArchiveError) as caught:
        extract(tmp_path / "a\nb", place / "x")
    assert str(caught.value).isprintable()


def test_an_interruption_leaves_nothing(make: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the midst of writing is as clean as an error."""

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extract(make(make.Entry(b"f", b"text")), place / "a" / "b")
    assert list(place.iterdir()) == []
