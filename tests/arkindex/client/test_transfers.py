"""Files: streamed, whole or not at all, and with credentials for nobody but the instance."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from arkworker.errors import (
    ApiContentError,
    ApiError,
    ApiResponseError,
    ApiUnavailableError,
    ArkworkerError,
    ReadOnlyError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

BODY = os.urandom(200_000)
REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
CREDENTIALS = {"authorization", "cookie", "x-csrftoken", "referer"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already."""
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    return target


def assert_untouched(target: Path) -> None:
    assert (target.read_bytes(), os.listdir(target.parent)) == (b"old", ["file.bin"])  # noqa: PTH208 - names, any


def test_a_download_replaces_the_file(server: FaultyServer, client: Client, target: Path) -> None:
    """And leaves nothing beside it."""
    server.plays(server.reply(200, BODY))

    written = client.download("DownloadArtifact", target, id="1", path="a/b.bin")

    assert (written, target.read_bytes(), os.listdir(target.parent)) == (target, BODY, ["file.bin"])  # noqa: PTH208
    assert server.received[0].path == "/api/v1/task/1/artifact/a%2Fb.bin"
    assert server.received[0].headers["authorization"] == "Token canary-5f1c9e"


def test_a_downloaded_file_can_be_read_by_others(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """As the umask says, not as a temporary file."""
    mask = os.umask(0o022)
    try:
        client.download_url(f"{server.origin}/x", tmp_path / "x")
    finally:
        os.umask(mask)

    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_download_carries_no_credentials(
    status: int, server: FaultyServer, other_server: FaultyServer, client: Client, target: Path
) -> None:
    """Another port of the same host is another place; cookies stay at home too."""
    server.plays(
        server.json({}, Set_Cookie="sessionid=canary; Path=/"),
        server.redirect(f"{other_server.origin}/bucket/x?X-Amz-Signature=abc", status),
    )
    other_server.plays(server.reply(200, BODY))

    client.request("RetrieveElement", id="1")
    client.download("DownloadExport", target, id="1")

    assert "cookie" in server.received[1].headers
    assert (target.read_bytes(), other_server.received[0].headers.keys() & CREDENTIALS) == (BODY, set())
    assert other_server.received[0].target == "/bucket/x?X-Amz-Signature=abc"


def test_a_redirect_back_carries_no_credentials_either(
    server: FaultyServer, other_server: FaultyServer, client: Client, target: Path
) -> None:
    """Whoever sent us there does not get them by a detour."""
    server.plays(server.redirect(f"{other_server.origin}/x"), server.reply(200, BODY))
    other_server.plays(server.redirect(f"{server.origin}/stolen"))

    client.download("DownloadExport", target, id="1")

    assert (server.received[1].path, server.received[1].headers.keys() & CREDENTIALS) == ("/stolen", set())


def test_an_address_gets_no_credentials(server: FaultyServer, client: Client, target: Path) -> None:
    """Not even one of the instance: it may be anybody's."""
    server.plays(server.reply(200, BODY))

    client.download_url(f"{server.origin}/x?sig=abc", target)

    assert server.received[0].headers.keys() & CREDENTIALS == set()


def test_cookies_of_a_storage_are_not_kept(server: FaultyServer, client: Client, target: Path) -> None:
    """It is a stranger."""
    server.plays(server.reply(200, BODY, Set_Cookie="spy=1; Path=/"), server.json({}))

    client.download_url(f"{server.origin}/x", target)
    client.request("RetrieveElement", id="1")

    assert "cookie" not in server.received[1].headers


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://a.org/x", "gopher://a", "http://", "http://[::1", "javascript:x", "//"]
)
def test_a_download_is_redirected_to_web_addresses_only(
    location: str, server: FaultyServer, client: Client, target: Path
) -> None:
    """Never into the local disk."""
    server.plays(server.redirect(location))

    with pytest.raises(ApiError):
        client.download("DownloadExport", target, id="1")

    assert_untouched(target)


