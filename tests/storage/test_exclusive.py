"""What one process has to itself: files that are appended to, private directories, and what is not a regular file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.storage.exclusive import AppendedFile, open_regular, private_directory

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("name", ["pipe", "folder", "socket", "/dev/null"])
def test_open_regular_refuses(tmp_path: Path, name: str) -> None:
    """What is not a regular file is refused at once."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    with pytest.raises(OSError, match="not a"):
        open_regular(tmp_path / name)


def test_appended_file_is_continued(tmp_path: Path) -> None:
    """What is there stays, what is cut goes, what is appended follows."""
    (tmp_path / "file").write_bytes(b"one\ntw")
    file = AppendedFile(tmp_path / "file")
    with file.reader() as reader:
        assert reader.read() == b"one\ntw"
    file.cut(4)
    file.append(b"two\n")
    file.append(b"three\n", sync=False)
    file.close()
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\nthree\n"


def test_appended_file_has_one_writer(tmp_path: Path) -> None:
    """A second one is refused until the first lets go."""
    first = AppendedFile(tmp_path / "file")
    with pytest.raises(BlockingIOError):
        AppendedFile(tmp_path / "file")
    first.close()
    AppendedFile(tmp_path / "file").close()


def test_a_copy_of_its_descriptor_keeps_nobody_out(tmp_path: Path) -> None:
    """Such as that of a process that user code has forked, which may outlive the writer."""
    file = AppendedFile(tmp_path / "file")
    descriptor = os.dup(file._descriptor)
    file.close()
    AppendedFile(tmp_path / "file").close()
    os.close(descriptor)


def test_a_piece_is_appended_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk the file is as it was before the piece, and can be appended to."""
    file = AppendedFile(tmp_path / "file")
    file.append(b"one\n")
    with monkeypatch.context() as patch:

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            file.append(b"lost\n")
    file.append(b"two\n")
    file.close()
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("befall", "reason"),
    [
        (lambda path, _: path.unlink(), "it was removed or renamed meanwhile"),
        (lambda path, _: (path.unlink(), path.write_bytes(b"mine")), "another file was put in its place"),
        (lambda path, _: path.write_bytes(b""), "another program has changed it"),
        (lambda path, number: os.dup2(os.open(path, os.O_RDONLY | os.O_DIRECTORY), number), "Bad file descriptor"),
    ],
    ids=["removed", "replaced", "emptied", "closed"],
)
def test_what_cannot_be_found_again_is_an_error(
    tmp_path: Path, befall: Callable[[Path, int], object], reason: str
) -> None:
    """The kernel writes on to a file without a name, or behind a hole, and says nothing."""
    file = AppendedFile(tmp_path / "file")
    file.append(b"one\n")
    befall(tmp_path if reason.startswith("Bad") else tmp_path / "file", file._descriptor)

    with pytest.raises(OSError, match=reason):
        file.append(b"lost\n")

    file.close()


def test_a_private_directory_that_another_process_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is locked, it looks like what a killed process left."""
    mkdir = Path.mkdir
    made = []

    def made_and_removed(path: Path, **options: Any) -> None:
        mkdir(path, **options)
        made.append(path)
        if len(made) == 1:
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", made_and_removed)
    with private_directory(tmp_path, "build-") as directory:
        (directory / "file").touch()

    assert made[1:] == [directory]
    assert list(tmp_path.iterdir()) == []
