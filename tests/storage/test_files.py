"""Replacing a file whole, whatever its name leads to."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from arkworker.storage import files
from arkworker.storage.files import Identity, check_replaceable, identity, move, replace


def _listed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_replace_leaves_one_file(tmp_path: Path) -> None:
    """The content is there, and nothing beside it."""
    (tmp_path / "file").write_bytes(b"a longer content")
    replace(tmp_path / "file", b"new")
    assert _listed(tmp_path) == {"file": b"new"}


def test_replace_follows_links(tmp_path: Path) -> None:
    """Links, also to links and to files that are still to be made, stay and lead to the new content."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "file").write_bytes(b"old")
    (tmp_path / "second").symlink_to("shared/file")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    (tmp_path / "dangling").symlink_to("shared/absent")

    replace(tmp_path / "first", b"new")
    replace(tmp_path / "dangling", b"made")

    assert [(tmp_path / name).is_symlink() for name in ("first", "second", "dangling")] == [True] * 3
    assert _listed(tmp_path / "shared") == {"absent": b"made", "file": b"new"}


def test_replace_refuses_links_in_a_circle(tmp_path: Path) -> None:
    """Links that lead nowhere are an error, and stay."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        replace(tmp_path / "a", b"content")
    assert (tmp_path / "a").is_symlink()


def test_replace_keeps_permissions(tmp_path: Path) -> None:
    """The new file has the permissions of the one that it replaces; a first one follows the umask."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o640)
    before = os.umask(0o027)
    try:
        replace(tmp_path / "file", b"new")
        replace(tmp_path / "first", b"new")
        replace(tmp_path / "secret", b"new", mode=0o600)
    finally:
        os.umask(before)
    assert [_mode(tmp_path / name) for name in ("file", "first", "secret")] == [0o640, 0o640, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")
def test_replace_keeps_the_owner(tmp_path: Path) -> None:
    """What another user's file is replaced with is that user's."""
    (tmp_path / "file").write_bytes(b"old")
    os.chown(tmp_path / "file", 1234, 2345)
    replace(tmp_path / "file", b"new")
    status = (tmp_path / "file").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def test_pipes_are_written_through(tmp_path: Path) -> None:
    """More than a pipe holds reaches a slow reader, and the pipe stays one."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-c", "import sys; print(len(open(sys.argv[1], 'rb').read()))", str(tmp_path / "pipe")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        descriptor = os.open(tmp_path / "pipe", os.O_WRONLY)  # waits until it is there
        replace(tmp_path / "pipe", bytes(1_000_000))
        os.close(descriptor)
        told, _ = reader.communicate()
    assert told == "1000000\n"
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    """It is told; nothing waits, and nothing is replaced."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no process reads this pipe"):
        replace(tmp_path / "pipe", b"content")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_device_is_an_error() -> None:
    """A device is written to, and what it says is told."""
    with pytest.raises(OSError, match="No space left"):
        replace("/dev/full", b"content")
    assert Path("/dev/full").is_char_device()


WRITE = "import sys; from arkworker.storage.files import replace; print('first'); replace(sys.argv[1], b'second\\n')"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "log"])
def test_standard_output_is_written_through(tmp_path: Path, name: str) -> None:
    """Under each of its names, also where it goes to a file: after what is there, and after what was printed."""
    (tmp_path / "log").write_bytes(b"before\n")
    (tmp_path / "link").symlink_to("/dev/stdout")
    with (tmp_path / "log").open("ab") as log:
        subprocess.run([sys.executable, "-c", WRITE, name], cwd=tmp_path, stdout=log, check=True)
    assert (tmp_path / "log").read_bytes() == b"before\nfirst\nsecond\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]


def test_an_open_file_of_ours_is_written_through(tmp_path: Path) -> None:
    """As a shell names what a process substitution gives."""
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"before ")
        file.flush()
        replace(f"/dev/fd/{file.fileno()}", b"after")
    assert _listed(tmp_path) == {"file": b"before after"}


MISTAKES = {
    "absent/file": "there is no directory {folder}/absent",
    "folder": "is a directory, not a file",
    "file/below": "Not a directory",
    "n" * 300: "File name too long",
    "nul\0": "the path holds a NUL character",
}


@pytest.mark.parametrize(("name", "reason"), MISTAKES.items(), ids=[repr(name)[:20] for name in MISTAKES])
def test_what_cannot_be_replaced(tmp_path: Path, name: str, reason: str) -> None:
    """Each mistake has one message, at the check before as at the write; nothing is left."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    for attempt in (check_replaceable, lambda path: replace(path, b"new")):
        with pytest.raises(OSError, match=re.escape(reason.format(folder=tmp_path))):
            attempt(f"{tmp_path}/{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk the old content is there, and nothing else."""
    (tmp_path / "file").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace(tmp_path / "file", b"new")
    assert _listed(tmp_path) == {"file": b"old"}


