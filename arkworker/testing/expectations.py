"""A strict Arkindex in this process: it answers expected requests, and remembers all others."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests_mock

from arkworker.clock import SystemClock
from arkworker.errors import UsageError
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from arkworker.arkindex.client import Connection
    from arkworker.arkindex.client.operations import Operation

URL = "https://arkindex.test/"
TOKEN = "test-token"  # noqa: S105 - it opens nothing
# Neither repeated by the client, nor taken for the answer of an older instance.
_REFUSAL = 418
_ARKINDEX = pytest.StashKey["Arkindex"]()
_PLUGIN = "arkworker-verification"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived.

    Attributes:
        method: The HTTP method.
        path: The path, without the query.
        query: Every parameter of the query with its values, in order.
        body: The body: parsed where it is JSON, text otherwise, bytes where it is not text; None without one.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any

    def __str__(self) -> str:
        body = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else self.body
        body = "" if body is None else f" {json.dumps(body, ensure_ascii=False)}"
        return printable(f"{self.method} {self.path}{body}", 300)


@dataclass(slots=True, eq=False)
class Expectation:
    """An expected request, and its answer.

    Attributes:
        name: The operation, or the address.
        received: The requests that came, in order.
    """

    name: str
    method: str
    path: re.Pattern[str]
    query: dict[str, list[str]]
    body: Any
    answer: Any
    status: int
    times: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    @property
    def is_missing(self) -> bool:
        """Whether fewer requests came than were expected."""
        return self.times is not None and len(self.received) < self.times

    def matches(self, received: Received) -> bool:
        """Whether this request is one that is expected, and still to come."""
        return (
            (self.times is None or len(self.received) < self.times)
            and received.method == self.method
            and self.path.fullmatch(received.path) is not None
            and all(received.query.get(name) == values for name, values in self.query.items())
            and self.body in (..., received.body)
        )


class Arkindex:
    """The fixture `arkindex`.

    Attributes:
        url: What `ARKINDEX_API_URL` is when the fixtures `invoke` and `make_context` are used together with it.
        requests: Every request that came, in order.
    """

    def __init__(self) -> None:
        self.url = URL
        self.requests: list[Received] = []
        self._expectations: list[Expectation] = []
        self._unexpected: list[Received] = []
        self._lock = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a worker here."""
        return {"ARKINDEX_API_URL": self.url, "ARKINDEX_API_TOKEN": TOKEN}

    @property
    def connection(self) -> Connection:
        """What leads a client here."""
        from arkworker.arkindex.client import Connection

        return Connection(url=self.url, token=TOKEN)

    def expect(
        self,
        operation: str,
        answer: Any = None,
        *,
        body: Any = ...,
        status: int = 200,
        times: int | None = 1,
        **parameters: Any,
    ) -> Expectation:
        """Expect an operation; if several match a request, the oldest that is still open counts.

        Args:
            operation: Its id, such as `RetrieveElement`.
            answer: What to answer, as JSON; the items, for an operation that answers page by page.
            body: The body that must be sent; any, unless given.
            status: The HTTP status.
            times: How often it must come; None for any number of times, including none.
            parameters: Of path and query; those left out may be anything.

        Raises:
            UsageError: The operation does not exist, or has no such parameter.
        """
        known = _operation(operation)
        path, query = _place(known, parameters)
        if known.pages and isinstance(answer, list | tuple):
            answer = {"count": len(answer), "next": None, "previous": None, "results": list(answer)}
        elif answer is None and known.answer == "object":
            answer = {}
        return self._add(Expectation(operation, known.method, path, query, body, answer, status, times))

    def expect_address(
        self,
        path: str,
        answer: Any = None,
        *,
        method: str = "GET",
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
    ) -> Expectation:
        """Expect a request by its path, on any host: an image, a file, an operation that is not in the table.

        Args:
            path: Such as `/iiif/page.jpg/full/full/0/default.jpg`; without the query.
            answer: Bytes, answered as they are; anything else as JSON.
            method: The HTTP method.
            times: How often it must come; None for any number of times, including none.
            headers: Of the answer, such as the `ETag` of a storage.
        """
        pattern = re.compile(re.escape(path))
        return self._add(Expectation(path, method, pattern, {}, ..., answer, 200, times, headers or {}))

    def verify(self) -> None:
        """Fail the test when an unexpected request came, or an expected one did not; only once."""
        mistakes = self.take_mistakes()
        if mistakes:
            pytest.fail(mistakes, pytrace=False)

    def take_mistakes(self) -> str:
        """What differs from the expectations, line by line; given once."""
        with self._lock:
            lines = [f"unexpected request: {received}" for received in self._unexpected]
            lines += [_missing(item) for item in self._expectations if item.is_missing]
            self._expectations = [item for item in self._expectations if not item.is_missing]
            self._unexpected = []
        return "\n".join(lines)

    def _add(self, expectation: Expectation) -> Expectation:
        with self._lock:
            self._expectations.append(expectation)
        return expectation

    def _receive(self, received: Received) -> tuple[int, Any, Mapping[str, str]]:
        with self._lock:
            self.requests.append(received)
            for expectation in self._expectations:
                if expectation.matches(received):
                    expectation.received.append(received)
                    return expectation.status, expectation.answer, expectation.headers
            self._unexpected.append(received)
        return _REFUSAL, {"detail": f"the test does not expect {received}"}, {}


