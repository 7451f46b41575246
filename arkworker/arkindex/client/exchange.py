"""One attempt at each thing that a client does over the network; nothing here repeats or waits."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from arkworker.arkindex.client import content, transfers
from arkworker.arkindex.client.answers import judge, lose, refuse
from arkworker.arkindex.client.attempts import Attempt, Fault
from arkworker.arkindex.client.connection import origin_of
from arkworker.arkindex.client.document import read_operations
from arkworker.arkindex.client.downloads import Download
from arkworker.arkindex.client.excerpts import mask_query
from arkworker.arkindex.client.failures import TransportError
from arkworker.arkindex.client.transport import Answer, Transport

if TYPE_CHECKING:
    import threading

    from arkworker.arkindex.client.connection import Connection, Endpoint
    from arkworker.arkindex.client.excerpts import Excerpts
    from arkworker.arkindex.client.operations import Operation
    from arkworker.arkindex.client.remote import RemoteFile, Upload
    from arkworker.clock import Clock

LARGEST = 64 << 20  # bytes of a decompressed body
_WIRE = LARGEST + (1 << 20)  # bytes of a whole answer, its headers included
DOCUMENT = "OpenAPI document"


class Exchange:
    """Makes attempts at one instance."""

    def __init__(
        self, connection: Connection, endpoint: Endpoint, clock: Clock, ended: threading.Event, excerpts: Excerpts
    ) -> None:
        self._endpoint = endpoint
        self._excerpts = excerpts
        self._schema_url = connection.schema_url or f"{endpoint.origin}/api/v1/openapi/?format=json"
        self._origin = origin_of(endpoint.origin)
        self._transport = Transport(connection, endpoint, clock, ended)
        self.end = self._transport.end
        self.close = self._transport.close

    def call(self, operation: Operation, location: str, body: bytes | None) -> Attempt:
        """Attempt an operation of the API."""
        headers = None if body is None else {"Content-Type": "application/json"}
        url = self._endpoint.origin + location
        try:
            for _ in range(transfers.REDIRECTS + 1):
                with self._transport.send(
                    operation.method, url, trusted=True, headers=headers, body=body, limit=_WIRE
                ) as answer:
                    if answer.status not in transfers.MOVED:
                        return self._judge(operation, answer)
                    url = self._moved(operation, url, answer)
        except TransportError as error:
            return self._lose(operation.id, error)
        return self._lose(operation.id, TransportError("the redirects do not end", Fault.REFUSED))

    def document(self) -> Attempt:
        """Attempt to read the instance's OpenAPI document; the value is its operations."""
        try:
            if urlsplit(self._schema_url).scheme in ("http", "https"):
                is_own = origin_of(self._schema_url) == self._origin
                with transfers.follow(self._transport, self._schema_url, trusted=is_own, limit=_WIRE) as answer:
                    if answer.status != 200:
                        return refuse(DOCUMENT, answer.status, answer.headers, b"", self._excerpts)
                    text = answer.read(LARGEST)
            else:
                text = _read_file(Path(self._schema_url.removeprefix("file://")))
            return Attempt(read_operations(content.parse(text)))
        except content.ContentError as error:
            return lose(DOCUMENT, f"{mask_query(self._schema_url)}: it {error}", Fault.GARBLED)
        except TransportError as error:
            return lose(DOCUMENT, f"{mask_query(self._schema_url)}: {error.reason}", error.fault)

    def download(self, remote: RemoteFile, file: IO[bytes]) -> Download:
        """The attempts at writing a remote file into a local one."""
        if remote.is_operation:
            remote = replace(remote, url=self._endpoint.origin + remote.url)
        return Download(self._transport, remote, file, self._excerpts)

    def upload(self, upload: Upload) -> Attempt:
        """Attempt to PUT a file; the value is the headers of the answer."""
        return transfers.upload(self._transport, upload)

    def _judge(self, operation: Operation, answer: Answer) -> Attempt:
        if answer.status >= 400:
            attempt = refuse(operation.id, answer.status, answer.headers, answer.read_error(), self._excerpts)
        else:
            try:
                attempt = judge(operation, answer.status, answer.read(LARGEST), self._excerpts)
            except TransportError as error:
                attempt = self._lose(operation.id, error, status=answer.status)
        if attempt.fault not in (None, Fault.REFUSED):
            self._transport.reconnect()  # the next attempt may reach another server behind the same name
        return attempt

    def _moved(self, operation: Operation, url: str, answer: Answer) -> str:
        """Where a redirect leads: the token follows within its own origin, and nothing that writes does.

        Raises:
            TransportError: It leads elsewhere.
        """
        target = transfers.redirect_target(url, answer.headers.get("Location", ""))
        if operation.writes or origin_of(target) != self._origin:
            shown = self._excerpts.of(target)
            raise TransportError(
                f"redirected to {shown}, where the token is not sent: correct ARKINDEX_API_URL", Fault.REFUSED
            )
        return target

    def _lose(self, operation: str, error: TransportError, *, status: int | None = None) -> Attempt:
        reason = f"{self._endpoint.origin}: {error.reason}"
        return lose(operation, reason, error.fault, status=status if error.fault is Fault.GARBLED else None)


def _read_file(path: Path) -> bytes:
    """A regular file of at most 64 MiB.

    Raises:
        TransportError: There is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe must not wait for its writer
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                raise TransportError("not a regular file of at most 64 MiB", Fault.REFUSED)
            return file.read(LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
    raise TransportError(reason, Fault.REFUSED)
