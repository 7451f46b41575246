"""The front desk: every request is recorded, made to fail on demand, answered and timed; answers leave whole or not."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from arkworker.emulator.failures import ApiFailureError
from arkworker.emulator.ledger import mask_headers, mask_query

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from arkworker.emulator.faults import Fault, Faults
    from arkworker.emulator.ledger import Call, Ledger
    from arkworker.emulator.site import Site

logger = logging.getLogger("arkworker")

JSON = ("content-type", "application/json")
CHUNK = 1 << 18  # bytes that are sent at a time
LARGEST_BODY = 64 << 20  # bytes
LONGEST_ANSWER = 16 << 10  # bytes of an answer that the ledger keeps
TRANSPORT = "arkworker.transport"


@dataclass(frozen=True)
class Answer:
    """An answer, ready to be sent; a `Path` as content is a file, of which `start` to `end` is sent."""

    status: int
    content: bytes | Path
    headers: tuple[tuple[str, str], ...] = ()
    start: int = 0
    end: int | None = None

    @property
    def length(self) -> int:
        if self.end is not None:
            return self.end - self.start
        size = self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)
        return size - self.start

    def pieces(self, length: int, size: int) -> Iterator[bytes]:
        """The first `length` bytes, in pieces of at most `size`."""
        if isinstance(self.content, bytes):
            content = self.content[self.start :]
            yield from (content[at : min(at + size, length)] for at in range(0, length, size))
            return
        with self.content.open("rb") as file:
            file.seek(self.start)
            while length > 0 and (piece := file.read(min(size, length))):
                length -= len(piece)
                yield piece


class Connection:
    """The connection over which a request came."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._transport: Transport = scope["extensions"][TRANSPORT]
        self._bodiless = scope["method"] == "HEAD"

    async def deliver(self, answer: Answer, call: Call, fault: Fault | None = None) -> None:
        """Send an answer as the fault lets it through; `call` learns whether all of it left."""
        call.seconds = time.time() - call.time
        if fault is None:
            await self._write(answer, answer.length, call)
        elif fault.effect in ("close", "reset"):
            await self.hang_up(reset=fault.effect == "reset")
        elif fault.effect == "answer":
            await self._write(Answer(fault.status, fault.body, fault.headers), len(fault.body))
        elif fault.effect == "malformed":
            half = answer.start + answer.length // 2
            await self._write(replace(answer, end=half), half - answer.start)
        elif fault.effect == "cut":
            await self._write(answer, answer.length // 2)
            await self.hang_up(reset=fault.abrupt)
        else:
            await self._write(answer, answer.length, call, pieces=10, pause=fault.seconds / 10)

    async def hang_up(self, *, reset: bool) -> None:
        """Close the connection, at once; `reset` sends RST, as a crashed peer does."""
        if reset:
            peer: socket.socket | None = self._transport.get_extra_info("socket")
            if peer is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()
        # Until uvicorn knows: it reports an application that ends with neither an answer nor a lost connection.
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _write(
        self, answer: Answer, length: int, call: Call | None = None, *, pieces: int = 1, pause: float = 0.0
    ) -> None:
        """Announce the whole answer, send the first `length` bytes of it; a `call` is one that gets it whole."""
        headers = [*answer.headers, ("content-length", str(answer.length))]
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": raw})
        size = CHUNK if pieces == 1 else max(1, -(-length // pieces))
        left = 0 if self._bodiless else length
        for piece in answer.pieces(left, size):
            if pause:
                await asyncio.sleep(pause)
            left -= len(piece)
            if left == 0 and call is not None:
                # Before the last bytes leave: their reader may look into the ledger at once.
                self._complete(call)
            await self._send(_body(piece, more=True))
        if length == answer.length or self._bodiless:
            if call is not None and not call.answered:
                self._complete(call)
            await self._send(_body(b"", more=False))

    def _complete(self, call: Call) -> None:
        call.answered = not self._transport.is_closing()
        call.seconds = time.time() - call.time


def _body(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


@dataclass(frozen=True)
class Desk:
    """What all requests pass by.

    Attributes:
        again: Runs the worker of a run again, with other values, on some elements or on all; the id of the new run.
    """

    site: Site
    ledger: Ledger
    faults: Faults
    again: Callable[[str, dict[str, Any], list[str] | None], str] | None = None

    async def attend(self, request: Request, send: Send, window: Window) -> None:
        """Answer one request."""
        call = self._open(window.operation, request.scope)
        connection = Connection(request.scope, request.receive, send)
        try:
            content = await window.read(request)
            if 0 < len(content) <= LARGEST_BODY:
                with suppress(ValueError, RecursionError):
                    call.body = json.loads(content)
            faults = self.faults.draw(call)
            call.faults = [fault.name for fault in faults]
            await self._answer(call, connection, lambda: window.act(call, request, content), faults)
        except ClientDisconnect:
            await connection.hang_up(reset=False)
        finally:
            call.seconds = call.seconds or time.time() - call.time

    async def _answer(
        self, call: Call, connection: Connection, act: Callable[[], Awaitable[Answer]], faults: list[Fault]
    ) -> None:
        await _wait(faults, acted=False)
        instead = _effect(faults, acted=False)
        if instead is not None:
            call.status = instead.status or None
            await connection.deliver(Answer(200, b""), call, instead)
            return
        answer = await self._act(call, act)
        call.acted = True
        if isinstance(answer.content, bytes) and JSON in answer.headers:
            call.answer = answer.content[:LONGEST_ANSWER].decode("utf-8", "replace")
        await _wait(faults, acted=True)
        spoiled = _effect(faults, acted=True)
        call.status = spoiled.status if spoiled is not None and spoiled.status else answer.status
        await connection.deliver(answer, call, spoiled)

    async def _act(self, call: Call, act: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            return await act()
        except ApiFailureError as failure:
            return self.refuse(failure)
        except Exception:
            # A defect of the emulator: said in its log, and as Django would say it to the client.
            logger.exception("%s failed in the emulator", call.operation)
            return self.refuse(ApiFailureError(500, [((), "error", "A server error occurred.")]))

    def refuse(self, failure: ApiFailureError) -> Answer:
        content = failure.content(self.site.error_style)
        return Answer(failure.status, dump(content), (JSON, *failure.headers.items()))

    def _open(self, operation: str | None, scope: Scope) -> Call:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return self.ledger.open(
            operation=operation,
            method=scope["method"],
            path=scope["path"],
            query=mask_query(query),
            headers=mask_headers(scope["headers"]),
            origin=scope["state"]["origin"],
        )


async def read_body(request: Request) -> bytes:
    """The body of a request; of a larger one than the largest, no more than shows that it is.

    Raises:
        ClientDisconnect: The client went away in the middle of it.
    """
    body = bytearray()
    async for piece in request.stream():
        if len(body) <= LARGEST_BODY:
            body.extend(piece)
    return bytes(body)


@dataclass(frozen=True)
class Window:
    """Where requests of one kind are answered, as an ASGI application: recorded, and made to fail on demand.

    Attributes:
        desk: Where all requests pass by.
        operation: What faults know it by; None where no operation has this method and path.
        act: Carries out a request with this body.
        read: Takes its body in.
    """

    desk: Desk
    operation: str | None
    act: Callable[[Call, Request, bytes], Awaitable[Answer]]
    read: Callable[[Request], Awaitable[bytes]] = read_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.desk.attend(Request(scope, receive), send, self)


def dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _effect(faults: list[Fault], *, acted: bool) -> Fault | None:
    return next((fault for fault in faults if fault.acted == acted and fault.effect != "delay"), None)


async def _wait(faults: list[Fault], *, acted: bool) -> None:
    seconds = sum(fault.seconds for fault in faults if fault.effect == "delay" and fault.acted == acted)
    if seconds:
        await asyncio.sleep(seconds)
