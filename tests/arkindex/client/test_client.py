"""The client's own doors: what it refuses, what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client.table import OPERATIONS
from arkworker.errors import ApiContentError, ExitCode, ReadOnlyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faulty_server import FaultyServer

    from arkworker.arkindex.client import Client

WRITES = [operation for operation in OPERATIONS.values() if operation.writes]


def test_an_answer_is_plain_json(server: FaultyServer, client: Client) -> None:
    """As the server sent it."""
    element = {"id": "1", "zone": {"polygon": [[0, 0], [1, 1.5]]}, "confidence": None, "mirrored": False}
    server.plays(server.json(element))

    assert client.request("RetrieveElement", id="1") == element


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.id)
def test_read_only_mode_sends_nothing_that_writes(
    operation: Any, server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """Every operation of the table that writes is refused before anything is sent."""
    client = make_client(server.origin, read_only=True)

    with pytest.raises(ReadOnlyError, match=operation.id) as caught:
        client.request(operation.id, {})

    assert (server.received, caught.value.exit_code) == ([], ExitCode.FAILED)


def test_read_only_mode_reads(server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """What does not write is sent."""
    assert make_client(server.origin, read_only=True).request("RetrieveElement", id="1") == {}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_operation_that_promises_nothing_answers_none(status: int, server: FaultyServer, client: Client) -> None:
    """Its status is its answer."""
    server.plays(server.raw(f"HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n".encode(), keep=True))

    assert client.request("DestroyDatasetElement", dataset="1", element="2", set="train") is None


def test_a_page_is_no_success_even_where_nothing_is_promised(server: FaultyServer, client: Client) -> None:
    """A proxy's login page does not report an element."""
    server.plays(server.reply(200, b"<html>"))

    with pytest.raises(ApiContentError):
        client.request("UpdateWorkerActivity", {"state": "processed"}, id="1")


@pytest.mark.parametrize(
    "body",
    [float("nan"), {"a": float("inf")}, {"a": object()}, {1, 2}, b"bytes", {("a",): 1}],
    ids=["nan", "infinity", "object", "set", "bytes", "tuple as key"],
)
def test_a_body_that_is_no_json_is_refused(body: Any, server: FaultyServer, client: Client) -> None:
    """Before anything is sent, and without its text."""
    with pytest.raises(UsageError, match="the body of CreateElement is not JSON"):
        client.request("CreateElement", body)

    assert server.received == []


def test_a_body_without_end_is_refused(server: FaultyServer, client: Client) -> None:
    """It holds itself."""
    body: list[Any] = []
    body.append(body)

    with pytest.raises(UsageError, match="not JSON"):
        client.request("CreateElement", body)

    assert server.received == []


def test_what_reads_takes_no_body(client: Client) -> None:
    """A GET with a body is a mistake."""
    with pytest.raises(UsageError, match="takes no body"):
        client.request("RetrieveElement", {"id": "1"}, id="1")


def test_a_body_may_be_a_list_or_empty(server: FaultyServer, client: Client) -> None:
    """Any JSON that is not null."""
    client.request("CreateElement", [])
    client.request("CreateElement", {"name": "é"})

    assert [request.body for request in server.received] == [b"[]", b'{"name": "\\u00e9"}']


@pytest.mark.parametrize("id_", ["../corpus/1", "", ".", "a\nb", None])
def test_an_odd_id_reaches_no_server(id_: Any, server: FaultyServer, client: Client) -> None:
    """It would become another operation."""
    with pytest.raises(UsageError):
        client.request("RetrieveElement", id=id_)

    assert server.received == []


def test_a_plain_list_is_what_some_operations_answer(server: FaultyServer, client: Client) -> None:
    """The table knows which."""
    server.plays(server.json([{"id": "1"}]))

    assert client.request("ListArtifacts", id="1") == [{"id": "1"}]