def test_redirects_of_a_download_end(server: FaultyServer, client: Client, target: Path, clock: ManualClock) -> None:
    """A loop is an error at once."""
    server.plays(server.redirect("/again"))

    with pytest.raises(ApiError, match="redirects"):
        client.download("DownloadExport", target, id="1")

    assert (len(server.received), clock.waits) == (6, [])
    assert_untouched(target)


@pytest.mark.parametrize(
    "lost",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\nhalf",
        b"",
    ],
)
def test_a_lost_download_starts_over(lost: bytes, server: FaultyServer, client: Client, target: Path) -> None:
    """And a half file is never taken for a whole one."""
    server.plays(server.raw(lost), server.cut(lost), server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", target)

    assert target.read_bytes() == BODY


def test_a_download_that_stays_lost_leaves_the_file(
    server: FaultyServer, client: Client, target: Path, clock: ManualClock
) -> None:
    """Five attempts, then an error; nothing else changed."""
    server.plays(server.cut())

    with pytest.raises(ApiUnavailableError):
        client.download_url(f"{server.origin}/x", target)

    assert clock.waits == [3, 4, 8, 16]
    assert_untouched(target)


def test_a_download_that_stalls_is_given_up(
    server: FaultyServer, make_client: Callable[..., Client], target: Path
) -> None:
    """No byte within the read limit."""
    client = make_client(server.origin, connection={"read_timeout": 0.05})
    server.plays(server.stall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"))

    with pytest.raises(ApiUnavailableError, match="stalled"):
        client.download_url(f"{server.origin}/x", target)

    assert_untouched(target)


@pytest.mark.parametrize("status", [204, 206, 304, 300])
def test_a_download_needs_a_whole_answer(status: int, server: FaultyServer, client: Client, target: Path) -> None:
    """A part that nobody asked for is not the file."""
    server.plays(server.raw(f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode()))

    with pytest.raises(ApiContentError):
        client.download_url(f"{server.origin}/x", target)

    assert_untouched(target)


def test_a_refused_download_says_the_status_only(server: FaultyServer, client: Client, target: Path) -> None:
    """The error of a storage repeats the signature that it refuses."""
    server.plays(server.reply(403, b"<Error><StringToSign>canary</StringToSign></Error>"))

    with pytest.raises(ApiResponseError) as caught:
        client.download_url(f"{server.origin}/x?sig=abc", target)

    assert str(caught.value) == f"GET {server.origin}/x?… (status 403): Told"
    assert_untouched(target)


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1, 0])
def test_a_file_of_another_size_is_refused(size: int, server: FaultyServer, client: Client, target: Path) -> None:
    """Also when the answer itself was whole."""
    server.plays(server.reply(200, BODY))

    with pytest.raises(ApiContentError, match="announced"):
        client.download_url(f"{server.origin}/x", target, size=size)

    assert_untouched(target)


def test_a_file_with_another_digest_is_refused(server: FaultyServer, client: Client, target: Path) -> None:
    """A damaged archive is not installed."""
    server.plays(server.reply(200, BODY))

    with pytest.raises(ApiContentError, match="MD5"):
        client.download_url(f"{server.origin}/x", target, md5="0" * 32)

    assert_untouched(target)


def test_a_file_as_promised_is_taken(server: FaultyServer, client: Client, target: Path) -> None:
    """Size and digest, in either case of letters."""
    server.plays(server.reply(200, BODY))

    client.download_url(f"{server.origin}/x", target, size=len(BODY), md5=hashlib.md5(BODY).hexdigest().upper())

    assert target.read_bytes() == BODY


def test_a_compressed_answer_is_decompressed(server: FaultyServer, client: Client, target: Path) -> None:
    """Although it was not asked for."""
    server.plays(server.reply(200, gzip.compress(BODY), Content_Encoding="gzip"))

    client.download_url(f"{server.origin}/x", target)

    assert target.read_bytes() == BODY


