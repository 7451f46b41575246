"""Time limits, and the end of what is under way."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.client import RetryBudget
from arkworker.errors import ApiResponseError, ApiUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

CERTIFICATE = str(Path(__file__).parents[1] / "data" / "loopback.pem")


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


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux alone waits, and can be told not to")
@pytest.mark.parametrize(("size", "is_acknowledged"), [(10, False), (300_000, True)])
def test_the_first_piece_of_a_longer_answer_is_acknowledged_at_once(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch, size: int, *, is_acknowledged: bool
) -> None:
    """Many servers send the rest only then, which would be 40 ms later."""
    options: list[object] = []
    set_option = socket.socket.setsockopt

    def note(self: socket.socket, level: int, option: int, value: int) -> None:
        options.append(option)
        set_option(self, level, option, value)

    monkeypatch.setattr(socket.socket, "setsockopt", note)
    server.plays(server.json({"id": "x" * size}))

    client.request("RetrieveElement", id="1")

    assert is_acknowledged == (socket.TCP_QUICKACK in options)
