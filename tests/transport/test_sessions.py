"""Sessions of threads and processes, proxies and certificates."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from arkworker.errors import ApiUnavailableError, ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

CERTIFICATE = str(Path(__file__).parents[1] / "data" / "loopback.pem")


def test_a_connection_is_used_again(server: FaultyServer, client: Client) -> None:
    """One is enough for a thread."""
    for number in range(5):
        client.request("RetrieveElement", id=str(number))

    assert len(server.connections) == 1


@pytest.mark.parametrize("kind", [requests.Session, requests.adapters.HTTPAdapter])
def test_what_answers_in_tests_is_asked(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """Libraries such as `requests-mock` and `responses` take the place of a method; nothing is sent past them."""

    def send(_sender: object, request: requests.PreparedRequest, **_options: object) -> requests.Response:
        body = urllib3.HTTPResponse(io.BytesIO(b'{"id": "1"}'), {"Content-Length": "11"}, 200, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, body)

    monkeypatch.setattr(kind, "send", send)

    assert (client.request("RetrieveElement", id="1"), server.received) == ({"id": "1"}, [])


def test_each_thread_has_a_session(server: FaultyServer, client: Client) -> None:
    """Sessions are not made for sharing."""
    barrier = threading.Barrier(3)

    def work() -> None:
        barrier.wait()
        for _ in range(3):
            client.request("RetrieveElement", id="1")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(server.received), len(server.connections)) == (9, 3)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(server: FaultyServer, client: Client) -> None:
    """The parent's would answer both at random."""
    client.request("RetrieveElement", id="parent")

    pid = os.fork()
    if pid == 0:
        try:
            client.request("RetrieveElement", id="child")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    client.request("RetrieveElement", id="parent")

    assert [request.path.split("/")[-2] for request in server.received] == ["parent", "child", "parent"]
    assert len(server.connections) == 2


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_end_the_connections_of_its_parent(server: FaultyServer, client: Client) -> None:
    """Both hold them; the parent goes on with its own."""
    client.request("RetrieveElement", id="1")

    pid = os.fork()
    if pid == 0:
        try:
            client.end()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    client.request("RetrieveElement", id="1")

    assert len(server.connections) == 1


def test_closing_closes_the_connections_of_all_threads(server: FaultyServer, client: Client) -> None:
    """And a later request opens a new one."""
    keep = threading.Event()

    def work() -> None:
        client.request("RetrieveElement", id="1")
        keep.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    client.request("RetrieveElement", id="1")
    while len(server.received) < 2:
        time.sleep(0.001)
    client.close()
    client.request("RetrieveElement", id="1")
    keep.set()
    thread.join()

    assert len(server.connections) == 3


