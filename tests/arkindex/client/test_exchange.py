"""Whole answers, broken in every way a proxy, a storage or a bad day can think of."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from arkworker.errors import ApiContentError, ApiError, ApiUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

HTML = b"<html><body>Please log in \x1b[31m with canary-5f1c9e at https://x.org/?token=abc</body></html>"


def answer(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


BROKEN = {
    "html": answer(HTML, "Content-Type: text/html"),
    "empty": answer(b""),
    "cut": answer(b'{"id": "5f', length=100),
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "cut json": answer(b'{"id": "5f'),
    "list": answer(b"[1, 2]"),
    "null": answer(b"null"),
    "text": answer(b'"5f1c"'),
    "nan": answer(b'{"id": NaN}'),
    "infinity": answer(b'{"id": -Infinity}'),
    "beyond a float": answer(b'{"id": 1e999}'),
    "beyond an integer": answer(b'{"id": ' + b"9" * 5000 + b"}"),
    "brackets": answer(b"[" * 100_000),
    "closed brackets": answer(b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep": answer(b'{"id": ' * 500 + b"1" + b"}" * 500),
    "key twice": answer(b'{"id": "1", "zone": {"a": 1, "a": 2}}'),
    "latin-1": answer('{"name": "é"}'.encode("latin-1")),
    "lone surrogate": answer(rb'{"name": "\ud800"}'),
    "utf-16": answer('{"id": "1"}'.encode("utf-16")),
    "NULs": answer(b"\0" * 1000),
    "two values": answer(b"{} {}"),
    "too short a length": answer(b'{"id": "1"}', length=5),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no gzip": answer(b'{"id": "1"}', "Content-Encoding: gzip"),
    "cut gzip": answer(gzip.compress(b'{"id": "' + b"1" * 100 + b'"}')[:20], "Content-Encoding: gzip"),
    "gzip bomb": answer(gzip.compress(b"[" + b" " * (2 << 20) + b"]"), "Content-Encoding: gzip"),
    "two gzips": answer(gzip.compress(gzip.compress(b" " * (2 << 20))), "Content-Encoding: gzip, gzip"),
    "deflate bomb": answer(zlib.compress(b" " * (2 << 20)), "Content-Encoding: deflate"),
    "partial": b'HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\n{"a',
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "redirect to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "redirect to itself": b"HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{",
    "word for a length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\n{}",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "half a status": b"HTTP/1.1 20",
    "no status": b"HTTP/1.1\r\n\r\n",
    "long status line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n{}",
    "header without colon": b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 1\r\n\r\n{",
    "binary header": b"HTTP/1.1 200 OK\r\nX: \xff\xfe\x00\r\nContent-Length: 1\r\n\r\n{",
}


@pytest.fixture
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arkworker.arkindex.client.exchange.LARGEST", 1 << 20)
    monkeypatch.setattr("arkworker.arkindex.client.exchange._WIRE", 1 << 20)


@pytest.mark.usefixtures("_small_limits")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_one_clear_error(name: str, server: FaultyServer, client: Client) -> None:
    """Whatever comes, it is an ApiError of one short line, with the operation and without the token."""
    server.plays(server.raw(BROKEN[name]))

    with pytest.raises(ApiError) as caught:
        client.request("RetrieveElement", id="1")

    text = str(caught.value)
    assert (text.startswith("RetrieveElement"), len(text) < 400, text.isprintable()) == (True, True, True)
    assert ("canary" in text, "token=abc" in text) == (False, False)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.usefixtures("_small_limits")
@pytest.mark.parametrize(
    "name", ["html", "brackets", "gzip bomb", "no gzip", "key twice", "list", "cut", "no last chunk"]
)
def test_what_is_no_promised_body_says_what_it_is(name: str, server: FaultyServer, client: Client) -> None:
    """The kind of the error is the content's, with the status of the answer."""
    server.plays(server.raw(BROKEN[name]))

    with pytest.raises(ApiContentError) as caught:
        client.request("RetrieveElement", id="1")

    assert caught.value.status == 200


@pytest.mark.usefixtures("_small_limits")
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"[[[[[[[["),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: trailer\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["continue", "headers", "body", "trailers", "chunks"],
)
def test_an_endless_answer_is_given_up(start: bytes, piece: bytes, server: FaultyServer, client: Client) -> None:
    """What does not end costs no more than the limit of a body."""
    server.plays(server.endless(piece, start))

    with pytest.raises(ApiError):
        client.request_with_outcome("RetrieveElement", id="1", idempotent=False)


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_answer_that_is_cut_is_tried_again(
    coding: str, compress: Callable[[bytes], bytes], server: FaultyServer, client: Client
) -> None:
    """Also where all of the text has come: what is missing is its checksum. A claim is counted as uncertain."""
    cut = compress(b'{"id": "1"}')[:-4]
    server.plays(server.reply(200, cut, Content_Encoding=coding), server.json({"id": "2"}))

    outcome = client.request_with_outcome("RetrieveElement", id="1")
    server.plays(server.reply(200, cut, Content_Encoding=coding))
    with pytest.raises(ApiContentError, match="the answer was cut short") as caught:
        client.request_with_outcome("StartWorkerActivity", idempotent=False)

    assert (outcome.value, outcome.attempts, caught.value.uncertain) == ({"id": "2"}, 2, 1)