def test_errors_of_the_block_are_its_own(tmp_path: Path) -> None:
    """An error of the code that gives the content is not taken for one of the file."""
    with pytest.raises(FileNotFoundError, match="of the block"), files.replacing(tmp_path / "file"):
        raise FileNotFoundError("of the block")
    assert _listed(tmp_path) == {}


@pytest.mark.parametrize("call", ["open", "rename"])
def test_a_file_that_has_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A single file mounted into a container is written in place."""
    (tmp_path / "file").write_bytes(b"a longer content")

    def refuse(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    target, name = (files, "private_directory") if call == "open" else (Path, "replace")
    monkeypatch.setattr(target, name, refuse)
    check_replaceable(tmp_path / "file")
    replace(tmp_path / "file", b"new")
    assert _listed(tmp_path) == {"file": b"new"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """A temporary file without its lock goes with the next write beside it; one in use stays."""
    with files.replacing(tmp_path / "file"):
        (used,) = tmp_path.iterdir()
        left = tmp_path / re.sub(r"\w+$", "0123456789abcdef", used.name)
        left.mkdir()
        (left / "whole").write_bytes(b"half")
        replace(tmp_path / "file", b"second")
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted((used.name, "file"))


def test_the_check_changes_nothing(tmp_path: Path) -> None:
    """Neither what is there nor what is not."""
    (tmp_path / "file").write_bytes(b"old")
    before = (tmp_path / "file").stat()
    check_replaceable(tmp_path / "file")
    check_replaceable(tmp_path / "absent")
    check_replaceable("/dev/null")
    assert _listed(tmp_path) == {"file": b"old"}
    assert (tmp_path / "file").stat().st_ino == before.st_ino


def test_move_keeps_links_and_permissions(tmp_path: Path) -> None:
    """A file that was built elsewhere takes the place of the one behind a link."""
    (tmp_path / "built").write_bytes(b"new")
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o604)
    (tmp_path / "link").symlink_to("file")
    move(tmp_path / "built", tmp_path / "link")
    assert _listed(tmp_path) == {"file": b"new", "link": b"new"}
    assert (_mode(tmp_path / "file"), (tmp_path / "link").is_symlink()) == (0o604, True)


def test_move_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    """A stream is not replaced."""
    (tmp_path / "built").write_bytes(b"new")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a regular file"):
        move(tmp_path / "built", tmp_path / "pipe")


def test_identity_does_not_depend_on_spelling(tmp_path: Path) -> None:
    """Links of both kinds, dots, and files that do not exist yet; a directory that does not exist has none."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "hard").hardlink_to(tmp_path / "file")
    (tmp_path / "soft").symlink_to("file")
    (tmp_path / "folder").symlink_to(".")
    same = {identity(f"{tmp_path}/{name}") for name in ("file", "hard", "soft", "folder/file", "./file")}
    coming = {identity(f"{tmp_path}/{name}") for name in ("coming", "folder/coming")}
    status = tmp_path.stat()
    assert len(same) == 1
    assert coming == {Identity(status.st_dev, status.st_ino, "coming")}
    assert identity(tmp_path / "absent" / "file") is identity("nul\0") is None


def test_a_pipe_is_looked_at_before(tmp_path: Path) -> None:
    """The check reports a pipe that nobody reads; a process that reads one does not take the check for the end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no process reads this pipe"):
        check_replaceable(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    check_replaceable(tmp_path / "pipe")
    with pytest.raises(BlockingIOError):  # no end yet
        os.read(reader, 1)
    replace(tmp_path / "pipe", b"content")
    assert (os.read(reader, 9), os.read(reader, 9)) == (b"content", b"")
    os.close(reader)


def test_a_pipe_whose_descriptor_user_code_closed(tmp_path: Path) -> None:
    """It is opened again, and what has its number now is left alone."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other").write_bytes(b"other")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    before = set(Path("/dev/fd").iterdir())
    check_replaceable(tmp_path / "pipe")
    (kept,) = {path for path in Path("/dev/fd").iterdir() if path.exists()} - before
    os.close(int(kept.name))
    other = os.open(tmp_path / "other", os.O_RDWR)
    replace(tmp_path / "pipe", b"content")
    assert (os.read(reader, 9), (tmp_path / "other").read_bytes()) == (b"content", b"other")
    os.close(other)
    os.close(reader)


@pytest.mark.parametrize("name", ["/dev/full", "/dev/fd/{}"])
def test_a_full_device_is_told_before(name: str) -> None:
    """Under each of its names."""
    with Path("/dev/full").open("wb") as full, pytest.raises(OSError, match="No space left"):
        check_replaceable(name.format(full.fileno()))
