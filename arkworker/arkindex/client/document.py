"""Operations out of an instance's own OpenAPI document, for those that the table does not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client.content import ContentError
from arkworker.arkindex.client.operations import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.client.operations import Answer, Pages

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~{}-]+)+/?")


def read_operations(document: Any) -> dict[str, Operation]:
    """The operations of a document, by id; what makes no sense in it is left out.

    Raises:
        ContentError: It is no OpenAPI document.
    """
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, dict):
        raise ContentError("is not an OpenAPI document")
    return {operation.id: operation for path, methods in paths.items() for operation in _of_path(path, methods)}


def _of_path(path: str, methods: Any) -> Iterator[Operation]:
    if not isinstance(methods, dict) or not _PATH.fullmatch(path):
        return
    for method in _METHODS:
        details = methods.get(method)
        if isinstance(details, dict) and isinstance(details.get("operationId"), str):
            query = (*_query_names(methods), *_query_names(details))
            answer: Answer = "nothing" if method == "delete" else "anything"
            pages = _pages(details, query)
            yield Operation(details["operationId"], method.upper(), path, query, pages, "object" if pages else answer)


def _query_names(details: dict[str, Any]) -> Iterator[str]:
    parameters = details.get("parameters")
    for parameter in parameters if isinstance(parameters, list) else ():
        if isinstance(parameter, dict) and parameter.get("in") == "query" and isinstance(parameter.get("name"), str):
            yield parameter["name"]


def _pages(details: dict[str, Any], query: tuple[str, ...]) -> Pages | None:
    if details.get("x-paginated") is False:
        return None
    return "cursor" if "cursor" in query else "page" if "page" in query else None
