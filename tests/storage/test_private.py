from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from arkworker.storage.private import make_private_directory, write_private

if TYPE_CHECKING:
    from pathlib import Path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o277])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    """Directories are 0700 and files 0600 under any umask."""
    before = os.umask(umask)
    try:
        write_private(tmp_path / "a" / "b" / "file", b"content")
    finally:
        os.umask(before)
    modes = [_mode(tmp_path / name) for name in ("a", "a/b", "a/b/file")]
    assert modes == [0o700, 0o700, 0o600]


def test_existing_directories_keep_their_mode(tmp_path: Path) -> None:
    """Only what is made is given a mode."""
    (tmp_path / "a").mkdir(mode=0o755)
    make_private_directory(tmp_path / "a" / "b")
    assert _mode(tmp_path / "a") == 0o755


def test_a_file_where_a_directory_belongs_is_an_error(tmp_path: Path) -> None:
    """A file is not replaced by a directory."""
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        write_private(tmp_path / "a" / "file", b"content")


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk the old content is there, and nothing else."""
    write_private(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Temporary files of more than an hour ago go with the next write; younger ones may be in use."""
    for name, age in ((".arkworker-old", 7200), (".arkworker-young", 60)):
        path = tmp_path / name
        path.write_bytes(b"")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    write_private(tmp_path / "file", b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".arkworker-young", "file"]
