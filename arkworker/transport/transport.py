"""Sends requests, one set of connections a thread and process, and says in our own words what became of them."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import weakref
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

import requests
import requests.adapters
import requests.utils
import urllib3
from requests.cookies import extract_cookies_to_jar, get_cookie_header
from requests.structures import CaseInsensitiveDict

from arkworker.errors import ArkworkerError
from arkworker.transport.connection import check, check_bundle, origin_of
from arkworker.transport.decoding import ACCEPTED, decoded
from arkworker.transport.failures import Fault, TransportError, explain
from arkworker.transport.wire import Adapter, Sockets, Wire
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.clock import Clock
    from arkworker.transport.connection import Connection

CHUNK = 65536  # bytes read at a time
ERROR_LIMIT = 65536  # bytes of the body of an error
ENDED = "ended, because the run is being stopped"
REDIRECTS = 5
MOVED = frozenset({301, 302, 303, 307, 308})
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REPLACED_BY_TESTS: tuple[Any, ...] = (requests.Session, requests.adapters.HTTPAdapter)
# A content that someone put where the name of a secret belongs.
_SECRET_NAME = re.compile(r"(?<=/secret/)[^\s\"'?]+")


class QueryFilter(logging.Filter):
    """Hides query strings and names of secrets in what the libraries log: a signature or a content may be there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always logged."""
        message = record.getMessage()
        shown = _SECRET_NAME.sub("…", re.sub(r"\?[^\s\"']*", "?…", message))
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info:
            record.exc_info = record.exc_text = None
        return True


for _name in ("connectionpool", "connection", "response", "poolmanager", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(QueryFilter())


class Transport:
    """The way to one instance, and to everything that is not it, for any number of threads.

    Args:
        connection: Where the instance is, and how to speak to it; the rest goes with it for all others, too.
        clock: Tells how long an answer takes.
        ended: Set when the run is being stopped; nothing is sent from then on.

    Raises:
        ConfigurationError: The connection cannot work.
    """

    def __init__(self, connection: Connection, clock: Clock, ended: threading.Event | None = None) -> None:
        endpoint = check(connection)
        self._connection = connection
        self._clock = clock
        self._ended = ended or threading.Event()
        self._process = _Process(self._ended)
        self._origin = endpoint.origin
        self._csrf_cookie = connection.csrf_cookie or "arkindex.csrf"
        agent = connection.user_agent or f"arkworker/{__version__}"
        self._strange = {"User-Agent": agent, "Accept-Encoding": ACCEPTED}
        self._trusted = self._strange | {"Accept": "application/json", "Referer": endpoint.referer}
        if endpoint.authorization:
            self._trusted["Authorization"] = endpoint.authorization
        self._timeout: Any = urllib3.Timeout(connect=connection.connect_timeout, read=connection.read_timeout)

    def send(  # noqa: PLR0913 - a request has that many parts
        self,
        method: str,
        url: str,
        *,
        trusted: bool,
        headers: Mapping[str, str] | None = None,
        body: bytes | Slice | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Send a request; the answer's body is still to be read.

        Args:
            method: The HTTP method.
            url: The whole address.
            trusted: Whether it is the instance's: only then are token and cookies sent, and cookies kept.
            headers: More headers.
            body: What to send; of a file, a slice that is read as it is sent.
            limit: The most bytes that the whole answer may take.

        Raises:
            TransportError: There is no answer.
        """
        channel = self._channel()
        request = self._prepare(channel, method, url, headers, trusted=trusted)
        request.body = body  # type: ignore[assignment] # the stubs know no such body
        if body is not None or method not in _SAFE:
            length = body.size if isinstance(body, Slice) else len(body or b"")
            request.headers.setdefault("Content-Length", str(length))
        channel.wire.begin(limit)
        try:
            return Answer(self._exchange(channel, request, trusted=trusted), channel.wire, self, trusted=trusted)
        except _FAILURES as error:
            failure = self.explain(error, channel.wire)
        raise failure  # outside the handler: the errors of requests hold the request, and so the token

    def follow(
        self, url: str, *, trusted: bool = False, limit: int | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET an address; redirects are followed without token and cookies, wherever they lead.

        Raises:
            TransportError: There is no answer, or the redirects do not end.
        """
        headers = {"Accept": "*/*", **({} if limit else {"Accept-Encoding": "identity"}), **(headers or {})}
        for _ in range(REDIRECTS + 1):
            answer = self.send("GET", url, trusted=trusted, headers=headers, limit=limit)
            location = answer.headers.get("Location")
            if answer.status not in MOVED or not location:
                return answer
            with answer:
                url, trusted = redirect_target(url, location), False
        raise TransportError(f"more than {REDIRECTS} redirects", Fault.REFUSED)

    def explain(self, error: Exception, wire: Wire) -> TransportError:
        """An error of the libraries below, in our words."""
        if self._ended.is_set():
            return TransportError(ENDED, Fault.NOT_SENT if wire.sent is False else Fault.LOST)
        return explain(error, wire, self._connection)

    def check_end(self, raw: urllib3.HTTPResponse) -> None:
        """Doubt the end of a body of unknown length, if `end` may have been what ended it.

        Raises:
            TransportError: It may.
        """
        if self._ended.is_set() and raw.length_remaining is None and not raw.chunked:
            raise TransportError(ENDED, Fault.LOST)

    def end(self) -> None:
        """End the requests under way in every thread; the flag refuses later ones."""
        if self._process.pid == os.getpid():  # in a forked child, these are connections of its parent
            self._process.sockets.shut()

    def reconnect(self) -> None:
        """Let this thread's next request open a new connection."""
        self._channel().adapter.close()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        process, self._process = self._process, _Process(self._ended)
        if process.pid == os.getpid():
            for adapter in list(process.adapters):
                adapter.close()

    def _exchange(self, channel: _Channel, request: requests.PreparedRequest, *, trusted: bool) -> Any:
        if self._ended.is_set():
            channel.wire.sent = False
            raise OSError("the client has been ended")
        proxies = channel.proxies if trusted else requests.utils.get_environ_proxies(request.url or "")
        # Sessions and answers of requests are a third of a call, and what they do is not needed here; but the libraries
        # that answer in tests put themselves there: `requests-mock` in the one class, `responses` in the other.
        if any(kind.send.__module__ != kind.__module__ for kind in _REPLACED_BY_TESTS):
            how: dict[str, Any] = {"timeout": self._timeout, "verify": channel.verify, "proxies": proxies}
            request.headers = CaseInsensitiveDict(request.headers)
            raw = channel.session.send(request, allow_redirects=False, stream=True, **how).raw
        else:
            raw = channel.adapter.open(request, self._timeout, channel.verify, proxies)
        if trusted and "Set-Cookie" in raw.headers:
            extract_cookies_to_jar(channel.session.cookies, request, raw)  # type: ignore[no-untyped-call] # so are the stubs
        return raw

    def _prepare(
        self, channel: _Channel, method: str, url: str, headers: Mapping[str, str] | None, *, trusted: bool
    ) -> requests.PreparedRequest:
        # By hand: what requests would check and encode again is sound already, and that costs a third of a call.
        request: Any = requests.PreparedRequest()
        request.method, request.url = method, url
        request.headers = sent = dict(self._trusted if trusted else self._strange)
        sent.update((name.title(), value) for name, value in (headers or {}).items())  # as the names above are written
        cookies = channel.session.cookies
        if trusted and len(cookies) and (cookie := get_cookie_header(cookies, request)):  # type: ignore[no-untyped-call] # so are the stubs
            sent["Cookie"] = cookie
            # A name may come twice, for two paths; Django, which compares the two, reads the last.
            values = {name: value for name, _, value in (pair.partition("=") for pair in cookie.split("; "))}
            if method not in _SAFE and (token := values.get(self._csrf_cookie)):
                sent["X-CSRFToken"] = token
        prepared: requests.PreparedRequest = request
        return prepared

    def _channel(self) -> _Channel:
        if self._process.pid != os.getpid():
            self._process = _Process(self._ended)  # a forked child shares no socket with its parent
        process = self._process
        channel: _Channel | None = getattr(process.local, "channel", None)
        if channel is None:
            channel = process.local.channel = _Channel(self._connection, self._origin, self._clock, process.sockets)
            process.adapters.add(channel.adapter)
        return channel


class _Channel:
    """One thread's connections and cookies, with the proxies and certificates that the environment names, read once."""

    def __init__(self, connection: Connection, origin: str, clock: Clock, sockets: Sockets) -> None:
        self.wire = Wire(clock, connection.read_timeout)
        self.proxies = requests.utils.get_environ_proxies(origin)
        self.adapter = Adapter(self.wire, sockets, self.proxies)
        self.session = requests.Session()
        self.session.trust_env = False
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, self.adapter)
        self.verify: bool | str = _bundle(connection) if connection.verify else False


