"""What goes over the wire, to whom, and what the logs say about it."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from arkworker import __version__
from arkworker.errors import ApiError, ApiResponseError, ApiUnavailableError, ConfigurationError
from arkworker.runtime.client import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkworker.runtime.client import Client
    from tests.runtime.client.conftest import FaultyServer, ManualClock

CERTIFICATE = "tests/data/loopback.pem"


def test_a_request_is_complete(server: FaultyServer, client: Client) -> None:
    """Method, address, headers and body of one that writes."""
    client.request("UpdateWorkerActivity", {"state": "started"}, id="1")

    request = server.received[0]
    assert (request.method, request.target) == ("PUT", "/api/v1/workers/versions/1/activity/")
    assert request.body == b'{"state": "started"}'
    assert request.headers == {
        "host": server.origin.removeprefix("http://"),
        "user-agent": f"arkworker/{__version__}",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "authorization": "Token canary-5f1c9e",
        "referer": f"{server.origin}/api/v1/",
        "content-type": "application/json",
        "content-length": "20",
    }


def test_a_task_has_a_scheme_of_its_own(server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """Ponos tokens are no user tokens."""
    make_client(server.origin, connection={"scheme": "Ponos"}).request("StartWorkerActivity")

    assert server.received[0].headers["authorization"] == "Ponos canary-5f1c9e"


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_anonymous(token: str | None, server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """An empty one is an absent one."""
    make_client(server.origin, connection={"token": token}).request("RetrieveElement", id="1")

    assert "authorization" not in server.received[0].headers


def test_a_netrc_file_is_not_read(
    server: FaultyServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the token that was given is sent, to the instance and to a storage."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password canary")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    client = make_client(server.origin, connection={"token": None})

    client.request("RetrieveElement", id="1")
    client.download_url(f"{server.origin}/x", tmp_path / "x")

    assert [request.headers.get("authorization") for request in server.received] == [None, None]


@pytest.mark.parametrize("name", ["arkindex.csrf", "other"])
def test_what_writes_repeats_the_csrf_cookie(
    name: str, server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """In a header, beside the cookie itself; what reads does not."""
    client = make_client(server.origin, connection={"csrf_cookie": name if name == "other" else None})
    server.plays(server.json({}, Set_Cookie=f"{name}=c5rf; Path=/"), server.json({}))

    client.request("RetrieveElement", id="1")
    client.request("CreateElement", {})
    client.request("RetrieveElement", id="1")

    assert [request.headers.get("x-csrftoken") for request in server.received] == [None, "c5rf", None]
    assert [request.headers.get("cookie") for request in server.received] == [None, f"{name}=c5rf", f"{name}=c5rf"]


def test_a_connection_is_used_again(server: FaultyServer, client: Client) -> None:
    """One is enough for a thread."""
    for number in range(5):
        client.request("RetrieveElement", id=str(number))

    assert len(server.connections) == 1


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


@pytest.fixture
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "arkworker", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)


FAILURES: dict[str, Callable[[FaultyServer], Any]] = {
    "sound": lambda server: server.json({}),
    "echo": lambda server: server.json({"detail": "Invalid Token canary-5f1c9e for /x?sig=5ecret"}, 401),
    "echo in the newer style": lambda server: server.json(
        {"type": "client_error", "errors": [{"attr": ["canary-5f1c9e"], "code": "canary-5f1c9e", "detail": ""}]}, 400
    ),
    "echo in a page": lambda server: server.reply(200, b"<html>canary-5f1c9e https://x.org/?sig=5ecret</html>"),
    "echo in a failure": lambda server: server.reply(500, b"Token canary-5f1c9e"),
    "echo in an id": lambda server: server.json({"existing_id": "canary-5f1c9e"}, 409),
    "echo in the reason": lambda server: server.raw(b"HTTP/1.1 400 canary-5f1c9e\r\nContent-Length: 0\r\n\r\n"),
    "redirect": lambda server: server.redirect("https://x.example/canary-5f1c9e?sig=5ecret"),
    "reset": lambda server: server.cut(),
    "no http": lambda server: server.raw(b"canary-5f1c9e\r\n\r\n"),
    "broken headers": lambda server: server.raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLocation: https://x/?sig=5ecret\r\nodd\r\nX: ?sig=5ecret\r\n\r\n{}"
    ),
}


@pytest.mark.usefixtures("_all_logs")
@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("operation", ["RetrieveElement", "StartWorkerActivity"])
def test_the_token_is_in_no_log_and_no_error(
    kind: str,
    operation: str,
    server: FaultyServer,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At any level, of any library, in any traceback; nor is the query of any address."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    server.plays(FAILURES[kind](server))
    parameters = {"id": "1"} if operation == "RetrieveElement" else {}

    text = ""
    try:
        client.request(operation, **parameters)
    except ApiError as error:
        text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)

    text += caplog.text + "".join(capfd.readouterr())
    assert ("canary" in text, "5ecret" in text) == (False, False)
    assert kind in ("sound", "broken headers") or "Error" in text


@pytest.mark.usefixtures("_all_logs")
def test_the_signature_of_an_address_is_in_no_log_and_no_error(
    server: FaultyServer,
    refused_origin: str,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """Presigned addresses are secrets while they last."""
    text, query = "", "sig=5" + "ecret"  # in two parts: a traceback shows the source
    server.plays(server.reply(200), server.reply(500), server.cut(), server.redirect(f"/y?{query}"), server.reply(404))
    for origin in (server.origin, server.origin, refused_origin):
        try:
            client.download_url(f"{origin}/x?{query}", tmp_path / "x")
        except ApiError as error:
            text += "".join(traceback.format_exception(error))

    assert (text.count("/x?…"), "5ecret" in text + caplog.text) == (2, False)


def test_errors_hold_no_request(server: FaultyServer, client: Client) -> None:
    """The errors of the libraries below do, headers and all: none of them is chained."""
    server.plays(server.cut())

    with pytest.raises(ApiUnavailableError) as caught:
        client.request("StartWorkerActivity")

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("error", "style"),
    [
        ({"detail": "Not found."}, "Not found."),
        ({"type": "client_error", "errors": [{"attr": None, "code": "not_found", "detail": "Gone."}]}, "Gone."),
        ({"name": ["Too long."], "type": ["Unknown."]}, "name: Too long.; type: Unknown."),
    ],
)
def test_an_error_says_what_the_server_says(error: Any, style: str, server: FaultyServer, client: Client) -> None:
    """In both of its styles."""
    server.plays(server.json(error, 404))

    with pytest.raises(ApiResponseError) as caught:
        client.request("RetrieveElement", id="1")

    assert str(caught.value) == f"RetrieveElement (status 404): {style}"


def test_a_conflict_names_what_exists(server: FaultyServer, client: Client) -> None:
    """The caller may go on with it."""
    server.plays(server.json({"detail": "Exists.", "existing_id": "5f1c"}, 409))

    with pytest.raises(ApiResponseError) as caught:
        client.request("CreateIIIFURL", {"url": "x"})

    assert (caught.value.existing_id, caught.value.messages[0].detail) == ("5f1c", "Exists.")


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
    other_server.plays(other_server.reply(403))

    with pytest.raises(ApiUnavailableError) as caught:
        make_client(tls_server.origin).request("CreateElement", {})

    assert (caught.value.uncertain, clock.waits, tls_server.received) == (0, [3, 4, 8, 16], [])
    assert {"authorization" in request.headers for request in other_server.received} == {False}


def test_an_unknown_certificate_is_refused(tls_server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """With what is wrong, and before the token is sent."""
    with pytest.raises(ApiUnavailableError, match="the certificate is not trusted: self-signed certificate"):
        make_client(tls_server.origin).request("RetrieveElement", id="1")

    assert tls_server.received == []


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
    """A mistyped path is no reason to try five times."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        make_client(tls_server.origin).request("RetrieveElement", id="1")


