from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from arkworker.documents.text_file import TextFile, TextFileError, read_text_file

if TYPE_CHECKING:
    from pathlib import Path


def failure(path: object) -> TextFileError:
    with pytest.raises(TextFileError) as caught:
        read_text_file(str(path))
    return caught.value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf8_is_read_with_or_without_a_mark(tmp_path: Path, mark: bytes) -> None:
    """The text is the same with a byte order mark; the name is the one that was given."""
    path = tmp_path / "worker.yml"
    path.write_bytes(mark + "é: 1\r\n".encode())
    assert read_text_file(str(path)) == TextFile(str(path), "é: 1\r\n")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """Mounted configuration is often a link."""
    (tmp_path / "real.yml").write_text("a: 1")
    (tmp_path / "link.yml").symlink_to("real.yml")
    assert read_text_file(str(tmp_path / "link.yml")).text == "a: 1"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("a: 1\n".encode("utf-16"), (1, 1)),
        ("a: 1\n".encode("utf-16-le"), (1, 2)),
        ("a: 1\n".encode("utf-32"), (1, 1)),
        (b"a: 1\nb: \xe9t\xe9\n", (2, 4)),
        ("é: é ".encode() + b"\xff", (1, 6)),
        (b"a: \xc3", (1, 4)),
        (b"a: \xed\xa0\x80", (1, 4)),
        (b"a: 1\rb: \xff", (2, 4)),
        (b"a: 1\r\nb: \xff", (2, 4)),
    ],
)
def test_other_encodings_are_refused_with_their_line(tmp_path: Path, data: bytes, expected: tuple[int, int]) -> None:
    """UTF-16, UTF-32, Latin-1 and cut UTF-8 never become wrong characters."""
    path = tmp_path / "worker.yml"
    path.write_bytes(data)
    error = failure(path)
    assert (error.line, error.column, error.hint) == (*expected, "save it as UTF-8")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe, a socket, a device or a directory is refused at once, also behind a link."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        paths = [tmp_path / "pipe", tmp_path / "link", tmp_path / "socket", "/dev/zero", "/dev/tty"]
        for path in paths:
            assert failure(path).message == "not a regular file"
    assert failure(tmp_path).message == "a directory, not a file"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """An absent file, a broken or circular link, a path through a file and an impossible path are errors."""
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    assert failure(tmp_path / "absent").message == "no such file"
    assert failure(tmp_path / "broken").message == "no such file"
    assert failure("").message == "no such file"
    assert failure("a\0b").message.startswith("no such file")
    assert failure(tmp_path / "loop").message.startswith("cannot be read: ")
    assert failure(tmp_path / "file" / "x").message.startswith("cannot be read: ")
    assert failure(tmp_path / ("x" * 300)).message.startswith("cannot be read: ")


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """One byte more is refused, whatever size the file claims to have."""
    path = tmp_path / "worker.yml"
    path.write_text("x" * 11)
    assert read_text_file(str(path), max_bytes=11).text == "x" * 11
    with pytest.raises(TextFileError, match="larger than 10 bytes"):
        read_text_file(str(path), max_bytes=10)


def test_the_representation_holds_no_content(tmp_path: Path) -> None:
    """A file may hold secrets, and a representation ends in a log."""
    path = tmp_path / "worker.yml"
    path.write_text("password: hunter2")
    assert "hunter2" not in repr(read_text_file(str(path)))


def test_a_name_cannot_command_a_terminal(tmp_path: Path) -> None:
    """Control characters in a path are escaped in its name."""
    path = tmp_path / "a\x1b[31m\nb"
    path.write_text("")
    assert read_text_file(str(path)).name == f"{tmp_path}/a\\x1b[31m\\nb"
