"""What attempts at a share have told, in files."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.runtime.loop import attempts
from arkworker.runtime.loop.attempts import KeptChannel
from arkworker.runtime.loop.channel import Channel, Say, framed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connections() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_is_said_is_kept(tmp_path: Path, connections: tuple[socket.socket, socket.socket]) -> None:
    """Also after the process that is told has died."""
    path = attempts.begin(str(tmp_path), 7)
    ours, theirs = connections
    channel = KeptChannel(theirs, path)

    channel.say(Say.COUNT, "processed", 1, "a")
    ours.close()
    channel.say(Say.COUNT, "uncertain", 1, None)
    channel.say(Say.DONE, 143)

    (found,) = attempts.attempts_at(str(tmp_path), 7)
    expected = [(Say.COUNT, "processed", 1, "a"), (Say.COUNT, "uncertain", 1, None), (Say.DONE, 143)]
    assert (attempts.messages_of(found), attempts.ended(found), attempts.is_over(found)) == (expected, {"a"}, True)
    assert attempts.attempts_at(str(tmp_path), 7, but=path) == attempts.attempts_at(str(tmp_path), 77) == []


@pytest.mark.parametrize(
    ("content", "messages"),
    [(b"", 0), (b"\0\0", 0), (framed((Say.READY,)), 1), (framed((Say.READY,)) + framed((Say.DONE, None))[:-1], 1)],
)
def test_an_attempt_that_is_cut_off(tmp_path: Path, content: bytes, messages: int) -> None:
    """What is whole counts, and it is not over."""
    path = tmp_path / "1-a"
    path.write_bytes(content)

    assert (len(attempts.messages_of(path)), attempts.is_over(path)) == (messages, False)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It tells nothing."""
    assert (attempts.messages_of(tmp_path / "1-a"), attempts.is_over(tmp_path / "1-a")) == ([], False)


def test_a_folder_that_is_not_on_this_machine(tmp_path: Path) -> None:
    """Then there is no file, and the folder is not made."""
    assert attempts.begin(str(tmp_path / "missing"), 1) == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["", "/not/there", "/dev/full"])
def test_where_nothing_can_be_kept(path: str, connections: tuple[socket.socket, socket.socket]) -> None:
    """All is said as ever; the log tells of a disk that is full."""
    ours, theirs = connections

    KeptChannel(theirs, path).say(Say.DONE, None)

    answer: Any = Channel(ours).receive()
    assert answer == (Say.DONE, None)


def test_a_full_disk_is_told(
    connections: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with the reason."""
    channel = KeptChannel(connections[1], "/dev/full")

    channel.say(Say.READY)
    channel.say(Say.READY)

    assert caplog.messages == ["/dev/full: what this job tells cannot be kept there: No space left on device"]