def test_a_compressed_bomb_takes_little_memory(server: FaultyServer, client: Client) -> None:
    """A body is decompressed in pieces, and no further than the limit."""
    server.plays(server.raw(answer(gzip.compress(b" " * (200 << 20), 1), "Content-Encoding: gzip")))
    tracemalloc.start()

    with pytest.raises(ApiContentError, match="larger than 64 MiB"):
        client.request_with_outcome("StartWorkerActivity", idempotent=False)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_one_wide_character_in_a_large_answer(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would keep four bytes for each character of the text; a small answer may have one."""
    monkeypatch.setattr("arkworker.arkindex.client.answers.WIDEST", 1000)
    server.plays(*(server.reply(200, ('{"id": "😀' + "a" * size + '"}').encode()) for size in (500, 1000)))

    found = client.request("RetrieveElement", id="1")["id"]
    with pytest.raises(ApiContentError, match="holds characters of four bytes"):
        client.request_with_outcome("StartWorkerActivity", idempotent=False)

    assert found == "😀" + "a" * 500


def test_bytes_after_a_body_are_not_the_next_answer(server: FaultyServer, client: Client) -> None:
    """What follows a body that was longer than it said is dropped with its connection."""
    smuggled = answer(b'{"id": "smuggled"}')
    server.plays(server.raw(answer(b'{"id": "1"}') + smuggled, keep=True), server.json({"id": "2"}))

    answers = [client.request("RetrieveElement", id=str(n))["id"] for n in (1, 2)]

    assert answers == ["1", "2"]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id'])
def test_a_stall_is_a_time_out(
    start: bytes, server: FaultyServer, make_client: Callable[..., Client], clock: ManualClock
) -> None:
    """A server that says nothing, or stops in the middle, is waited for no longer than the limit."""
    client = make_client(server.origin, connection={"read_timeout": 0.05})
    server.plays(server.stall(start))

    with pytest.raises(ApiUnavailableError, match=r"no answer within 0\.05 s"):
        client.request("RetrieveElement", id="1")

    assert clock.waits == [3, 4, 8, 16]


class FastClock:
    """On which a minute passes each time that it is read."""

    def __init__(self) -> None:
        self.time = 0.0
        self.is_stopped = False
        self._asked = threading.Condition()

    def now(self) -> float:
        with self._asked:
            self.time += 60
            self._asked.notify_all()
            return self.time

    def asked(self) -> Callable[[], bool]:
        """Waits until it is asked again: until the client has something to look at."""
        since = self.time

        def wait() -> bool:
            with self._asked:
                self._asked.wait_for(lambda: self.time > since or self.is_stopped, timeout=30)
                return not self.is_stopped

        return wait

    def stop(self) -> None:
        with self._asked:
            self.is_stopped = True
            self._asked.notify_all()

    def sleep(self, _seconds: float) -> None:
        pass


def test_a_trickle_is_a_time_out(server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """A server that keeps the connection alive with a byte now and then is not waited for either."""
    clock = FastClock()
    client = make_client(server.origin, clock=clock)
    server.plays(server.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 900, clock.asked))

    with pytest.raises(ApiUnavailableError, match="stalled"):
        client.request("RetrieveElement", id="1")
    clock.stop()


def test_error_bodies_may_be_broken_too(server: FaultyServer, client: Client) -> None:
    """The status of an error is told even if its body never ends."""
    server.plays(server.raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n<htm"))

    with pytest.raises(ApiError) as caught:
        client.request("RetrieveElement", id="1")

    assert (caught.value.status, str(caught.value)) == (
        403,
        "RetrieveElement (status 403): the server gives no reason",
    )


def test_a_redirect_within_the_instance_is_followed(server: FaultyServer, client: Client) -> None:
    """The token stays within its origin."""
    server.plays(server.redirect("/api/v1/element/2/"), server.json({"id": "2"}))

    assert client.request("RetrieveElement", id="1") == {"id": "2"}
    assert [request.headers["authorization"] for request in server.received] == ["Token canary-5f1c9e"] * 2


def test_a_redirect_elsewhere_is_refused(server: FaultyServer, other_server: FaultyServer, client: Client) -> None:
    """Another port is another origin: nothing is sent there, and the error names the place without its query."""
    server.plays(server.redirect(f"{other_server.origin}/api/v1/element/1/?token=abc"))

    with pytest.raises(ApiError, match="ARKINDEX_API_URL") as caught:
        client.request("RetrieveElement", id="1")

    assert (other_server.received, "abc" in str(caught.value)) == ([], False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_that_writes_follows_a_redirect(status: int, server: FaultyServer, client: Client) -> None:
    """A write is sent to the place that was meant, or not at all."""
    server.plays(server.redirect("/elsewhere/", status))

    with pytest.raises(ApiError, match="redirected"):
        client.request("CreateElement", {"name": "x"})

    assert len(server.received) == 1


def test_redirects_end(server: FaultyServer, client: Client) -> None:
    """A loop is an error after a handful."""
    server.plays(server.redirect("/api/v1/element/1/"))

    with pytest.raises(ApiError, match="too many redirects"):
        client.request("RetrieveElement", id="1")

    assert len(server.received) == 6