def test_a_proxy_of_the_environment_is_used(
    server: FaultyServer, other_server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read once: a later change is not noticed."""
    monkeypatch.setenv("http_proxy", other_server.origin)

    client.request("RetrieveElement", id="1")
    monkeypatch.delenv("http_proxy")
    client.request("RetrieveElement", id="2")

    assert server.received == []
    assert [r.target for r in other_server.received] == [f"{server.origin}/api/v1/element/{n}/" for n in (1, 2)]


def test_what_a_connection_of_another_kind_sends_counts_as_sent(
    server: FaultyServer, client: Client, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one through a SOCKS proxy, which is not watched: what writes is not sent twice."""
    kind = type("SOCKSConnection", (HTTPConnection,), {})
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", kind)
    server.plays(server.cut(b""))

    for _ in range(2):
        with pytest.raises(ApiUnavailableError) as caught:
            client.request("CreateElement", {})
        assert caught.value.uncertain == 1

    assert (len(server.received), clock.waits) == (2, [])


def test_no_proxy_is_honoured(
    server: FaultyServer, other_server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere."""
    monkeypatch.setenv("http_proxy", other_server.origin)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    client.request("RetrieveElement", id="1")

    assert (len(server.received), other_server.received) == (1, [])


def test_a_proxy_that_refuses_to_tunnel_got_nothing(
    tls_server: FaultyServer,
    other_server: FaultyServer,
    make_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    clock: ManualClock,
) -> None:
    """The token is inside the tunnel, and so is what may be uncertain."""
    monkeypatch.setenv("https_proxy", other_server.origin)
    other_server.plays(other_server.reply(502))

    with pytest.raises(ApiUnavailableError) as caught:
        make_client(tls_server.origin).request("CreateElement", {})

    assert (caught.value.uncertain, clock.waits, tls_server.received) == (0, [3, 4, 8, 16], [])
    assert {"authorization" in request.headers for request in other_server.received} == {False}


def test_a_message_names_the_proxy_that_was_used(
    refused_origin: str, server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what opens it; where it was not used, it is not named."""
    monkeypatch.setenv("http_proxy", refused_origin.replace("http://", "http://user:canary@"))
    with pytest.raises(ApiUnavailableError, match=f"connection refused, through the proxy {refused_origin}$") as caught:
        client.request("RetrieveElement", id="1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.plays(server.cut(b""))
    with pytest.raises(ApiUnavailableError) as direct:
        client.twin().request("RetrieveElement", id="1")

    assert ("canary" in str(caught.value), "proxy" in str(direct.value)) == (False, False)


def test_an_unknown_certificate_is_refused(
    tls_server: FaultyServer, make_client: Callable[..., Client], clock: ManualClock
) -> None:
    """With what is wrong and what helps, before the token is sent, and once: it would be the same the next time."""
    told = "the certificate is not trusted: self-signed certificate; ARKINDEX_API_CA_BUNDLE names those to trust"
    with pytest.raises(ApiUnavailableError, match=told) as caught:
        make_client(tls_server.origin).request("RetrieveElement", id="1")

    assert (tls_server.received, clock.waits, caught.value.exit_code) == ([], [], ExitCode.CONFIGURATION)


@pytest.mark.parametrize(
    ("operation", "arguments"), [("RetrieveElement", {"id": "1"}), ("CreateElement", {"body": {}})]
)
def test_a_certificate_of_another_host_is_refused_at_once(
    operation: str,
    arguments: dict[str, Any],
    tls_server: FaultyServer,
    make_client: Callable[..., Client],
    clock: ManualClock,
) -> None:
    """By what reads and by what writes; a bundle does not help."""
    origin = tls_server.origin.replace("127.0.0.1", "localhost")
    with pytest.raises(ApiUnavailableError, match=r"certificate is not valid for 'localhost'\.$") as caught:
        make_client(origin, connection={"ca_bundle": CERTIFICATE}).request(operation, **arguments)

    assert (clock.waits, caught.value.uncertain) == ([], 0)


# The answers of servers to the first record of a handshake: an alert of TLS, or nothing of the kind.
ALERT = b"\x15\x03\x03\x00\x02\x02"
NO_TLS = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "what answers does not speak TLS",
    b"SSH-2.0-OpenSSH\r\n": "what answers does not speak TLS",
    ALERT + b"\x28": "the server accepts nothing that TLS offers here, or wants a certificate",
    ALERT + b"\x46": "the server speaks no version of TLS that is allowed here",
    ALERT + b"\x70": "the server does not know the host name",
}


@pytest.mark.parametrize("answer", NO_TLS)
def test_a_handshake_that_cannot_succeed_is_not_tried_again(
    answer: bytes, server: FaultyServer, make_client: Callable[..., Client], clock: ManualClock
) -> None:
    """It says which side is to be changed."""
    server.greets(answer)
    with pytest.raises(ApiUnavailableError, match=f"no connection by TLS: {NO_TLS[answer]}$"):
        make_client(server.origin.replace("http:", "https:")).request("RetrieveElement", id="1")

    assert clock.waits == []


@pytest.mark.parametrize(
    ("status", "told", "is_repeated"),
    [
        ("407 Proxy Authentication Required", "the proxy refuses it: 407 Proxy Authentication Required", False),
        ("403 Forbidden", "the proxy refuses it: 403 Forbidden", False),
        ("429 Too Many Requests", "the proxy answers 429 Too Many Requests", True),
        ("502 Bad Gateway", "the proxy answers 502 Bad Gateway", True),
    ],
)
def test_a_proxy_that_opens_no_way_says_why(
    status: str,
    told: str,
    is_repeated: bool,  # noqa: FBT001 - a parameter
    server: FaultyServer,
    make_client: Callable[..., Client],
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it refuses, it is not asked again."""
    server.greets(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    monkeypatch.setenv("https_proxy", server.origin)
    with pytest.raises(ApiUnavailableError, match=f"{told}, through the proxy {server.origin}$") as caught:
        make_client("https://arkindex.invalid").request("CreateElement", {"name": "x"})

    assert (bool(clock.waits), caught.value.exit_code == ExitCode.UNAVAILABLE) == (is_repeated, is_repeated)


def test_a_bundle_can_be_given(tls_server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """As a setting."""
    client = make_client(tls_server.origin, connection={"ca_bundle": CERTIFICATE})

    assert client.request("RetrieveElement", id="1") == {}


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_is_used(
    name: str, tls_server: FaultyServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the names that people know."""
    monkeypatch.setenv(name, CERTIFICATE)

    assert make_client(tls_server.origin).request("RetrieveElement", id="1") == {}


def test_a_bundle_of_the_environment_must_exist(
    tls_server: FaultyServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped path is not worth five attempts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        make_client(tls_server.origin).request("RetrieveElement", id="1")


def test_checks_can_be_switched_off(tls_server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """Explicitly, and then without a warning at each request."""
    client = make_client(tls_server.origin, connection={"verify": False})

    assert client.request("RetrieveElement", id="1") == {}


def test_many_requests_leave_nothing_behind(server: FaultyServer, client: Client) -> None:
    """No descriptor, no thread."""
    server.plays(*[server.json({}), server.reply(500), server.cut()] * 20, server.json({}))

    def used() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 - names, any

    client.request("RetrieveElement", id="1")
    for _ in range(30):
        client.request("RetrieveElement", id="1")
    client.close()
    while any(thread.is_alive() for thread in server.serving):
        time.sleep(0.001)
    before = used()
    for _ in range(50):
        client.request("RetrieveElement", id="1")
    client.close()
    while any(thread.is_alive() for thread in server.serving):
        time.sleep(0.001)

    assert used() == before
