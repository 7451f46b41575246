"""From a request to an operation's handler and back: body, caller, validation, transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from arkworker.emulator.delivery import Answer
from arkworker.emulator.desk import JSON, Exchange, dump
from arkworker.emulator.failures import ApiFailureError, forbidden, from_validation
from arkworker.emulator.requests import ApiRequest, Reply

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from starlette.types import Receive, Scope, Send

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call, StateChange
    from arkworker.emulator.operations import Operation

LARGEST_BODY = 64 << 20


class Endpoint:
    """One operation, as an ASGI application."""

    def __init__(self, operation: Operation, desk: Desk, database: Database) -> None:
        self._operation = operation
        self._desk = desk
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def read(call: Call, receive: Receive) -> None:
            body.extend(await read_body(receive))
            call.body = _readable(body)

        async def act(call: Call) -> Answer:
            return self._act(call, scope, bytes(body))

        await self._desk.attend(self._operation.id, Exchange(scope, receive, send), act, read)

    def _act(self, call: Call, scope: Scope, body: bytes) -> Answer:
        # In the server's own thread, one after the other: SQLite takes less time than a change of threads.
        changes: list[StateChange] = []
        with self._database.transaction() as session:
            request = self._request(session, call, scope, changes)
            result = self._operation.handler(request, *scope["path_params"].values(), **self._validated(scope, body))
        self._desk.ledger.record(changes)
        return _to_answer(result, self._operation.status)

    def _request(self, session: Session, call: Call, scope: Scope, changes: list[StateChange]) -> ApiRequest:
        headers = dict(scope["headers"])
        header = headers.get(b"authorization")
        caller = self._desk.site.tokens.identify(header and header.decode("latin-1"), session)
        call.task_id = None if caller.task is None else caller.task.id
        if self._operation.task_only and caller.task is None:
            raise forbidden()
        host = headers.get(b"host", b"").decode("latin-1")
        url = f"http://{host}{scope['path']}"
        return ApiRequest(session, self._desk.site, caller, call, url, dict(call.query), changes)

    def _validated(self, scope: Scope, body: bytes) -> dict[str, BaseModel]:
        values: dict[str, BaseModel] = {}
        try:
            if self._operation.query is not None:
                query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
                values["query"] = self._operation.query.model_validate(query)
            if self._operation.body is not None:
                values["body"] = self._operation.body.model_validate(_parse(body))
        except ValidationError as error:
            raise from_validation(error) from None
        return values


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        ClientDisconnect: The client went away in the middle of it.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if len(body) <= LARGEST_BODY:
            body.extend(message.get("body", b""))
        more = message.get("more_body", False)
    return bytes(body)


def _parse(body: bytes) -> Any:
    if len(body) > LARGEST_BODY:
        raise ApiFailureError(413, [((), "too_large", "The request is too large.")])
    if not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ApiFailureError(400, [((), "parse_error", "JSON parse error")]) from None


def _readable(body: bytearray) -> Any:
    """The body as the ledger keeps it: its JSON, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _to_answer(result: Any, status: int) -> Answer:
    if not isinstance(result, Reply):
        result = Reply(result, status)
    if result.status == 204 or result.content is None:
        return Answer(result.status, b"", result.headers)
    return Answer(result.status, dump(result.content), (JSON, *result.headers))
