"""Downloads that fail in every way that a server, a proxy or a network can make them fail."""

from __future__ import annotations

import pickle
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from arkworker.errors import ImageError
from arkworker.images.download import LONGEST_DOWNLOAD, Downloader
from arkworker.transport.connection import Connection
from arkworker.transport.transport import Transport
from arkworker.version import __version__


class FakeClock:
    """Waits no time at all, and remembers for how long it should have."""

    def __init__(self, step: float = 0) -> None:
        self.slept: list[float] = []
        self.time = 0.0
        self.step = step

    def now(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def read(downloader: Downloader, url: str) -> bytes:
    with downloader.get(url) as body:
        return body.read()


def failure(downloader: Downloader, url: str) -> ImageError:
    with pytest.raises(ImageError) as caught:
        downloader.get(url)
    assert "canary" not in str(caught.value)
    # What requests raised holds the whole address: it must not be part of a traceback.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_a_body_is_given_from_its_start(server: Any) -> None:
    """As a file in memory."""
    server.say("/x", {"body": b"pixels"})

    assert read(Downloader(), f"{server.url}/x") == b"pixels"


def test_a_failing_server_is_asked_three_times(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """After 5 and 10 seconds, each wait with a warning before it."""
    server.say("/x", {"status": 500}, {"status": 503}, {"body": b"pixels"})
    clock = FakeClock()

    assert read(Downloader(clock=clock), f"{server.url}/x?signature=canary") == b"pixels"
    assert clock.slept == [5, 10]
    assert [record.getMessage() for record in caplog.records] == [
        f"the server answers 500 for {server.url}/x?…: next attempt in 5 s",
        f"the server answers 503 for {server.url}/x?…: next attempt in 10 s",
    ]


def test_the_third_failure_is_the_last(server: Any) -> None:
    """With its status."""
    server.say("/x", *[{"status": 500}] * 4)
    clock = FakeClock()

    error = failure(Downloader(clock=clock), f"{server.url}/x?signature=canary")

    assert (str(error), error.status) == (f"the server answers 500 for {server.url}/x?…", 500)
    assert (len(server.asked), clock.slept) == (3, [5, 10])
    assert pickle.loads(pickle.dumps(error)).status == 500


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_final(server: Any, status: int) -> None:
    """The answer would be the same."""
    server.say("/x", *[{"status": status}] * 2)

    assert failure(Downloader(clock=FakeClock()), f"{server.url}/x").status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("asked", "wait"), [("7", 7), ("0", 5), ("99999", 60), ("99999999999", 5), ("soon", 5), ("-9", 5), ("٣", 5)]
)
def test_a_busy_server_says_when(server: Any, asked: str, wait: float) -> None:
    """`Retry-After` is honoured up to a minute; what is not a number of seconds is ignored."""
    header = {"Retry-After": asked.encode().decode("latin-1")}
    server.say("/x", {"status": 429, "headers": header}, {"body": b"pixels"})
    clock = FakeClock()
    read(Downloader(clock=clock), f"{server.url}/x")

    assert clock.slept == [wait]


def test_a_cut_body_is_asked_again(server: Any) -> None:
    """Half an image is not accepted as one."""
    server.say("/x", {"body": b"pix", "length": 6}, {"body": b"pixels"})

    assert read(Downloader(clock=FakeClock()), f"{server.url}/x") == b"pixels"


def test_a_body_that_is_always_cut_is_an_error(server: Any) -> None:
    """Never half of it."""
    server.say("/x", *[{"body": b"pix", "length": 6}] * 3)

    assert "the answer was cut short" in str(failure(Downloader(clock=FakeClock()), f"{server.url}/x?canary"))


def test_a_closed_port_is_tried_again() -> None:
    """Servers restart."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    clock = FakeClock()

    error = failure(Downloader(clock=clock), f"http://user:canary@127.0.0.1:{port}/x?canary")

    assert (str(error), clock.slept) == (f"http://127.0.0.1:{port}/x?…: connection refused", [5, 10])


@pytest.mark.parametrize(
    "url", ["http://", "http://[canary", "http://.canary/", "http://\x00canary/", "ftp://canary/x"]
)
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    """At once: waiting would not help."""
    clock = FakeClock()
    with pytest.raises(ImageError, match="cannot be sent"):
        Downloader(clock=clock).get(url)

    assert clock.slept == []


def test_a_redirect_into_the_file_system_is_not_followed(server: Any) -> None:
    """Nor to any scheme but http and https."""
    server.say("/x", {"status": 302, "headers": {"Location": "file:///etc/hostname"}})

    assert "redirected to something that is not a web address" in str(
        failure(Downloader(clock=FakeClock()), f"{server.url}/x")
    )


def test_a_loop_of_redirects_ends(server: Any) -> None:
    """With an error."""
    server.say("/x", *[{"status": 302, "headers": {"Location": "/x?canary"}}] * 40)

    assert "more than 5 redirects" in str(failure(Downloader(clock=FakeClock()), f"{server.url}/x"))


def test_a_body_beyond_the_limit_is_refused(server: Any) -> None:
    """Before all of it is in memory."""
    server.say("/x", {"body": b"x" * 200_000})

    assert "larger than 100000 bytes" in str(
        failure(Downloader(clock=FakeClock(), max_bytes=100_000), f"{server.url}/x")
    )


def test_a_compressed_bomb_is_refused(server: Any) -> None:
    """The limit is that of what comes out."""
    import gzip

    bomb = gzip.compress(b"\0" * 5_000_000)
    server.say("/x", {"body": bomb, "headers": {"Content-Encoding": "gzip"}})

    assert "larger than 1000000 bytes" in str(
        failure(Downloader(clock=FakeClock(), max_bytes=1_000_000), f"{server.url}/x")
    )


def test_a_compressed_body_is_unpacked(server: Any) -> None:
    """Some proxies compress though nobody asked."""
    import gzip

    server.say("/x", {"body": gzip.compress(b"pixels" * 50_000), "headers": {"Content-Encoding": "gzip"}})

    assert read(Downloader(clock=FakeClock()), f"{server.url}/x") == b"pixels" * 50_000


def test_a_compressed_body_that_is_cut_is_tried_again(server: Any) -> None:
    """Half an image may look whole."""
    import gzip

    whole = gzip.compress(bytes(range(256)) * 500)
    server.say("/x", *({"body": body, "headers": {"Content-Encoding": "gzip"}} for body in (whole[:-9], whole)))

    assert read(Downloader(clock=FakeClock()), f"{server.url}/x") == bytes(range(256)) * 500


def test_a_body_that_lies_about_its_compression_is_an_error(server: Any) -> None:
    """One line."""
    server.say("/x", *[{"body": b"no gzip", "headers": {"Content-Encoding": "gzip"}}] * 3)

    assert "the answer cannot be decompressed" in str(failure(Downloader(clock=FakeClock()), f"{server.url}/x?canary"))


def test_a_download_without_end_is_given_up() -> None:
    """A server that sends byte after byte is within every time limit of a socket."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(2**16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not stop.is_set():
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        clock = FakeClock(step=LONGEST_DOWNLOAD / 3)
        error = failure(Downloader(clock=clock), f"http://127.0.0.1:{listening.getsockname()[1]}/x")
        stop.set()
        thread.join()

    assert f"not complete after {LONGEST_DOWNLOAD} s" in str(error)


def test_no_credentials_are_sent(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of `.netrc`, nor the API's token, nor a cookie of an earlier answer."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login user password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("ARKINDEX_API_TOKEN", "canary")
    server.say("/x", {"headers": {"Set-Cookie": "session=canary; Path=/"}}, {})
    downloader = Downloader()
    read(downloader, f"{server.url}/x")
    read(downloader, f"{server.url}/x")

    names = {name.lower() for headers in server.headers for name in headers}
    assert names & {"authorization", "cookie"} == set()
    assert "canary" not in str(server.headers)


def test_the_user_agent_can_be_set(server: Any) -> None:
    """Some image servers refuse unknown ones."""
    server.say("/x", {}, {})
    for connection in (Connection(), Connection(user_agent="Museum/1")):
        read(Downloader(Transport(connection, FakeClock())), f"{server.url}/x")

    assert [headers["User-Agent"] for headers in server.headers] == [f"arkworker/{__version__}", "Museum/1"]


def test_proxies_of_the_environment_are_used(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for hosts that `no_proxy` names."""
    server.say("/x", {"body": b"direct"})
    monkeypatch.setenv("http_proxy", server.url)
    server.script["http://images.invalid/x"] = server.script["/x"]
    server.say("/y", {"body": b"direct"})
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    downloader = Downloader(clock=FakeClock())

    assert read(downloader, f"{server.url}/y") == b"direct"
    assert read(downloader, "http://images.invalid/x") == b"direct"
    assert server.asked == ["/y", "http://images.invalid/x"]


def test_a_download_ends_with_the_run(server: Any) -> None:
    """At once, with no further attempt: the run is being stopped."""
    ended, clock = threading.Event(), FakeClock()
    downloader = Downloader(Transport(Connection(), clock, ended), clock)
    ended.set()

    assert "the run is being stopped" in str(failure(downloader, f"{server.url}/x?canary"))
    assert (server.asked, clock.slept) == ([], [])


def test_a_large_body_does_not_stay_in_memory(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to a file, which is gone when the body is closed."""
    monkeypatch.setattr("arkworker.images.download.IN_MEMORY", 1000)
    server.say("/x", {"body": b"x" * 5000})

    with Downloader().get(f"{server.url}/x") as body:
        assert (body.read(), Path(f"/proc/self/fd/{body.fileno()}").exists()) == (b"x" * 5000, True)


def test_no_room_for_a_large_body_is_an_error(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line."""
    monkeypatch.setattr("arkworker.images.download.IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    server.say("/x", {"body": b"x" * 5000})

    assert "cannot be kept: No such file or directory" in str(failure(Downloader(), f"{server.url}/x?canary"))
