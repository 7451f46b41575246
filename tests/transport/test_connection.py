"""What is refused before anything is sent, what is warned about, and what a connection never shows."""

from __future__ import annotations

import dataclasses
import json
import pickle
import traceback
from pathlib import Path

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.errors import ConfigurationError
from arkworker.transport.connection import check, origin_of

CERTIFICATE = Path(__file__).parents[1] / "data" / "loopback.pem"


def test_the_default_is_the_public_instance() -> None:
    """An empty address is an absent one."""
    assert check(Connection(url="")).origin == check(Connection()).origin == "https://arkindex.teklia.com"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://demo.arkindex.org", "https://demo.arkindex.org"),
        ("https://demo.arkindex.org/", "https://demo.arkindex.org"),
        ("https://demo.arkindex.org/api/v1/", "https://demo.arkindex.org"),
        ("http://localhost:8000/api/v1", "http://localhost:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://ark_index.example:443/x?y=z#w", "https://ark_index.example:443"),
    ],
)
def test_any_address_on_the_host_will_do(url: str, origin: str) -> None:
    """The paths of operations are absolute."""
    assert check(Connection(url=url)).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "arkindex.teklia.com",
        "//arkindex.teklia.com",
        "ftp://arkindex.teklia.com",
        "file:///etc/passwd",
        "https://",
        "https:///api/v1/",
        "https://user:hunter2@arkindex.teklia.com",
        "https://arkindex.teklia.com:port/",
        "https://arkindex.teklia.com:99999/",
        "https://arkindex.teklia.com /",
        "https://arkindex.teklia.com\r\nX-Evil: 1",
        "https://[::1/",
        "https://exämple.org/",
        "https://a\\b/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    """Before anything is sent, with the name of the variable and without the value."""
    with pytest.raises(ConfigurationError, match="ARKINDEX_API_URL") as caught:
        Client(Connection(url=url))

    assert "hunter2" not in str(caught.value)


def test_an_international_name_is_not_taken_for_another_scheme() -> None:
    """The message says how it is written."""
    with pytest.raises(ConfigurationError, match=r"a character that is not ASCII: an international name .* xn--"):
        check(Connection(url="https://exämple.org/"))


@pytest.mark.parametrize("token", ["abc\n", "abc def", "abc\r\nX-Evil: 1", "é", "\x00"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    """A line break in a token would be a header of its own."""
    with pytest.raises(ConfigurationError, match="ARKINDEX_API_TOKEN") as caught:
        Client(Connection(token=token))

    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    "connection",
    [
        Connection(token="canary\n"),
        Connection(url="https://user:canary@a.test/"),
        Connection(url="https://a.test:port/?token=canary"),
    ],
    ids=["token", "password", "query"],
)
def test_no_frame_of_a_refusal_shows_it(connection: Connection) -> None:
    """Collectors of errors show the variables of each."""
    with pytest.raises(ConfigurationError) as caught:
        check(connection)

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if frame.f_code is check.__code__]
    assert [len(frames), caught.value.__context__] == [1, None]
    assert "canary" not in repr([dict(frame.f_locals) for frame in frames]) + repr(connection)
    assert "canary" not in repr(dataclasses.asdict(connection))
    assert caught.traceback[-1].frame.code.raw is check.__code__


def test_scheme_and_cookie_cannot_smuggle_headers_either() -> None:
    """All that becomes a header is checked."""
    for connection in (Connection(token="t", scheme="Token\r\nX: y"), Connection(csrf_cookie="a b")):
        with pytest.raises(ConfigurationError):
            Client(connection)


def test_a_bundle_of_certificates_must_exist(tmp_path: Path) -> None:
    """A mistyped path is told at once."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        Client(Connection(ca_bundle=str(tmp_path / "none.pem")))


def test_a_bundle_that_was_mended_is_read_again(tmp_path: Path) -> None:
    """In a process that lives on, as a notebook or a worker of an engine does."""
    bundle = tmp_path / "ca.pem"
    connection = Connection(ca_bundle=str(bundle))
    with pytest.raises(ConfigurationError, match="does not exist"):
        check(connection)
    bundle.write_text("not yet")
    with pytest.raises(ConfigurationError, match="holds no certificates"):
        check(connection)

    bundle.write_bytes(CERTIFICATE.read_bytes())

    assert check(connection).origin == "https://arkindex.teklia.com"


def test_the_token_is_not_shown() -> None:
    """Neither by the connection nor by what is made of it."""
    connection = Connection(token="canary-5f1c9e")

    assert "canary" not in repr(connection) + repr(check(connection)) + repr(Client(connection))


def test_what_collects_values_collects_stars() -> None:
    """Whoever dumps a context, a frame or a crash has no token and no signature; who sends it asks for it."""
    connection = Connection(
        url="https://demo.arkindex.org", token="canary", schema_url="https://s3.example/x?sig=canary"
    )
    dumped = json.dumps(dataclasses.asdict(connection) | {"schema_url": None}, default=str)

    assert ("canary" in dumped, "canary" in repr(connection), "**********" in dumped) == (False, False, True)
    assert (connection.plain_token, Connection(token="").token) == ("canary", None)


def test_a_connection_can_be_sent_to_another_process() -> None:
    """It is plain values."""
    connection = Connection(url="https://demo.arkindex.org", token="t", scheme="Ponos", ca_bundle="x")

    assert pickle.loads(pickle.dumps(connection)) == connection


@pytest.mark.parametrize("url", ["http://arkindex.example/", "http://10.0.0.1:8000/", "http://localhost.example/"])
def test_a_token_over_plain_http_is_warned_about(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """At every start, with the host and without the token."""
    Client(Connection(url=url, token="canary-5f1c9e"))

    assert len(caplog.messages) == 1
    assert ("unencrypted" in caplog.text, "canary" in caplog.text) == (True, False)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://127.0.0.1:8000/", "t"),
        ("http://127.1.2.3/", "t"),
        ("http://[::1]/", "t"),
        ("http://localhost/", "t"),
        ("http://ark.localhost/", "t"),
        ("http://arkindex.example/", None),
        ("https://arkindex.example/", "t"),
    ],
)
def test_what_is_safe_is_not_warned_about(url: str, token: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """The loopback interface, no token, or TLS."""
    Client(Connection(url=url, token=token))

    assert caplog.messages == []


def test_unchecked_certificates_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """They are off by an explicit setting only, never by the name of a host."""
    Client(Connection(url="https://arkindex.ark.localhost/", verify=False))

    assert "certificates are not checked" in caplog.text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.org/x", "https://a.org:443/y?z", True),
        ("http://a.org", "http://A.ORG:80/", True),
        ("https://a.org", "http://a.org", False),
        ("https://a.org", "https://a.org:8443", False),
        ("https://a.org", "https://b.a.org", False),
        ("https://a.org", "https://a.org@b.org", False),
        ("https://a.org", "https://a.org.b.org", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a parameter
    """That is how far a token goes."""
    assert (origin_of(one) == origin_of(other)) is same


@pytest.mark.parametrize("url", ["", "/x", "x", "file:///x", "https://", "https://a:b/", "javascript:alert(1)", "//a"])
def test_what_has_no_origin(url: str) -> None:
    """Relative, of another kind, or broken."""
    assert origin_of(url) is None
