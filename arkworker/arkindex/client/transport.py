"""Sends requests, one session a thread and process, and says in the client's own words what became of them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Self

import requests
import requests.utils
import urllib3
from requests.cookies import get_cookie_header
from requests.structures import CaseInsensitiveDict

from arkworker.arkindex.client.attempts import Fault
from arkworker.arkindex.client.excerpts import QueryFilter
from arkworker.arkindex.client.failures import TransportError, explain
from arkworker.arkindex.client.sessions import Channel, Process
from arkworker.arkindex.client.slices import Slice
from arkworker.version import __version__

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from arkworker.arkindex.client.connection import Connection, Endpoint
    from arkworker.arkindex.client.wire import Wire
    from arkworker.clock import Clock

CHUNK = 65536  # bytes read at a time
ERROR_LIMIT = 65536  # bytes of the body of an error
ENDED = "ended, because the run is being stopped"
USER_AGENT = f"arkworker/{__version__}"
_ACCEPTED = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

for _name in ("connectionpool", "connection", "response", "poolmanager", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(QueryFilter())


class Transport:
    """The way to one instance, for any number of threads."""

    def __init__(self, connection: Connection, endpoint: Endpoint, clock: Clock, ended: threading.Event) -> None:
        self._connection = connection
        self._clock = clock
        self._ended = ended
        self._process = Process(ended)
        self._origin = endpoint.origin
        self._csrf_cookie = connection.csrf_cookie or "arkindex.csrf"
        self._trusted = _ACCEPTED | {"Accept": "application/json", "Referer": endpoint.referer}
        if endpoint.authorization:
            self._trusted["Authorization"] = endpoint.authorization
        if not connection.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the client warns itself, once

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
        request = self._prepare(channel.session, method, url, trusted=trusted)
        request.headers.update(headers or {})
        request.body = body  # type: ignore[assignment] # the stubs know no such body
        if body is not None or method not in _SAFE:
            request.headers.setdefault("Content-Length", str(_length(body)))
        channel.wire.begin(limit)
        try:
            return Answer(self._exchange(channel, request, trusted=trusted), channel.wire, self, trusted=trusted)
        except _FAILURES as error:
            failure = self.explain(error, channel.wire)
        raise failure  # outside the handler: the errors of requests hold the request, and so the token

    def explain(self, error: Exception, wire: Wire) -> TransportError:
        """An error of the libraries below, in our words."""
        if self._ended.is_set():
            return TransportError(ENDED, Fault.LOST if wire.sent else Fault.NOT_SENT)
        return explain(error, wire, self._connection)

    def check_end(self, raw: urllib3.HTTPResponse) -> None:
        """Doubt the end of a body of unknown length, if `end` may have been what ended it.

        Raises:
            TransportError: It may.
        """
        if self._ended.is_set() and raw.length_remaining is None and not raw.chunked:
            raise TransportError(ENDED, Fault.LOST)

    def end(self) -> None:
        """End the requests under way in every thread; the client's flag refuses later ones."""
        self._process.sockets.shut()

    def reconnect(self) -> None:
        """Let this thread's next request open a new connection."""
        self._channel().session.close()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        process, self._process = self._process, Process(self._ended)
        if process.pid == os.getpid():
            for session in list(process.sessions):
                session.close()

    def _exchange(self, channel: Channel, request: requests.PreparedRequest, *, trusted: bool) -> requests.Response:
        if self._ended.is_set():
            channel.wire.sent = False
            raise OSError("the client has been ended")
        return (channel.session if trusted else channel.stranger).send(
            request,
            stream=True,
            timeout=(self._connection.connect_timeout, self._connection.read_timeout),
            verify=channel.verify,
            proxies=channel.proxies if trusted else requests.utils.get_environ_proxies(request.url or ""),
        )

    def _prepare(self, session: requests.Session, method: str, url: str, *, trusted: bool) -> requests.PreparedRequest:
        # By hand: what requests would check and encode again is sound already, and that costs a third of a call.
        request = requests.PreparedRequest()
        request.method, request.url = method, url
        request.headers = CaseInsensitiveDict(self._trusted if trusted else _ACCEPTED)
        if trusted and session.cookies:
            cookie = get_cookie_header(session.cookies, request)  # type: ignore[no-untyped-call] # so are the stubs
            if cookie:
                request.headers["Cookie"] = cookie
            if method not in _SAFE and (token := session.cookies.get(self._csrf_cookie)):
                request.headers["X-CSRFToken"] = token
        return request

    def _channel(self) -> Channel:
        if self._process.pid != os.getpid():
            self._process = Process(self._ended)  # a forked child shares no socket with its parent
        process = self._process
        channel: Channel | None = getattr(process.local, "channel", None)
        if channel is None:
            channel = process.local.channel = Channel(self._connection, self._origin, self._clock, process.sockets)
            process.sessions.add(channel.session)
        return channel


class Answer:
    """Status and headers, and a body to be read while the context lasts."""

    def __init__(self, response: requests.Response, wire: Wire, transport: Transport, *, trusted: bool) -> None:
        self.trusted = trusted
        self.status = response.status_code
        self.headers = response.headers
        self.reason = response.reason
        self._raw: Any = response.raw
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
        while True:
            try:
                chunk = self._raw.read1(CHUNK, decode_content=True)
            except _FAILURES as error:
                failure = self._transport.explain(error, self._wire)
                break
            if not chunk:
                self._transport.check_end(self._raw)
                self._whole = True
                return
            yield chunk
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


def _length(body: bytes | Slice | None) -> int:
    return body.size if isinstance(body, Slice) else len(body or b"")
