"""What the processes of a run say to each other."""

from __future__ import annotations

import os
import pickle
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ApiError, ArkworkerError
from arkworker.runtime.loop.channel import Channel, Inbox, Say, send

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def heard(inbox: Inbox) -> list[Any]:
    return [pickle.loads(message) for message in inbox.read()]


def test_messages_arrive_whole_and_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    """Also where several have come, the last of them in part."""
    ours, theirs = ends
    inbox = Inbox(ours)
    third = pickle.dumps("three")
    send(theirs, "one")
    send(theirs, "two")
    theirs.sendall(len(third).to_bytes(8) + third[:3])

    first = heard(inbox)
    theirs.sendall(third[3:])

    assert (first, heard(inbox), inbox.is_open) == (["one", "two"], ["three"], True)


@pytest.mark.parametrize("part", [b"\0\0\0", (1000).to_bytes(8) + b"half"])
def test_half_a_message_keeps_nobody_waiting(ends: tuple[socket.socket, socket.socket], part: bytes) -> None:
    """Who began it may have been killed, while a process of user code holds the socket open."""
    ours, theirs = ends
    theirs.sendall(part)
    inbox = Inbox(ours)

    assert (heard(inbox), inbox.is_open) == ([], True)
    theirs.close()
    assert (heard(inbox), inbox.is_open) == ([], False)


def test_a_time_limit_that_user_code_has_set_for_all_sockets() -> None:
    """It would end the order to a process that is slow to start, in the middle."""
    socket.setdefaulttimeout(0.001)
    try:
        ours, theirs = socket.socketpair()
    finally:
        socket.setdefaulttimeout(None)
    with ours, theirs:
        Inbox(ours), Channel(theirs)

        assert (ours.gettimeout(), theirs.gettimeout()) == (None, None)


def test_a_parent_that_is_no_more(ends: tuple[socket.socket, socket.socket]) -> None:
    """Nothing is told, and there is no answer; nothing fails."""
    ours, theirs = ends
    channel = Channel(theirs)
    ours.close()

    channel.say(Say.READY)

    assert (channel.ask(Say.TAKE), channel.receive()) == (None, None)


def test_a_process_that_user_code_has_forked(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing: a lock that another thread held at that moment is never free there."""
    ours, theirs = ends
    channel = Channel(theirs)
    with ThreadPoolExecutor(1) as other:
        other.submit(channel._lock.acquire).result()
        monkeypatch.setattr(os, "getpid", lambda: -1)

        channel.say(Say.READY)

        assert channel.ask(Say.TAKE) is None
    theirs.close()
    assert heard(Inbox(ours)) == []


def test_an_answer(ends: tuple[socket.socket, socket.socket]) -> None:
    """A question is answered with one message."""
    ours, theirs = ends
    send(ours, ("id", None))

    assert Channel(theirs).ask(Say.TAKE) == ("id", None)
    assert heard(Inbox(ours)) == [(Say.TAKE,)]


class ForeignError(ApiError):
    """An error that cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


def test_an_error_that_does_not_travel(ends: tuple[socket.socket, socket.socket]) -> None:
    """Its message and its exit code do."""
    ours, theirs = ends
    error = ForeignError("Op", "out of reach")

    Channel(theirs).say_broken(error)

    [(what, told, trace)] = heard(Inbox(ours))
    assert (what, type(told), str(told), told.exit_code, trace) == (
        Say.BROKEN,
        ArkworkerError,
        str(error),
        error.exit_code,
        None,
    )


def test_signals_are_heard_again_after_a_message(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler may raise in the very call that blocks signals."""
    _, theirs = ends
    whole = signal.pthread_sigmask

    def interrupted(how: int, numbers: Any) -> Any:
        before = whole(how, numbers)
        if how == signal.SIG_BLOCK and numbers:
            raise KeyboardInterrupt
        return before

    before = whole(signal.SIG_BLOCK, ())
    monkeypatch.setattr(signal, "pthread_sigmask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Channel(theirs).say(Say.READY)

    assert whole(signal.SIG_BLOCK, ()) == before
