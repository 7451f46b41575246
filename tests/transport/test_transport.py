"""What goes over the wire, to whom, and what the logs say about it."""

from __future__ import annotations

import http.client
import logging
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ApiError, ApiResponseError, ApiUnavailableError
from arkworker.transport.transport import QueryFilter
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faulty_server import FaultyServer

    from arkworker.arkindex.client import Client


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
    """Ponos tokens are not user tokens."""
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


def test_a_csrf_cookie_that_was_set_for_two_paths_is_the_one_that_django_reads(
    server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """The last of the header that holds both."""
    client = make_client(server.origin)
    server.plays(*(server.json({}, Set_Cookie=f"arkindex.csrf={path[-1]}; Path={path}") for path in ("/", "/api")))

    client.request("RetrieveElement", id="1")
    client.request("RetrieveElement", id="1")
    client.request("CreateElement", {})

    sent = server.received[-1].headers
    assert (sent["cookie"], sent["x-csrftoken"]) == ("arkindex.csrf=i; arkindex.csrf=/", "/")


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


def test_requests_is_imported_by_the_first_request_only() -> None:
    """Who sends none pays nothing; tenacity costs only those who fail."""
    code = """
import sys
from arkworker.arkindex.client import Client, Connection
Client(Connection(url="http://127.0.0.1:9"))
print(sorted({"requests", "urllib3", "tenacity", "pydantic_core"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"


def test_records_of_the_libraries_below_lose_their_queries() -> None:
    """The line stays, what signs the address goes, and so does a traceback that may repeat it."""
    url = "https://a.org/x?sig=abc"
    record = logging.LogRecord(
        "urllib3", logging.DEBUG, "", 0, '"%s %s"', ("GET", url), (ValueError, ValueError(url), None)
    )

    assert QueryFilter().filter(record)
    assert (record.getMessage(), record.exc_info) == ('"GET https://a.org/x?…"', None)
