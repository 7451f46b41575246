"""From a request to an operation's handler and back: caller, validation, rows, transaction, pages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, Field, ValidationError, field_validator
from sqlalchemy import func, select

from arkworker.emulator.desk import JSON, LARGEST_BODY, Answer, dump
from arkworker.emulator.failures import ApiFailureError, forbidden, from_validation, invalid, missing
from arkworker.emulator.tables import WorkerRun
from arkworker.emulator.values import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Select
    from starlette.requests import Request

    from arkworker.emulator.database import Database, RowType, Transaction
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call, StateChange
    from arkworker.emulator.site import Caller, Site
    from arkworker.emulator.tables import Json

API = "/api/v1"


@dataclass(frozen=True)
class Operation:
    """One operation of the API.

    Attributes:
        id: Its operation id, such as `RetrieveElement`.
        path: Below `/api/v1`; parameters that are UUIDs are written `{id:uuid}`.
        handler: Takes the request, what the path names, and `query` and `body` where there are such; gives what is sent
            as JSON, or the address of a redirection.
        named: For each parameter of the path, the table of the row that it names, or `str` for itself.
        query: The model of the query parameters.
        body: The model of the JSON body.
        status: Of a success.
        task_only: Answers only to the token of a task.
        enterprise_only: Is not there in the Community edition.
    """

    id: str
    method: str
    path: str
    handler: Callable[..., Any]
    named: Sequence[type]
    query: type[BaseModel] | None
    body: type[BaseModel] | None
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

    @property
    def is_paginated(self) -> bool:
        return self.query is not None and issubclass(self.query, _Sized)


class Operations:
    """The operations of one resource; use it as a decorator."""

    def __init__(self) -> None:
        self._all: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._all)

    def __call__(self, operation_id: str, route: str, **options: Any) -> Callable[..., Any]:
        """Register a handler: `@operations("RetrieveCorpus", "GET /corpus/{id:uuid}/")`.

        Its annotations tell what it takes. Of a parameter `corpus: Corpus` the path has the id: the row is found
        first, or the answer is 404. `query` and `body` are validated before.
        """
        method, path = route.split(" ")

        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            types = get_type_hints(handler)
            query, body = types.pop("query", None), types.pop("body", None)
            _request, *named, _answer = types.values()
            self._all.append(Operation(operation_id, method, path, handler, named, query, body, **options))
            return handler

        return register


@dataclass(frozen=True)
class ApiRequest:
    """One request, inside its transaction.

    Attributes:
        task: The one that is calling; None for a person.
        url: Its own address, with the host that the client used.
        query: The raw query parameters, for the links to other pages.
        call: Its line in the ledger.
        changes: The changes of activities, for the ledger once the transaction is done.
    """

    session: Transaction
    site: Site
    task: Caller | None
    call: Call
    url: str
    query: Mapping[str, str]
    changes: list[StateChange]

    def get(self, table: type[RowType], identifier: Any) -> RowType:
        """The row that the path names; a 404 when there is none."""
        row = self.session.find(table, str(identifier))
        if row is None:
            raise missing()
        return row

    def refer(self, table: type[RowType], identifier: str, *attr: str | int) -> RowType:
        """The row that the body names at `attr`; a 400 when there is none."""
        row = self.session.find(table, identifier)
        if row is None:
            raise invalid(f'Invalid pk "{identifier}" - object does not exist.', *attr, code="does_not_exist")
        return row

    def page(self, query: PageQuery, statement: Select[Any], show: Callable[[Any], Any]) -> Json:
        """The page that `query` asks for of `statement`, whose rows are scalars."""
        count = self._count(statement)
        last = max(1, -(-count // query.page_size))
        if query.page > last:
            raise missing("Invalid page.")
        rows = self.session.scalars(statement.offset((query.page - 1) * query.page_size).limit(query.page_size))
        return {
            "count": count,
            "number": query.page,
            "next": self._link(page=query.page + 1) if query.page < last else None,
            "previous": self._link(page=query.page - 1) if query.page > 1 else None,
            "results": [show(row) for row in rows],
        }

    def page_after_cursor(
        self, query: CursorQuery, statement: Select[*tuple[Any, ...]], position: Any, show: Callable[[Any], Any]
    ) -> Json:
        """What follows the cursor of `query` in `statement`; rows are pairs (row, position), ordered by `position`."""
        following = statement.where(position > (query.cursor or 0)).order_by(position).limit(query.page_size + 1)
        found = self.session.execute(following).all()
        rows = found[: query.page_size]
        return {
            "count": self._count(statement) if query.with_count else None,
            "next": self._link(cursor=rows[-1][1]) if len(found) > len(rows) else None,
            "previous": None,
            "results": [show(row) for row, _ in rows],
        }

    def _count(self, statement: Select[*tuple[Any, ...]]) -> int:
        return self.session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0

    def _link(self, **changes: Any) -> str:
        return f"{self.url}?{urlencode({**self.query, **changes})}"


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


class Endpoint:
    """Answers one operation."""

    def __init__(self, operation: Operation, desk: Desk, database: Database) -> None:
        self._operation = operation
        self._desk = desk
        self._database = database

    async def act(self, call: Call, request: Request, content: bytes) -> Answer:
        # In the server's own thread, one after the other: SQLite takes less time than a change of threads.
        changes: list[StateChange] = []
        try:
            with self._database.transaction() as session:
                asked = self._request(session, call, request, changes)
                models = self._validated(call, request, content)
                values = zip(self._operation.named, request.path_params.values(), strict=True)
                named = [str(value) if table is str else asked.get(table, value) for table, value in values]
                _check_signature(asked, models.get("body"))
                result = self._operation.handler(asked, *named, **models)
        except OverflowError:  # SQLite has no integers above 64 bits; neither has PostgreSQL
            raise invalid("A number is too large.") from None
        self._desk.ledger.record(changes)
        return _to_answer(result, self._operation.status)

    def _request(self, session: Transaction, call: Call, request: Request, changes: list[StateChange]) -> ApiRequest:
        task = self._desk.site.tokens.identify(request.headers.get("authorization"), session)
        call.task_id = None if task is None else task.id
        if self._operation.task_only and task is None:
            raise forbidden()
        url = f"http://{request.headers.get('host', '')}{call.path}"
        return ApiRequest(session, self._desk.site, task, call, url, dict(call.query), changes)

    def _validated(self, call: Call, request: Request, content: bytes) -> dict[str, BaseModel]:
        values: dict[str, BaseModel] = {}
        try:
            if self._operation.query is not None:
                query = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
                values["query"] = self._operation.query.model_validate(query)
            if self._operation.body is not None:
                body = _parse(content) if call.body is None else call.body
                values["body"] = self._operation.body.model_validate(body)
        except ValidationError as error:
            raise from_validation(error) from None
        return values


def _check_signature(request: ApiRequest, body: BaseModel | None) -> None:
    """Check that the worker run that signs exists, and is the caller's own when a task is calling."""
    if not isinstance(body, Signature) or body.worker_run_id is None:
        return
    run = request.refer(WorkerRun, body.worker_run_id, "worker_run_id")
    task = request.task
    if task is not None and task.worker_run_id != run.id:
        raise invalid("A task can only sign with its own worker run.", "worker_run_id", code="permission_denied")


def _parse(body: bytes) -> Any:
    if len(body) > LARGEST_BODY:
        raise ApiFailureError(413, [((), "too_large", "The request is too large.")])
    if not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ApiFailureError(400, [((), "parse_error", "JSON parse error")]) from None


def _to_answer(result: Any, status: int) -> Answer:
    if status == 302:
        return Answer(status, b"", (("location", result),))
    if result is None:
        return Answer(status, b"")
    return Answer(status, dump(result), (JSON,))
