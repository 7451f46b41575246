"""`context.api`: operations of the Arkindex API, by id."""

from __future__ import annotations

import copy
import json
import threading
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client.attempts import Job, Outcome, Retries, RetryBudget
from arkworker.arkindex.client.operations import Operation, nearest
from arkworker.arkindex.client.pages import Paginator
from arkworker.arkindex.client.table import OPERATIONS
from arkworker.clock import Clock, SystemClock
from arkworker.errors import ReadOnlyError, UsageError
from arkworker.text import SignedAddress, presentable
from arkworker.transport import connection as connections

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arkworker.arkindex.client.attempts import Attempt
    from arkworker.arkindex.client.exchange import Exchange
    from arkworker.transport.connection import Connection
    from arkworker.transport.transport import Transport


class Client:
    """Sends operations to one instance; for any number of threads and processes.

    Args:
        connection: Where and how.
        read_only: Whether an operation that writes is refused before anything is sent.
        clock: The clock to wait with between attempts; the real one by default.
        budget: How often the whole run may repeat a request; clients of one run share one.
        jitter: Seconds added to each wait, at random between 0 and this.
        careful: Whether an operation that writes, and cannot be repeated safely, is never sent again once it may have
            been applied, not even after a 5xx: for a caller who then looks whether it was.

    Raises:
        ConfigurationError: The connection cannot work.
    """

    def __init__(  # noqa: PLR0913 - keywords, each with a default
        self,
        connection: Connection,
        *,
        read_only: bool = False,
        clock: Clock | None = None,
        budget: RetryBudget | None = None,
        jitter: float = 0.0,
        careful: bool = False,
    ) -> None:
        self._connection = connection
        self._read_only = read_only
        self._careful = careful
        connections.check(connection)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._retries = Retries(clock or SystemClock(), budget or RetryBudget(), jitter, self._ended)
        self._exchange: Exchange | None = None
        self._document: Mapping[str, Operation] | None = None
        connections.warn(connection)

    @property
    def clock(self) -> Clock:
        """The clock to wait with between attempts, for a caller that makes attempts of its own."""
        return self._retries.clock

    def request(self, operation_id: str, body: Any = None, **parameters: Any) -> Any:
        """Perform an operation.

        Args:
            operation_id: Such as `RetrieveElement`.
            body: What to send as JSON.
            parameters: Those of path and query; a query parameter of None is left out.

        Returns:
            The parsed JSON; None when the server promises and sends none.

        Raises:
            ApiError: It failed; `uncertain` says whether it may have been applied nevertheless.
            ReadOnlyError: It writes, and this client only reads. Nothing was sent.
            UsageError: The operation or a parameter does not exist, or the body is not JSON. Nothing was sent.
        """
        return self.request_with_outcome(operation_id, body, **parameters).value

    def request_with_outcome(
        self,
        operation_id: str,
        body: Any = None,
        *,
        idempotent: bool | None = None,
        careful: bool | None = None,
        **parameters: Any,
    ) -> Outcome:
        """As `request`, and return how many attempts may have been applied although their answer was lost.

        Args:
            operation_id: Such as `StartWorkerActivity`.
            body: What to send as JSON.
            idempotent: Whether doing it twice is doing it once; by default as the method says: GET, PUT and
                DELETE are, POST and PATCH are not. The claim `StartWorkerActivity` is repeated and counted.
            careful: As for the client, for this request alone.
            parameters: Those of path and query.
        """
        operation = self._find(operation_id, parameters)
        self._check_mode(operation.id, writes=operation.writes)
        location = operation.locate(parameters)
        content = _encode(operation, body)
        exchange = self._get_exchange()
        repeatable = operation.repeatable if idempotent is None else idempotent
        is_careful = self._careful if careful is None else careful
        job = Job(operation.id, operation.writes, repeatable, careful=is_careful and not repeatable)
        return self._retries.perform(lambda: exchange.call(operation, location, content), job)

    def paginate(self, operation_id: str, body: Any = None, **parameters: Any) -> Paginator:
        """The items of a list that comes in pages; each page is requested when its first item is asked for.

        Raises:
            ApiError, UsageError: As `request`, and the operation is not paginated.
        """
        operation = self._find(operation_id, parameters)
        if operation.pages is None:
            raise UsageError(f"{operation.id} has no pages: use request")
        operation.locate(parameters)  # a mistake is reported here, not at the first item
        return Paginator(operation, parameters, lambda page: self.request(operation_id, body, **page))

    def has_operation(self, operation_id: str) -> bool:
        """Whether the instance itself, by its OpenAPI document, has an operation.

        Raises:
            ApiError: The document cannot be retrieved.
        """
        return operation_id in self._get_document()

    def download(
        self,
        operation_id: str,
        destination: Path,
        *,
        size: int | None = None,
        md5: str | None = None,
        **parameters: Any,
    ) -> Path:
        """Write the file that an operation leads to; redirects are followed without the token.

        After a cut it goes on where it was, when the server can do that for the very same version, and starts over
        otherwise.

        Args:
            operation_id: Such as `DownloadArtifact`.
            destination: The file to write or replace; it changes only once the whole file is there.
            size: The number of bytes to expect.
            md5: Hexadecimal digest that the file must have.
            parameters: Those of path and query.

        Raises:
            ApiError: The file could not be downloaded completely and as announced.
            ArkworkerError: The disk refuses it.
        """
        operation = self._find(operation_id, parameters)
        if operation.method != "GET":
            raise UsageError(f"{operation.id} does not download a file")
        location = operation.locate(parameters)
        return self._download(operation.id, location, destination, is_operation=True, size=size, md5=md5)

    def download_url(self, url: str, destination: Path, *, size: int | None = None, md5: str | None = None) -> Path:
        """Write the file at an address, with no credentials: presigned addresses, images. As `download`."""
        url = SignedAddress.of(url)
        return self._download(f"GET {_shown(url)}", url, destination, size=size, md5=md5)

    def upload_url(  # noqa: PLR0913 - keywords: what is sent, and of which file how much
        self,
        url: str,
        source: Path,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        offset: int = 0,
        length: int | None = None,
    ) -> Mapping[str, str]:
        """PUT a file at an address, streamed, with no credentials.

        Args:
            url: The address, which is its own permission.
            source: A regular file.
            content_type: The type of the file; none is sent by default.
            headers: More headers.
            offset: The first byte of the file to send.
            length: How many bytes of it; all the rest by default.

        Returns:
            The headers of the answer, such as `ETag`; their case does not matter.

        Raises:
            ApiError: The storage does not take it.
            ArkworkerError: The file cannot be read, or has not that many bytes.
            ReadOnlyError: This client only reads.
        """
        url = SignedAddress.of(url)
        label = f"PUT {_shown(url)}"
        self._check_mode(label, writes=True)
        sent = {**(headers or {}), **({"Content-Type": content_type} if content_type else {})}
        exchange = self._get_exchange()
        from arkworker.arkindex.client.transfers import send_file

        def attempt() -> Attempt:
            return send_file(exchange.transport, label, url, source, sent, offset=offset, length=length)

        answer: Mapping[str, str] = self._retries.perform(attempt, Job(label, writes=True, repeatable=True)).value
        return answer

    @property
    def transport(self) -> Transport:
        """The HTTP stack of this client, for what is not an operation, such as images; it ends and closes with it."""
        return self._get_exchange().transport

    def twin(self, clock: Clock | None = None, budget: RetryBudget | None = None) -> Client:
        """A client of the same instance, in the same mode, that can be ended alone: claims are, while reports go on.

        It has connections of its own. What makes the connection unsafe is not warned of again.

        Args:
            clock: The clock to wait with between attempts; the same by default.
            budget: How often requests may be repeated; the same by default.
        """
        other = copy.copy(self)
        other._ended, other._lock, other._exchange = threading.Event(), threading.Lock(), None  # noqa: SLF001 - its own
        retries = self._retries
        other._retries = retries._replace(  # noqa: SLF001 - as above
            clock=clock or retries.clock,
            budget=budget or retries.budget,
            ended=other._ended,  # noqa: SLF001
        )
        return other

    def end(self) -> None:
        """End the requests and waits under way in every thread, at once, and refuse later ones; from any thread.

        A request that is cut off raises ApiUnavailableError, whose `uncertain` says whether it may have been applied.
        The clock belongs to the caller, who wakes it.
        """
        self._ended.set()
        if self._exchange is not None:
            self._exchange.transport.end()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._exchange is not None:
            self._exchange.transport.close()

    def _download(self, label: str, url: str, destination: Path, **promised: Any) -> Path:
        from arkworker.storage.exclusive import blaming  # few runs download a file
        from arkworker.storage.files import replacing

        exchange = self._get_exchange()
        with blaming(destination), replacing(destination) as file:
            download = exchange.download(file, label, url, **promised)
            self._retries.perform(download.attempt, Job(label, writes=False, repeatable=True))
        return destination

    def _check_mode(self, operation: str, *, writes: bool) -> None:
        if writes and self._read_only:
            raise ReadOnlyError(f"{operation} writes, and this run is read-only: nothing was sent")

    def _find(self, operation_id: str, parameters: Mapping[str, Any]) -> Operation:
        known = OPERATIONS.get(operation_id)
        if known is None:
            known = self._get_document().get(operation_id)
            if known is None:
                hint = nearest(operation_id, (*OPERATIONS, *self._get_document()))
                raise UsageError(f"this instance has no operation {operation_id!r}{hint}")
        elif not known.accepts(parameters):
            # The instance may know parameters that the table does not; without its document they are mistakes.
            return self._document_if_available().get(operation_id, known)
        return known

    def _get_document(self) -> Mapping[str, Operation]:
        if self._document is None:
            job = Job("OpenAPI document", writes=False, repeatable=True)
            self._document = self._retries.perform(self._get_exchange().document, job).value
        return self._document or {}

    def _document_if_available(self) -> Mapping[str, Operation]:
        """The operations of the instance; none of them where the one attempt to read its document fails."""
        if self._document is None:
            self._document = self._get_exchange().document().value
        return self._document or {}

    def _get_exchange(self) -> Exchange:
        if self._exchange is None:
            from arkworker.arkindex.client.exchange import Exchange  # only a request pays for requests
            from arkworker.transport.transport import Transport

            new = Exchange(self._connection, Transport(self._connection, self._retries.clock, self._ended))
            with self._lock:
                if self._exchange is None:
                    self._exchange = new
        return self._exchange


def _encode(operation: Operation, body: Any) -> bytes | None:
    if body is None:
        return None
    if not operation.writes:
        raise UsageError(f"{operation.id} takes no body")
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, TypeError) else type(error).__name__
    raise UsageError(f"the body of {operation.id} is not JSON: {reason}")


def _shown(url: str) -> str:
    if connections.origin_of(url) is None:
        raise UsageError("a file is transferred to or from a web address, http:// or https://")
    return presentable(url)
