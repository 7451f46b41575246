"""uvicorn in a thread, on sockets that are bound before it starts, so that their ports are known."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from arkworker.testing.emulator.delivery import TRANSPORT

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send


class Protocol(H11Protocol):
    """uvicorn's own, which also shows each connection's transport to the application: faults are made there."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn's own does
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class ServerThread:
    """The application, served from a thread of this process until `stop`."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
        )
        self._sockets = list(sockets)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="arkworker emulator", daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)

    def stop(self) -> None:
        """Close every connection and the sockets; requests under way are abandoned, as in a power cut."""
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        await self._server.serve(sockets=self._sockets)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        for task in list(self._server.server_state.tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        # A turn of the loop, for the transports to close their sockets.
        await asyncio.sleep(0)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: The port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio turns Nagle's algorithm off only then, and answers go out at once.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    return listener