@contextmanager
def emulate() -> Iterator[Arkindex]:
    """Answer all that `requests` sends, from every thread of this process; waits between attempts take no time."""
    arkindex = Arkindex()

    def respond(request: Any) -> Any:
        status, answer, headers = arkindex._receive(_received(request))  # noqa: SLF001 - its own
        content = {"content": answer} if isinstance(answer, bytes) else {"json": answer}
        return requests_mock.create_response(request, status_code=status, headers=dict(headers), **content)

    with pytest.MonkeyPatch.context() as patch, requests_mock.Mocker(case_sensitive=True) as mocker:
        patch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)
        mocker.add_matcher(respond)
        yield arkindex


def watch(request: pytest.FixtureRequest, arkindex: Arkindex) -> None:
    """Verify an Arkindex when the test that asks for it has run: that test fails, not merely what comes after it.

    The hook for that is registered by the first test that has an Arkindex. Until then arkworker adds no hook to the
    tests of anybody, and hardly matters to a pytest that is older than the extra `testing` asks for.
    """
    request.node.stash[_ARKINDEX] = arkindex
    manager = request.config.pluginmanager
    if not manager.has_plugin(_PLUGIN):
        manager.register(_Verification(), _PLUGIN)


class _Verification:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            result = yield
        except BaseException as error:
            if _ARKINDEX in item.stash and (mistakes := item.stash[_ARKINDEX].take_mistakes()):
                error.add_note(mistakes)
            raise
        if _ARKINDEX in item.stash:
            item.stash[_ARKINDEX].verify()
        return result


def _received(request: Any) -> Received:
    parts = urlsplit(request.url)
    return Received(request.method, parts.path, parse_qs(parts.query, keep_blank_values=True), _readable(request.body))


def _readable(body: Any) -> Any:
    content = body.read() if hasattr(body, "read") else body  # a file is read as it is sent
    if not content:
        return None
    try:
        text = content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        return content
    try:
        return json.loads(text)
    except ValueError:
        return text


def _operation(name: str) -> Operation:
    from arkworker.arkindex.client.table import OPERATIONS

    if name not in OPERATIONS:
        nearest = did_you_mean(name, list(OPERATIONS))
        hint = nearest or "expect_address takes a path"
        raise UsageError(f"arkindex.expect: there is no operation {printable(name, 60)} in the table; {hint}")
    return OPERATIONS[name]


def _place(operation: Operation, parameters: dict[str, Any]) -> tuple[re.Pattern[str], dict[str, list[str]]]:
    """The pattern of the path, and the parameters of the query that must be there."""
    names = re.findall(r"\{([^{}]*)\}", operation.path)
    complete = dict.fromkeys(names, "any") | parameters
    location = urlsplit(operation.locate(complete))  # refuses what is unknown or cannot be sent
    pieces = re.split(r"\{([^{}]*)\}", operation.path)
    pattern = "".join(
        re.escape(piece) if number % 2 == 0 else _part(piece, parameters) for number, piece in enumerate(pieces)
    )
    return re.compile(pattern), parse_qs(location.query, keep_blank_values=True)


def _part(name: str, parameters: dict[str, Any]) -> str:
    return re.escape(quote(str(parameters[name]), safe="")) if name in parameters else "[^/]+"


def _missing(expectation: Expectation) -> str:
    count = f" {expectation.times} times" if expectation.times != 1 else ""
    came = f" (received: {len(expectation.received)})" if expectation.received else ""
    return f"expected{count}, but did not come: {expectation.name}{came}"
