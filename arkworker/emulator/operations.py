"""The table of operations: each resource module declares its own, and the OpenAPI document is drawn from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

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
        pagination: By page numbers or by cursors; None when the answer is no page.
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
