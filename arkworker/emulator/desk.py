"""The front desk: every request, of whatever kind, is written down, befallen by faults, answered and timed here."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from arkworker.emulator.delivery import Answer, Line
from arkworker.emulator.failures import ApiFailureError
from arkworker.emulator.ledger import mask_headers, mask_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from arkworker.emulator.faults import Fault, Faults
    from arkworker.emulator.ledger import Call, Ledger
    from arkworker.emulator.site import Site

logger = logging.getLogger("arkworker")

JSON = ("content-type", "application/json")


class Exchange(NamedTuple):
    """What ASGI gives for one request."""

    scope: Scope
    receive: Receive
    send: Send


@dataclass(frozen=True)
class Desk:
    """What all requests pass by."""

    site: Site
    ledger: Ledger
    faults: Faults

    async def attend(
        self,
        operation: str | None,
        exchange: Exchange,
        act: Callable[[Call], Awaitable[Answer]],
        read: Callable[[Call, Receive], Awaitable[None]],
    ) -> None:
        """Answer one request: `read` takes its body in, `act` carries it out."""
        call = self._open(operation, exchange.scope)
        line = Line(exchange.scope, exchange.receive, exchange.send)
        try:
            await read(call, exchange.receive)
            call.faults = self.faults.draw(call)
            await self._answer(call, line, act)
        except ClientDisconnect:
            await line.hang_up(reset=False)
        finally:
            call.seconds = call.seconds or time.time() - call.time

    async def _answer(self, call: Call, line: Line, act: Callable[[Call], Awaitable[Answer]]) -> None:
        await _wait(call.faults, acted=False)
        instead = _effect(call.faults, acted=False)
        if instead is not None:
            call.status = instead.status or None
            await line.deliver(Answer(200, b""), call, instead)
            return
        answer = await self._act(call, act)
        call.acted = True
        await _wait(call.faults, acted=True)
        spoiled = _effect(call.faults, acted=True)
        call.status = spoiled.status if spoiled is not None and spoiled.status else answer.status
        await line.deliver(answer, call, spoiled)

    async def _act(self, call: Call, act: Callable[[Call], Awaitable[Answer]]) -> Answer:
        try:
            return await act(call)
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


def dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _effect(faults: list[Fault], *, acted: bool) -> Fault | None:
    return next((fault for fault in faults if fault.acted == acted and fault.effect != "delay"), None)


async def _wait(faults: list[Fault], *, acted: bool) -> None:
    seconds = sum(fault.seconds for fault in faults if fault.effect == "delay" and fault.acted == acted)
    if seconds:
        await asyncio.sleep(seconds)
