"""Parts of files as bodies of requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from arkworker.errors import ArkworkerError
from arkworker.transport.transport import Slice

if TYPE_CHECKING:
    from pathlib import Path

    from faulty_server import FaultyServer

    from arkworker.arkindex.client import Client

BODY = os.urandom(100_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "file.bin"
    source.write_bytes(BODY)
    return source


def test_a_slice_reads_its_bytes_only(source: Path) -> None:
    """Whatever is asked for at a time; then it is at its end."""
    with source.open("rb") as file:
        file.seek(10)
        part = Slice(file, 20)
        assert [part.read(15), part.read(15), part.read(15), part.read()] == [BODY[10:25], BODY[25:30], b"", b""]


def test_a_slice_reads_all_of_it_at_once(source: Path) -> None:
    """As files do when no count is given."""
    with source.open("rb") as file:
        assert Slice(file, 20).read() == BODY[:20]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 100_000), (0, 1), (99_999, 1), (30_000, 40_000), (50_000, None), (100_000, None)]
)
def test_a_part_of_a_file_is_uploaded(
    offset: int, length: int | None, server: FaultyServer, client: Client, source: Path
) -> None:
    """With its own length, and with no type unless one is given."""
    client.upload_url(f"{server.origin}/x", source, offset=offset, length=length)

    end = len(BODY) if length is None else offset + length
    request = server.received[0]
    assert (request.body == BODY[offset:end], int(request.headers["content-length"])) == (True, end - offset)
    assert "content-type" not in request.headers


@pytest.mark.parametrize(("offset", "length"), [(0, 100_001), (99_999, 2), (100_001, None), (0, -1)])
def test_a_part_that_a_file_does_not_have_is_one_line(
    offset: int, length: int | None, server: FaultyServer, client: Client, source: Path
) -> None:
    """Before anything is sent."""
    with pytest.raises(ArkworkerError, match=r"file\.bin: shorter than the part"):
        client.upload_url(f"{server.origin}/x", source, offset=offset, length=length)

    assert server.received == []


def test_a_file_that_shrinks_while_it_is_sent_is_one_line(source: Path) -> None:
    """Instead of a server that waits for the bytes that were announced."""
    with source.open("rb", buffering=0) as file:
        part = Slice(file, 100_000)
        part.read(10)
        os.truncate(source, 20)
        part.read(50_000)
        with pytest.raises(ArkworkerError, match="became shorter while it was sent"):
            part.read(50_000)


def test_each_attempt_sends_the_whole_part(server: FaultyServer, client: Client, source: Path) -> None:
    """Not what an earlier one left of it."""
    server.plays(server.cut(b""), server.reply(200))

    client.upload_url(f"{server.origin}/x", source, offset=10, length=50_000)

    assert [request.body == BODY[10:50_010] for request in server.received] == [True, True]
