"""Downloads that are cut go on where they were, if that is sure to fit; whatever happens, no mixture is taken."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.emulator import Emulator, Fault
from arkworker.errors import ApiContentError, ApiResponseError, ApiUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faulty_server import Action, FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

BODY = os.urandom(200_000)
HALF = 100_000
ETAG = '"5f1c9e"'


def beginning(
    server: FaultyServer, body: bytes = BODY, *, etag: str = ETAG, headers: str = "", end: int = HALF
) -> Action:
    """A whole file is announced, and half of it comes."""
    named = f"ETag: {etag}\r\n" if etag else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{named}{headers}\r\n"
    return server.raw(head.encode() + body[:end])


def rest(
    server: FaultyServer,
    body: bytes = BODY,
    *,
    start: int = HALF,
    total: int | str | None = None,
    etag: str = ETAG,
    end: int | None = None,
) -> Action:
    content = body[start:end]
    named = {"ETag": etag} if etag else {}
    content_range = f"bytes {start}-{start + len(content) - 1}/{total or len(body)}"
    return server.reply(206, content, Content_Range=content_range, **named)


def ranges(server: FaultyServer) -> list[str | None]:
    return [request.headers.get("range") for request in server.received]


def test_a_cut_download_goes_on(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """From the byte where it was cut, of the very same version."""
    server.plays(beginning(server), rest(server))

    client.download_url(f"{server.origin}/x", tmp_path / "x", size=len(BODY), md5=hashlib.md5(BODY).hexdigest())

    assert ((tmp_path / "x").read_bytes() == BODY, ranges(server)) == (True, [None, f"bytes={HALF}-"])
    assert server.received[1].headers["if-range"] == ETAG


def test_it_goes_on_as_often_as_it_is_cut(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """Also when a part of the rest is all that comes."""
    server.plays(
        beginning(server),
        rest(server, end=HALF + 10),
        server.reply(503),
        rest(server, start=HALF + 10, end=HALF + 20),
        rest(server, start=HALF + 20),
    )

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", "bytes=100010-", "bytes=100010-", "bytes=100020-"]


def test_a_file_of_unknown_length_goes_on_too(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """The rest says how long the whole is."""
    chunk = b"%x\r\n%b\r\n" % (HALF, BODY[:HALF])
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: {ETAG}\r\n\r\n".encode()
    server.plays(server.raw(head + chunk), rest(server))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == BODY


def test_a_server_without_ranges_is_asked_for_all_of_it(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """It answers 200, or its file has become another one: the beginning is forgotten."""
    other = os.urandom(150_000)
    server.plays(beginning(server), server.reply(200, other, ETag='"other"'))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == other


@pytest.mark.parametrize("etag", ["", 'W/"5f1c9e"', "5f1c9e", '""', '"a b"', '"é"'])
def test_without_a_sure_name_of_its_version_a_file_starts_over(
    etag: str, server: FaultyServer, client: Client, tmp_path: Path
) -> None:
    """A weak ETag, or none, does not stand for the very bytes."""
    server.plays(beginning(server, etag=etag), server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert ((tmp_path / "x").read_bytes() == BODY, ranges(server)) == (True, [None, None])


def test_a_compressed_answer_starts_over(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """Its bytes are not those of the file."""
    server.plays(beginning(server, headers="Content-Encoding: gzip\r\n"), server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert ranges(server) == [None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": HALF - 1},
        {"start": HALF + 1},
        {"total": 200_001},
        {"total": "*"},
        {"etag": '"other"'},
    ],
)
def test_a_rest_that_does_not_fit_starts_over(
    wrong: dict[str, Any], server: FaultyServer, client: Client, tmp_path: Path
) -> None:
    """Another place, another length, another version: no mixture is made of it."""
    server.plays(beginning(server), rest(server, **wrong), server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert ((tmp_path / "x").read_bytes() == BODY, ranges(server)) == (True, [None, "bytes=100000-", None])


@pytest.mark.parametrize("header", ["", "bytes", "bytes */200000", "bytes 100000-199999", "lines 100000-199999/200000"])
def test_a_rest_that_does_not_say_what_it_is_starts_over(
    header: str, server: FaultyServer, client: Client, tmp_path: Path
) -> None:
    """Its bytes may be any."""
    server.plays(
        beginning(server), server.reply(206, BODY[HALF:], Content_Range=header, ETag=ETAG), server.reply(200, BODY)
    )

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == BODY


def test_a_range_that_is_refused_starts_over(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """The file has become shorter meanwhile."""
    server.plays(beginning(server), server.reply(416, Content_Range="bytes */5"), server.reply(200, b"short"))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == b"short"


def test_a_file_with_another_digest_starts_over(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """Whatever its ETag says: what does not have the promised digest is not built upon."""
    mixed = os.urandom(HALF) + BODY[HALF:]
    server.plays(beginning(server, mixed), rest(server), server.reply(200, BODY, ETag=ETAG))

    client.download_url(f"{server.origin}/x", tmp_path / "x", md5=hashlib.md5(BODY).hexdigest())

    assert ((tmp_path / "x").read_bytes() == BODY, ranges(server)) == (True, [None, "bytes=100000-", None])


def test_a_rest_that_is_longer_than_it_says_starts_over(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """In chunks, nothing else would bound it."""
    head = f"HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\nETag: {ETAG}\r\nContent-Range: bytes 100000-199999/200000"
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (HALF + 1, BODY[HALF:] + b"x")
    server.plays(beginning(server), server.raw(head.encode() + b"\r\n\r\n" + chunk), server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert ((tmp_path / "x").read_bytes() == BODY, ranges(server)) == (True, [None, "bytes=100000-", None])


def test_a_length_that_is_none_is_not_believed(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """However long it is: the end of the connection is the end of the file then."""
    server.plays(
        server.raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx"), server.reply(200, BODY)
    )

    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert (tmp_path / "x").read_bytes() in (b"x", BODY)


def test_an_access_that_ends_meanwhile_is_an_error(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """A presigned address expires; nothing half is left."""
    server.plays(beginning(server), server.reply(403))

    with pytest.raises(ApiResponseError, match="status 403"):
        client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert list(tmp_path.iterdir()) == []


def test_more_than_was_promised_is_refused_in_the_rest_too(
    server: FaultyServer, client: Client, tmp_path: Path, clock: ManualClock
) -> None:
    """The size that Arkindex knows counts, not that of the storage."""
    server.plays(beginning(server), rest(server), server.reply(200, BODY, ETag=ETAG))

    with pytest.raises(ApiContentError, match="more than the 150000 bytes"):
        client.download_url(f"{server.origin}/x", tmp_path / "x", size=150_000)

    assert (len(server.received), clock.waits, list(tmp_path.iterdir())) == (5, [3, 4, 8, 16], [])


def test_an_operation_is_asked_for_a_new_address_each_time(
    server: FaultyServer, other_server: FaultyServer, client: Client, tmp_path: Path
) -> None:
    """A presigned address may have expired; the version is still the same."""
    server.plays(
        server.redirect(f"{other_server.origin}/x?signature=1"), server.redirect(f"{other_server.origin}/x?signature=2")
    )
    other_server.plays(beginning(other_server), rest(other_server))

    client.download("DownloadExport", tmp_path / "x", id="1")

    assert (tmp_path / "x").read_bytes() == BODY
    assert [request.target for request in other_server.received] == ["/x?signature=1", "/x?signature=2"]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.add_corpus()
        yield emulator


def test_every_cut_of_an_emulated_storage_is_survived(
    emulator: Emulator, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """Half of what is left comes each time: the fifth attempt brings the rest."""
    run = emulator.add_worker_run(elements=[])
    task = emulator.tasks(run)[0].id
    emulator.add_artifact(task, "db.sqlite", BODY)
    emulator.faults.add("GetFile", Fault.cut(), times=4)
    before = emulator.ledger.count
    client = make_client(emulator.url, connection={"token": emulator.token})

    client.download("DownloadArtifact", tmp_path / "db.sqlite", size=len(BODY), id=task, path="db.sqlite")

    assert (tmp_path / "db.sqlite").read_bytes() == BODY
    calls = emulator.ledger.calls("GetFile", after=before)
    offsets = [int(call.headers.get("range", "bytes=0-")[6:-1]) for call in calls]
    assert (len(offsets), offsets == sorted(offsets), offsets[-1] > HALF) == (5, True, True)


def test_an_emulated_storage_that_is_always_cut_leaves_nothing(
    emulator: Emulator, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """Five attempts bring thirty-one parts of thirty-two: not a whole file."""
    export = emulator.add_export(BODY)
    emulator.faults.add("GetFile", Fault.cut(reset=True))
    client = make_client(emulator.url, connection={"token": emulator.token})

    with pytest.raises((ApiUnavailableError, ApiContentError)):
        client.download("DownloadExport", tmp_path / "x", id=export)

    emulator.faults.clear()
    assert list(tmp_path.iterdir()) == []
