"""From a request to an operation's handler and back: caller, validation, transaction, pages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, Field, ValidationError, field_validator
from sqlalchemy import bindparam, func, select
from starlette.requests import ClientDisconnect

from arkworker.emulator.desk import JSON, Answer, Exchange, dump
from arkworker.emulator.failures import ApiFailureError, forbidden, from_validation, invalid, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Select
    from sqlalchemy.orm import Session
    from starlette.types import Receive, Scope, Send

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call, StateChange
    from arkworker.emulator.site import Caller, Site
    from arkworker.emulator.tables import Row

Pagination: TypeAlias = Literal["page", "cursor"]

API = "/api/v1"


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Attributes:
        id: Its operation id, such as `RetrieveElement`.
        path: Below `/api/v1`; parameters that are UUIDs are written `{id:uuid}`.
        handler: Takes the request and the values in the path, then `query` and `body` where they are declared, and
            gives what is sent as JSON.
        query: The model of the query parameters.
        body: The model of the JSON body.
        pagination: By page numbers or by cursors; None when the answer is not a page.
        status: Of a success.
        task_only: Answers only to the token of a task.
        enterprise_only: Is not there in the Community edition.
    """

    id: str
    method: str
    path: str
    handler: Callable[..., Any]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    pagination: Pagination | None = None
    status: int = 200
    task_only: bool = False
    enterprise_only: bool = False

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it."""
        return API + re.sub(r"{(\w+):\w+}", r"{\1}", self.path)

    @property
    def path_parameters(self) -> list[str]:
        return re.findall(r"{(\w+)", self.path)


class Operations:
    """The operations of one resource; use it as a decorator."""

    def __init__(self) -> None:
        self._all: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._all)

    def __call__(self, operation_id: str, route: str, **options: Any) -> Callable[..., Any]:
        """Register a handler: `@operations("RetrieveCorpus", "GET /corpus/{id:uuid}/")`."""
        method, path = route.split(" ")

        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._all.append(Operation(operation_id, method, path, handler, **options))
            return handler

        return register


RowType = TypeVar("RowType", bound="Row")


@cache
def _by_id(table: type[RowType]) -> Select[Any]:
    # Nearly every operation begins with it: built once a table.
    return select(table).where(table.id == bindparam("id"))


@dataclass(frozen=True)
class ApiRequest:
    """One request, inside its transaction.

    Attributes:
        url: Its own address, with the host that the client used.
        query: The raw query parameters, for the links to other pages.
        call: Its line in the ledger.
        changes: The changes of activities, for the ledger once the transaction is done.
    """

    session: Session
    site: Site
    caller: Caller
    call: Call
    url: str
    query: Mapping[str, str]
    changes: list[StateChange]

    def get(self, table: type[RowType], identifier: Any) -> RowType:
        """The row that the path names; a 404 when there is none."""
        row = self.find(table, identifier)
        if row is None:
            raise missing()
        return row

    def refer(self, table: type[RowType], identifier: Any, *attr: str | int) -> RowType:
        """The row that the body names at `attr`; a 400 when there is none."""
        row = self.find(table, identifier)
        if row is None:
            raise invalid(f'Invalid pk "{identifier}" - object does not exist.', *attr, code="does_not_exist")
        return row

    def find(self, table: type[RowType], identifier: Any) -> RowType | None:
        row: RowType | None = self.session.scalar(_by_id(table), {"id": str(identifier)})
        return row


@dataclass(frozen=True)
class Reply:
    """An answer that is not just JSON with the status of the operation; no content sends no body."""

    content: Any = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


DEFAULT_SIZE = 20
LARGEST_SIZE = 500


class _Sized(BaseModel):
    page_size: int = Field(DEFAULT_SIZE, ge=1)

    @field_validator("page_size")
    @classmethod
    def limit(cls, size: int) -> int:
        """A larger page than the largest is that one, as Django REST framework has it."""
        return min(size, LARGEST_SIZE)


class PageQuery(_Sized):
    """The query parameters of a list with page numbers."""

    page: int = Field(1, ge=1)


class CursorQuery(_Sized):
    """The query parameters of a list with cursors; a cursor is what `next` gave."""

    cursor: int | None = Field(None, ge=0)
    with_count: bool = False


def paginate(
    request: ApiRequest, query: PageQuery, statement: Select[Any], represent: Callable[[Any], Any]
) -> dict[str, Any]:
    """The page that `query` asks for of `statement`, whose rows are scalars."""
    count = _count(request, statement)
    last = max(1, -(-count // query.page_size))
    if query.page > last:
        raise missing("Invalid page.")
    rows = request.session.scalars(statement.offset((query.page - 1) * query.page_size).limit(query.page_size))
    return {
        "count": count,
        "number": query.page,
        "next": _link(request, page=query.page + 1) if query.page < last else None,
        "previous": _link(request, page=query.page - 1) if query.page > 1 else None,
        "results": [represent(row) for row in rows],
    }


def paginate_by_cursor(
    request: ApiRequest,
    query: CursorQuery,
    statement: Select[*tuple[Any, ...]],
    position: Any,
    represent: Callable[[Any], Any],
) -> dict[str, Any]:
    """What follows the cursor of `query` in `statement`; rows are pairs (row, position), ordered by `position`."""
    after = query.cursor or 0
    found = request.session.execute(
        statement.where(position > after).order_by(position).limit(query.page_size + 1)
    ).all()
    rows = found[: query.page_size]
    return {
        "count": _count(request, statement) if query.with_count else None,
        "next": _link(request, cursor=rows[-1][1]) if len(found) > len(rows) else None,
        "previous": None,
        "results": [represent(row) for row, _ in rows],
    }


def _count(request: ApiRequest, statement: Select[*tuple[Any, ...]]) -> int:
    return request.session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0


def _link(request: ApiRequest, **changes: Any) -> str:
    return f"{request.url}?{urlencode({**request.query, **changes})}"


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
