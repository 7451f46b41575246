"""One attempt at each thing that a client does over the network; nothing here repeats or waits."""

from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arkworker.arkindex.client import answers
from arkworker.arkindex.client.answers import Excerpts, judge, lose, refuse
from arkworker.arkindex.client.attempts import Attempt
from arkworker.arkindex.client.operations import Operation
from arkworker.storage.exclusive import open_regular
from arkworker.text import presentable
from arkworker.transport.connection import check, origin_of
from arkworker.transport.failures import Fault, TransportError
from arkworker.transport.transport import MOVED, REDIRECTS, encode, redirect_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.client.operations import Pages, Promise
    from arkworker.arkindex.client.transfers import Download
    from arkworker.transport.connection import Connection
    from arkworker.transport.transport import Answer, Transport

LARGEST = 64 << 20  # bytes of a decompressed body
_WIRE = LARGEST + (1 << 20)  # bytes of a whole answer, its headers included
DOCUMENT = "OpenAPI document"
_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~{}-]+)+/?")


class Exchange:
    """Makes attempts at one instance."""

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self.transport = transport
        self._endpoint = endpoint = check(connection)
        self._excerpts = Excerpts(connection.plain_token)
        self._schema_url = connection.schema_url or f"{endpoint.origin}/api/v1/openapi/?format=json"
        self._origin = origin_of(endpoint.origin)

    def call(self, operation: Operation, location: str, body: bytes | None) -> Attempt:
        """Attempt an operation of the API."""
        headers = None if body is None else {"Content-Type": "application/json"}
        url = self._endpoint.origin + location
        try:
            for _ in range(REDIRECTS + 1):
                with self.transport.send(
                    operation.method, url, trusted=True, headers=headers, body=body, limit=_WIRE
                ) as answer:
                    if answer.status not in MOVED:
                        return self._judge(operation, answer)
                    url = self._moved(operation, url, answer)
        except TransportError as error:
            return self._lose(operation.id, error)
        return self._lose(operation.id, TransportError("too many redirects", Fault.REFUSED))

    def document(self) -> Attempt:
        """Attempt to read the instance's OpenAPI document; the value is its operations."""
        try:
            if urlsplit(self._schema_url).scheme in ("http", "https"):
                is_own = origin_of(self._schema_url) == self._origin
                with self.transport.follow(encode(self._schema_url), trusted=is_own, limit=_WIRE) as answer:
                    if answer.status != 200:
                        return refuse(DOCUMENT, answer.status, answer.headers, b"", self._excerpts)
                    text = answer.read(LARGEST)
            else:
                text = _read_file(self._schema_url.removeprefix("file://"))
            return Attempt(read_operations(answers.parse(text)))
        except answers.AnswerError as error:
            return lose(DOCUMENT, f"{presentable(self._schema_url)}: it {error}", Fault.GARBLED)
        except TransportError as error:
            return lose(DOCUMENT, f"{presentable(self._schema_url)}: {error.reason}", error.fault)

    def download(
        self, file: IO[bytes], label: str, url: str, *, is_operation: bool = False, **promised: Any
    ) -> Download:
        """The attempts at writing a remote file, or what an operation leads to, into a local one."""
        from arkworker.arkindex.client.transfers import Download

        url = self._endpoint.origin + url if is_operation else url
        return Download(self.transport, file, self._excerpts, label, url, is_operation, **promised)

    def _judge(self, operation: Operation, answer: Answer) -> Attempt:
        if answer.status >= 400:
            attempt = refuse(operation.id, answer.status, answer.headers, answer.read_error(), self._excerpts)
        else:
            try:
                attempt = judge(operation, answer.status, answer.read(LARGEST), self._excerpts)
            except TransportError as error:
                attempt = self._lose(operation.id, error, status=answer.status)
        if attempt.fault not in (None, Fault.REFUSED):
            self.transport.reconnect()  # the next attempt may reach another server behind the same name
        return attempt

    def _moved(self, operation: Operation, url: str, answer: Answer) -> str:
        """Where a redirect leads: the token follows within its own origin, and nothing that writes does.

        Raises:
            TransportError: It leads elsewhere.
        """
        target = redirect_target(url, answer.headers.get("Location", ""))
        if operation.writes or origin_of(target) != self._origin:
            shown = self._excerpts.of(target)
            raise TransportError(
                f"redirected to {shown}, where the token is not sent: correct ARKINDEX_API_URL", Fault.REFUSED
            )
        return target

    def _lose(self, operation: str, error: TransportError, *, status: int | None = None) -> Attempt:
        reason = f"{self._endpoint.origin}: {error.reason}"
        return lose(operation, reason, error.fault, status=status if error.fault is Fault.GARBLED else None)


def _read_file(path: str) -> bytes:
    """A regular file of at most 64 MiB.

    Raises:
        TransportError: There is none.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is not a valid path"
    else:
        if len(content) <= LARGEST:
            return content
        reason = "is larger than 64 MiB"
    raise TransportError(reason, Fault.REFUSED)


def read_operations(document: Any) -> dict[str, Operation]:
    """The operations of a document, by id; what makes no sense in it is left out.

    Raises:
        AnswerError: It is not an OpenAPI document.
    """
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, dict):
        raise answers.AnswerError("is not an OpenAPI document")
    return {operation.id: operation for path, methods in paths.items() for operation in _of_path(path, methods)}


def _of_path(path: str, methods: Any) -> Iterator[Operation]:
    if not isinstance(methods, dict) or not _PATH.fullmatch(path):
        return
    for method in _METHODS:
        details = methods.get(method)
        if isinstance(details, dict) and isinstance(details.get("operationId"), str):
            query = (*_query_names(methods), *_query_names(details))
            answer: Promise = "nothing" if method == "delete" else "anything"
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