def test_a_compressed_answer_that_is_cut_is_tried_again(server: FaultyServer, client: Client, target: Path) -> None:
    """Although it has the length that it announces: some proxy was given no more."""
    whole = gzip.compress(BODY)
    server.plays(*(server.reply(200, body, Content_Encoding="gzip") for body in (whole[: len(whole) // 2], whole)))

    client.download_url(f"{server.origin}/x", target)

    assert (target.read_bytes() == BODY, len(server.received)) == (True, 2)


def test_a_full_disk_is_one_line(
    server: FaultyServer, client: Client, target: Path, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    """No retry, no leftover, the path and the reason."""

    def fill(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    server.plays(server.reply(200, BODY))
    monkeypatch.setattr(os, "fsync", fill)

    with pytest.raises(ArkworkerError, match=r"file\.bin: No space left on device") as caught:
        client.download_url(f"{server.origin}/x", target)

    assert (type(caught.value), clock.waits) == (ArkworkerError, [])
    assert_untouched(target)


@pytest.mark.parametrize("name", ["missing/file", "there"])
def test_a_place_that_cannot_be_written_is_one_line(
    name: str, server: FaultyServer, client: Client, tmp_path: Path
) -> None:
    """A directory that is not there, or that stands in the way."""
    (tmp_path / "there").mkdir()
    server.plays(server.reply(200, BODY))

    with pytest.raises(ArkworkerError, match=name):
        client.download_url(f"{server.origin}/x", tmp_path / name)

    assert os.listdir(tmp_path) == ["there"]  # noqa: PTH208 - names, any


def test_a_name_may_be_as_long_as_it_can(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """The temporary name is not made of it."""
    server.plays(server.reply(200, BODY))

    assert client.download_url(f"{server.origin}/x", tmp_path / ("x" * 255)).stat().st_size == len(BODY)


DOWNLOADING = """
import sys
from pathlib import Path
from arkworker.arkindex.client import Client, Connection
Client(Connection(url=sys.argv[1])).download_url(sys.argv[1] + "/x", Path(sys.argv[2]))
"""


def test_a_killed_download_leaves_the_file_and_is_cleaned_up(
    server: FaultyServer, client: Client, target: Path
) -> None:
    """SIGKILL in the middle: the file is as it was, and the next download removes what is left."""
    server.plays(server.stall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"), server.reply(200, BODY))
    process = subprocess.Popen([sys.executable, "-c", DOWNLOADING, server.origin, str(target)])
    deadline = time.monotonic() + 30
    while not server.received and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert (target.read_bytes(), len(list(target.parent.iterdir()))) == (b"old", 2)

    client.download_url(f"{server.origin}/x", target)

    assert (target.read_bytes(), list(target.parent.iterdir())) == (BODY, [target])


def test_what_does_not_read_downloads_nothing(client: Client, target: Path) -> None:
    """A POST has no file."""
    with pytest.raises(UsageError, match="does not download a file"):
        client.download("StartExport", target, id="1")


def test_an_upload_is_streamed_without_credentials(server: FaultyServer, client: Client, target: Path) -> None:
    """The address is its own permission; the caller gets the headers of the answer."""
    target.write_bytes(BODY)
    server.plays(server.reply(200, ETag='"abc"'))

    headers = client.upload_url(
        f"{server.origin}/x?sig=abc", target, content_type="application/zstd", headers={"Content-MD5": "m"}
    )

    request = server.received[0]
    assert (headers["etag"], request.method, request.body, request.target) == ('"abc"', "PUT", BODY, "/x?sig=abc")
    assert request.headers.keys() & CREDENTIALS == set()
    assert (request.headers["content-type"], request.headers["content-md5"]) == ("application/zstd", "m")


def test_a_header_is_sent_once(server: FaultyServer, client: Client, target: Path) -> None:
    """One that is given takes the place of our own, in whatever case it is written."""
    target.write_bytes(BODY)

    client.upload_url(f"{server.origin}/x", target, headers={"user-agent": "mine", "CONTENT-type": "text/plain"})

    headers = server.received[0].headers
    assert (headers["user-agent"], headers["content-type"]) == ("mine", "text/plain")


def test_an_empty_file_is_uploaded(server: FaultyServer, client: Client, target: Path) -> None:
    """With its length, which is 0."""
    target.write_bytes(b"")

    client.upload_url(f"{server.origin}/x", target, content_type="text/plain")

    assert server.received[0].headers["content-length"] == "0"


def test_a_lost_upload_starts_over(server: FaultyServer, client: Client, target: Path, clock: ManualClock) -> None:
    """A PUT may be repeated, and each attempt sends the whole file."""
    target.write_bytes(BODY)
    server.plays(server.cut(b""), server.reply(503), server.reply(200))

    client.upload_url(f"{server.origin}/x", target, content_type="text/plain")

    assert ([request.body == BODY for request in server.received], clock.waits) == ([True] * 3, [3, 4])


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 403])
def test_a_refused_upload_is_an_error(status: int, server: FaultyServer, client: Client, target: Path) -> None:
    """A redirect too: the bytes went nowhere."""
    server.plays(server.reply(status, b"<StringToSign>canary", Location="/y"))

    with pytest.raises(ApiError) as caught:
        client.upload_url(f"{server.origin}/x?sig=abc", target, content_type="text/plain")

    assert ("canary" in str(caught.value), "abc" in str(caught.value), len(server.received)) == (False, False, 1)


def test_nothing_is_uploaded_in_read_only_mode(
    server: FaultyServer, make_client: Callable[..., Client], target: Path
) -> None:
    """An upload writes."""
    with pytest.raises(ReadOnlyError):
        make_client(server.origin, read_only=True).upload_url(server.origin, target, content_type="text/plain")

    assert server.received == []


def test_only_regular_files_are_uploaded(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """A pipe would be waited for."""
    os.mkfifo(tmp_path / "pipe")

    reasons = {"pipe": "is not a regular file", ".": "is a directory, not a file", "a\0b": "holds a NUL character"}
    for name, reason in reasons.items():
        with pytest.raises(ArkworkerError, match=reason):
            client.upload_url(server.origin, tmp_path / name, content_type="text/plain")

    assert server.received == []


def test_a_file_that_cannot_be_read_is_one_line(server: FaultyServer, client: Client, tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(ArkworkerError, match="No such file"):
        client.upload_url(server.origin, tmp_path / "missing", content_type="text/plain")

    assert server.received == []


@pytest.mark.parametrize("url", ["", "x", "/etc/passwd", "file:///etc/passwd", "ftp://a.org/x"])
def test_files_come_from_web_addresses_only(url: str, client: Client, target: Path) -> None:
    """Also those that a payload names."""
    with pytest.raises(UsageError, match="web address"):
        client.download_url(url, target)
    with pytest.raises(UsageError, match="web address"):
        client.upload_url(url, target, content_type="text/plain")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a b/é.jpg?x=ü", "/a%20b/%C3%A9.jpg?x=%C3%BC"),
        ("/a%20b%2Fc?sig=a%2Bb%3D", "/a%20b%2Fc?sig=a%2Bb%3D"),
        ("/x#y", "/x"),
    ],
)
def test_an_address_is_encoded_once(path: str, sent: str, server: FaultyServer, client: Client, target: Path) -> None:
    """Those of images come as people typed them, those of storages are encoded already; redirects too."""
    client.download_url(server.origin + path, target)
    server.plays(server.raw(REDIRECT % path.encode(), keep=True), server.json({}))
    client.download("DownloadExport", target, id="1")

    assert [server.received[0].target, server.received[2].target] == [sent, sent]


@pytest.mark.parametrize(
    "url", ["http://a..b/", "http://\u00ad/", "http://" + "a" * 64 + "/", "http://*/", "http://a b/"]
)
def test_an_address_that_cannot_be_sent_is_final(url: str, client: Client, target: Path, clock: ManualClock) -> None:
    """One line, no retry."""
    with pytest.raises(ApiError) as caught:
        client.download_url(url, target)

    assert (clock.waits, caught.value.exit_code, str(caught.value).isprintable()) == ([], 78, True)
    assert_untouched(target)


def test_an_instance_that_refuses_a_download_says_why(server: FaultyServer, client: Client, target: Path) -> None:
    """Its own messages are fit to be shown, other than those of a storage."""
    server.plays(server.json({"detail": "No such artifact."}, 404))

    with pytest.raises(ApiResponseError, match=r"DownloadArtifact \(status 404\): No such artifact\."):
        client.download("DownloadArtifact", target, id="1", path="x")
