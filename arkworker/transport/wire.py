"""Below requests: connections that say whether anything was sent, bound what they read, and can be ended at once."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Any

import requests.adapters
import requests.utils
from urllib3.connection import HTTPConnection, HTTPSConnection

from arkworker.text import presentable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.clock import Clock

BUFFER = 65536  # bytes
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # of Linux
SLOWEST = 1024  # bytes a second, on average over the read limit: less is a stall


class Wire:
    """What a thread's request under way has done on its socket.

    Attributes:
        sent: Whether a byte of the request left; None where that is unknown: our own adapter, or a connection of its
            own, has not taken it.
        overflowed: Whether the answer was longer than `limit`.
        proxy: The proxy that it goes through, as it may be shown; None for none.
    """

    def __init__(self, clock: Clock, window: float) -> None:
        self._clock = clock
        self._window = window
        self.begin(None)

    def begin(self, limit: int | None) -> None:
        """A request starts whose whole answer may take `limit` bytes."""
        self.sent: bool | None = None
        self.overflowed = False
        self.proxy: str | None = None
        self._limit = limit
        self._received = self._mark = 0
        self._since: float | None = None

    def count(self, size: int) -> None:
        """More of the answer has arrived; its headers count, too: some servers never end them.

        Raises:
            TimeoutError: It trickles.
            OSError: It is longer than it may be.
        """
        now = self._clock.now()
        self._since = now if self._since is None else self._since
        self._received += size
        if self._limit is not None and self._received > self._limit:
            self.overflowed = True
            raise OSError("the answer is too long")
        if now - self._since >= self._window:
            if self._received - self._mark < SLOWEST * self._window:
                raise TimeoutError("the answer arrives too slowly")
            self._since, self._mark = now, self._received


class Sockets:
    """The open sockets of a transport in this process, those of all threads."""

    def __init__(self, ended: threading.Event) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._ended = ended

    def register(self, sock: socket.socket) -> None:
        """A connection was made.

        Raises:
            OSError: The transport has been ended meanwhile.
        """
        with self._lock:
            self._open.add(sock)
        if self._ended.is_set():
            raise OSError("the client has been ended")

    def shut(self) -> None:
        """End what is under way: whatever thread waits for an answer stops waiting."""
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            # Closed a moment ago, by its own thread or the other side; or TLS within TLS, which is not a socket.
            with contextlib.suppress(OSError, TypeError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, whose objects belong to one thread


class Adapter(requests.adapters.HTTPAdapter):
    """The connections of one thread: no retries of its own, every connection watched.

    Of a request to the instance, what is the same each time is found once; that is a third of what requests costs.

    Args:
        wire: What the thread's request under way does.
        sockets: Where connections are registered.
        home_proxies: The proxies of the instance: this very object comes with every request to it, and with no other.
    """

    def __init__(self, wire: Wire, sockets: Sockets, home_proxies: Mapping[str, str]) -> None:
        self._makers: dict[Any, Any] = {
            HTTPConnection: functools.partial(_PlainConnection, wire, sockets),
            HTTPSConnection: functools.partial(_TlsConnection, wire, sockets),
        }
        self._wire = wire
        self._home_proxies = home_proxies
        self._home: Any = None
        self._home_proxy: str | None = None
        super().__init__(pool_connections=4, pool_maxsize=1, max_retries=0)

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a request, direct or through a proxy."""
        self._wire.sent = False
        is_home = proxies is self._home_proxies
        if is_home and self._home is not None:
            self._wire.proxy = self._home_proxy
            return self._home
        proxy = requests.utils.select_proxy(request.url, proxies)
        self._wire.proxy = presentable(proxy) if proxy else None
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        pool.ConnectionCls = self._makers.get(pool.ConnectionCls, pool.ConnectionCls)
        self.cert_verify(pool, request.url, verify, cert)
        if not isinstance(pool.ConnectionCls, functools.partial):
            self._wire.sent = None  # through a SOCKS proxy: what such a connection sends is not seen
        elif is_home:
            self._home, self._home_proxy = pool, self._wire.proxy
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Once for each pool, not for each request."""
        if conn is not self._home:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call] # so are the stubs

    def request_url(self, request: Any, proxies: Any) -> str:
        """What stands in the first line of a request."""
        if proxies is self._home_proxies and self._home_proxy is None:
            path: str = request.url[request.url.index("/", 8) :]
            return path
        return super().request_url(request, proxies)

    def open(self, request: Any, timeout: Any, verify: Any, proxies: Any) -> Any:
        """Send a request as `send` does, for the answer of urllib3; what goes wrong is an error of urllib3, too.

        Making the answer of requests, with its cookies and encodings, takes a tenth of a call, and it is not used.
        """
        return self.get_connection_with_tls_context(request, verify, proxies).urlopen(
            request.method,
            self.request_url(request, proxies),
            request.body,
            request.headers,
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )

    def close(self) -> None:
        """Close the connections: urllib3 itself would leave that to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - this container has no iterator
                manager.pools[key].close()
        if self._home is not None:
            self._home.close()
            self._home = None
        super().close()


class _PlainConnection(HTTPConnection):
    debuglevel = 0  # set on the base class, it prints headers, and the token with them

    def __init__(self, wire: Wire, sockets: Sockets, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire
        self._sockets = sockets

    def connect(self) -> None:
        try:
            super().connect()
            self._sockets.register(self.sock)
        finally:
            self._wire.sent = False  # what was sent to a proxy, or in a handshake, does not count

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._wire.sent = True
        super().send(data)

    def response_class(  # type: ignore[override] # http.client only ever calls it
        self, sock: socket.socket, *args: Any, **kwargs: Any
    ) -> http.client.HTTPResponse:
        # http.client makes its answers through this name, and reads them from what `makefile` gave it.
        answer = http.client.HTTPResponse(sock, *args, **kwargs)
        answer.fp = io.BufferedReader(_CountedReader(answer.fp.detach(), sock, self._wire), BUFFER)
        return answer


class _TlsConnection(_PlainConnection, HTTPSConnection):
    def connect(self) -> None:
        """Connect; that certificates are not checked, where a person wants it so, is not warned of each time."""
        super().connect()
        self.is_verified = True  # urllib3 asks for its warning alone; `connection.warn` has told it once


class _CountedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, wire: Wire) -> None:
        self._raw = raw
        self._sock = sock
        self._wire = wire
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._has_begun:
            self._acknowledge()
        size: int | None = self._raw.readinto(buffer)
        if size:
            self._has_begun = True
            self._wire.count(size)
        return size

    def _acknowledge(self) -> None:
        """Tell the server at once that what it sent has come.

        Simple servers write the headers and then the body, and send the body only when the headers are acknowledged,
        which Linux may do 40 ms later.
        """
        if _QUICKACK is not None:
            with contextlib.suppress(OSError, AttributeError):  # closed; or TLS within TLS, which is not a socket
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        self._raw.close()
        super().close()