def test_checks_can_be_switched_off(tls_server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """Explicitly, and then without a warning at each request."""
    client = make_client(tls_server.origin, connection={"verify": False})

    assert client.request("RetrieveElement", id="1") == {}


def test_time_limits_reach_every_kind_of_request(
    server: FaultyServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """Requests, documents, downloads and uploads."""
    (tmp_path / "x").write_bytes(b"x")
    client = make_client(server.origin, connection={"read_timeout": 0.02})
    server.plays(server.stall())

    for request in (
        lambda: client.request("RetrieveElement", id="1"),
        lambda: client.has_operation("X"),
        lambda: client.download_url(server.origin, tmp_path / "y"),
        lambda: client.upload_url(server.origin, tmp_path / "x", content_type="text/plain"),
    ):
        with pytest.raises(ApiUnavailableError, match="stalled"):
            request()


def test_connecting_has_a_limit_too(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    """A network that swallows packets."""
    limits: list[float | None] = []

    def swallow(sock: socket.socket, _address: object) -> None:
        limits.append(sock.gettimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", swallow)

    with pytest.raises(ApiUnavailableError, match="no connection within 5 s") as caught:
        make_client("http://127.0.0.1:9").request("CreateElement", {})

    assert (limits, clock.waits, caught.value.uncertain) == ([5.0] * 5, [3, 4, 8, 16], 0)


def end_when(condition: Callable[[], bool], client: Client) -> threading.Thread:
    def watch() -> None:
        while not condition():
            time.sleep(0.001)
        client.end()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"]
)
@pytest.mark.parametrize(("operation", "uncertain"), [("ListElements", 0), ("StartWorkerActivity", 1)])
def test_ending_ends_requests_under_way(
    start: bytes, operation: str, uncertain: int, server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """At once, in whatever thread they wait; what may have been applied is said."""
    server.plays(server.stall(start))
    thread = end_when(lambda: len(server.received) == 1, client)
    began = time.monotonic()

    with pytest.raises(ApiUnavailableError, match="the run is being stopped") as caught:
        client.request(operation, **({"corpus": "1"} if operation == "ListElements" else {}))

    thread.join()
    assert (caught.value.uncertain, clock.waits, time.monotonic() - began < 4) == (uncertain, [], True)


def test_ending_ends_requests_over_tls(tls_server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """The socket below is shut."""
    client = make_client(tls_server.origin, connection={"ca_bundle": CERTIFICATE})
    tls_server.plays(tls_server.stall())
    thread = end_when(lambda: len(tls_server.received) == 1, client)

    with pytest.raises(ApiUnavailableError, match="the run is being stopped"):
        client.request("RetrieveElement", id="1")

    thread.join()


def test_an_ended_client_sends_nothing(server: FaultyServer, client: Client, clock: ManualClock) -> None:
    """Nor does it wait."""
    client.end()

    with pytest.raises(ApiUnavailableError, match="the run is being stopped") as caught:
        client.request("StartWorkerActivity")

    assert (caught.value.uncertain, clock.waits, server.received) == (0, [], [])


def test_a_twin_is_ended_by_itself(
    server: FaultyServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """What it claims ends; what the other reports goes on, from the same budget."""
    client = make_client(server.origin, budget=RetryBudget(3), connection={"verify": False})
    twin = client.twin()
    server.plays(server.reply(500), server.reply(500), server.json({}), server.reply(500), server.reply(500))

    twin.request("RetrieveElement", id="1")
    twin.end()
    with pytest.raises(ApiUnavailableError, match="the run is being stopped"):
        twin.request("RetrieveElement", id="1")
    with pytest.raises(ApiResponseError):
        client.request("RetrieveElement", id="1")

    assert (len(server.received), caplog.text.count("certificates are not checked")) == (5, 1)
    twin.close()


def test_requests_is_imported_by_the_first_request_only() -> None:
    """Who sends none pays nothing; tenacity costs only those who fail."""
    code = """
import sys
from arkworker.runtime.client import Client, Connection
Client(Connection(url="http://127.0.0.1:9"))
print(sorted({"requests", "urllib3", "tenacity", "pydantic_core"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"


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
