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

from arkworker.emulator.desk import TRANSPORT

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

# What uvicorn does now and then, such as the Date header, it does this often; seconds.
TICK = 0.1


class Protocol(H11Protocol):
    """uvicorn's own, which also shows each connection's transport to the application: faults are made there."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn's own does
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            # Cancelled is what is under way when the emulator stops: no error, and uvicorn would log it as one.
            with contextlib.suppress(asyncio.CancelledError):
                await app(scope, receive, send)

        self.app = with_transport


class Server(uvicorn.Server):
    """uvicorn's own, which stops at once: connections are cut, and requests under way abandoned, as in a power cut."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Stop; called from another thread, through the loop."""
        self.should_exit = True
        self._woken.set()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # A turn of the loop: the transports close their sockets, and requests learn that nothing waits for them.
        await asyncio.sleep(0)
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


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
        self._server = Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(),), name="arkworker emulator", daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)

    def stop(self) -> None:
        """Close every connection and the sockets."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.wake)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=self._sockets)


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