class _Process:
    """What must not cross a fork."""

    def __init__(self, ended: threading.Event) -> None:
        self.pid = os.getpid()
        self.local = threading.local()
        self.sockets = Sockets(ended)
        self.adapters: weakref.WeakSet[Adapter] = weakref.WeakSet()


class Answer:
    """Status and headers, and a body to be read while the context lasts."""

    def __init__(self, raw: urllib3.HTTPResponse, wire: Wire, transport: Transport, *, trusted: bool) -> None:
        self.trusted = trusted
        self.status = raw.status
        self.headers = raw.headers
        self.reason = raw.reason or ""
        self._raw: Any = raw
        self._wire = wire
        self._transport = transport
        self._whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._whole:
            self._raw.release_conn()
        else:
            self._raw.close()  # what is left of the body must not be taken for the next answer

    def chunks(self) -> Iterator[bytes]:
        """The body, decompressed.

        Raises:
            TransportError: It is cut, stalls or cannot be decompressed.
        """
        codings = self.headers.get("Content-Encoding")
        return self._pieces() if codings is None else decoded(self._pieces(), codings, CHUNK)

    def _pieces(self) -> Iterator[bytes]:
        """The body, as it comes."""
        while True:
            try:
                piece = self._raw.read1(CHUNK, decode_content=False)
            except _FAILURES as error:
                failure = self._transport.explain(error, self._wire)
                break
            if not piece:
                self._transport.check_end(self._raw)
            # Asking once more, where the length says that this was all, takes a twentieth of a call.
            self._whole = not piece or self._raw.length_remaining == 0
            if piece:
                yield piece
            if self._whole:
                return
        raise failure

    def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TransportError: As `chunks`, or it is longer than `limit` bytes.
        """
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise TransportError(f"the answer is larger than {limit >> 20} MiB", Fault.GARBLED)
        return bytes(body)

    def read_error(self) -> bytes:
        """The body of an error, or nothing: its status has said what matters."""
        try:
            return self.read(ERROR_LIMIT)
        except TransportError:
            return b""


class Slice:
    """The next bytes of a file as the body of a request, read as they are sent.

    Attributes:
        size: How many there are.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size
        self._file = file
        self._left = size

    def read(self, count: int = -1) -> bytes:
        """At most that many of the bytes that are left; none at the end.

        Raises:
            ArkworkerError: The file has fewer: it was cut meanwhile.
        """
        wanted = self._left if count < 0 else min(count, self._left)
        content = self._file.read(wanted)
        if wanted and not content:
            # Nothing would come after the length that was announced, and the server would wait for it.
            raise ArkworkerError(f"{self._file.name}: became shorter while it was sent")
        self._left -= len(content)
        return content


def redirect_target(url: str, location: str) -> str:
    """The whole address that a redirect leads to.

    Raises:
        TransportError: It is not a web address.
    """
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")  # http.client reads the former, servers mean the latter
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if origin_of(target) is None:
        raise TransportError("redirected to something that is not a web address", Fault.REFUSED)
    return encode(target)


def encode(url: str) -> str:
    """An address as it can be sent: blanks, accents and international names encoded.

    Raises:
        TransportError: It cannot be sent.
    """
    request = requests.PreparedRequest()
    try:
        request.prepare_url(url, None)
    except ValueError:
        failure = TransportError("this address cannot be sent", Fault.REFUSED)
    else:
        return request.url or url
    raise failure


def _bundle(connection: Connection) -> bool | str:
    if connection.ca_bundle:
        return connection.ca_bundle
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            check_bundle(path, name)
            return path
    return True
