"""A loopback HTTP server that misbehaves as told, and a clock that waits for nothing."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from arkworker.arkindex.client import Client, Connection

DATA = Path(__file__).parents[1] / "data"
TOKEN = "canary-5f1c9e"  # what must appear nowhere
Action = Callable[[socket.socket], bool]


@dataclass(frozen=True)
class Received:
    """A request, as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


class FaultyServer:
    """Plays one action a request; the last one is played for ever.

    An action gets the socket once the request was read, and says whether the connection stays open.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self._actions: list[Action] = [self.json({})]
        self._context = context
        self._greeting = b""
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self.serving: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        scheme = "https" if context else "http"
        self.origin = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def plays(self, *actions: Action) -> None:
        """What to do with the requests to come, one after the other."""
        self._actions = list(actions)

    def greets(self, answer: bytes) -> None:
        """What to answer to the first bytes of each connection to come, whatever they are; then it is closed."""
        self._greeting = answer

    def close(self) -> None:
        """End all connections and threads."""
        self._released.set()
        with socket.socket() as waker:  # closing a listener does not wake who accepts
            waker.connect_ex(self._listener.getsockname())
        for sock in self.connections:
            with suppress():
                sock.shutdown(socket.SHUT_RDWR)
        for thread in [self._acceptor, *self.serving]:
            thread.join(10)
        self._listener.close()

    @staticmethod
    def reply(status: int = 200, body: bytes = b"", **headers: str) -> Action:
        """A sound answer; underscores in the names of headers become dashes."""
        lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return FaultyServer.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body, keep=True)

    @staticmethod
    def json(value: Any, status: int = 200, **headers: str) -> Action:
        """A sound answer of JSON."""
        return FaultyServer.reply(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    @staticmethod
    def redirect(location: str, status: int = 302) -> Action:
        """To another address."""
        return FaultyServer.reply(status, Location=location)

    @staticmethod
    def raw(data: bytes, *, keep: bool = False) -> Action:
        """These bytes, whatever they are; then the connection is closed unless told otherwise."""

        def act(sock: socket.socket) -> bool:
            sock.sendall(data)
            return keep

        return act

    @staticmethod
    def cut(data: bytes = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"id": ') -> Action:
        """A beginning, and then a reset instead of the rest."""

        def act(sock: socket.socket) -> bool:
            sock.sendall(data)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False

        return act

    @staticmethod
    def endless(piece: bytes, start: bytes = b"HTTP/1.1 200 OK\r\n") -> Action:
        """The same bytes for ever, until the client has had enough."""

        def act(sock: socket.socket) -> bool:
            sock.sendall(start)
            while True:
                sock.sendall(piece * 1000)

        return act

    @staticmethod
    def trickle(data: bytes, sent: Callable[[], Callable[[], bool]]) -> Action:
        """One byte after the other, each once the one before has been taken.

        Args:
            data: What to send.
            sent: Called before each byte; what it answers, after it, waits until the byte is taken, or answers False.
        """

        def act(sock: socket.socket) -> bool:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                is_taken = sent()
                sock.sendall(bytes([byte]))
                if not is_taken():
                    break
            return False

        return act

    def stall(self, data: bytes = b"") -> Action:
        """A beginning, and then nothing until the server is closed."""

        def act(sock: socket.socket) -> bool:
            sock.sendall(data)
            self._released.wait(30)
            return False

        return act

    def _accept(self) -> None:
        while not self._released.is_set():
            sock, _ = self._listener.accept()
            self.connections.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self.serving.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress():
            if self._greeting:
                sock.recv(4096)
                sock.sendall(self._greeting)
            elif self._context is not None:
                place = self.connections.index(sock)
                sock = self._context.wrap_socket(sock, server_side=True)  # leaves the plain one without its descriptor
                self.connections[place] = sock
            with sock, sock.makefile("rb") as stream:
                while not self._greeting and (request := _read_request(stream)) is not None:
                    self.received.append(request)
                    action = self._actions.pop(0) if len(self._actions) > 1 else self._actions[0]
                    if not action(sock):
                        break
        sock.close()


class suppress:  # noqa: N801 - as the one of contextlib
    """Connections end as clients please."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, OSError | ValueError)


class ManualClock:
    """Waits at once, and remembers for how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def _read_request(stream: Any) -> Received | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        earlier = headers.get(name.lower())
        headers[name.lower()] = value.strip() if earlier is None else f"{earlier}, {value.strip()}"
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(first[0], first[1], headers, body)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server that answers `{}` until it is told what to do."""
    server = FaultyServer()
    yield server
    server.close()


@pytest.fixture
def other_server() -> Iterator[FaultyServer]:
    """A server of another origin, such as a storage."""
    server = FaultyServer()
    yield server
    server.close()


@pytest.fixture
def tls_server() -> Iterator[FaultyServer]:
    """A server whose certificate nobody trusts by default; it is its own bundle."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "loopback.pem")
    server = FaultyServer(context)
    yield server
    server.close()


@pytest.fixture
def refused_origin() -> Iterator[str]:
    """An origin where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture
def clock() -> ManualClock:
    """A clock that waits for nothing."""
    return ManualClock()


@pytest.fixture
def make_client(clock: ManualClock) -> Iterator[Callable[..., Client]]:
    """Makes clients, with a token and with limits that a test can wait for; closes them all."""
    clients = []

    def make(origin: str, *, connection: dict[str, Any] | None = None, **options: Any) -> Client:
        values: dict[str, Any] = {"token": TOKEN, "connect_timeout": 5.0, "read_timeout": 5.0} | (connection or {})
        client = Client(Connection(url=f"{origin}/api/v1/", **values), **{"clock": clock} | options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(server: FaultyServer, make_client: Callable[..., Client]) -> Client:
    """A client of the server."""
    return make_client(server.origin)
