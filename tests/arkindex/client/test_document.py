"""The instance's own OpenAPI document: for operations that the table does not know."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client.answers import AnswerError
from arkworker.arkindex.client.exchange import read_operations
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ApiUnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

QUERY = [{"in": "query", "name": "order"}]
DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/api/v1/thing/{id}/": {
            "parameters": [{"in": "path", "name": "id"}],
            "get": {"operationId": "RetrieveThing", "parameters": QUERY},
            "delete": {"operationId": "DestroyThing"},
        },
        "/api/v1/things/": {
            "get": {"operationId": "ListThings", "parameters": [{"in": "query", "name": "page"}]},
            "post": {"operationId": "CreateThing"},
        },
        "/api/v1/element/{id}/": {"get": {"operationId": "RetrieveElement", "parameters": QUERY}},
    },
}


def test_an_unknown_operation_is_looked_up_once(server: FaultyServer, client: Client) -> None:
    """On its first use, at the instance's own address, with its token."""
    server.plays(server.json(DOCUMENT), server.json({"id": "1"}), server.json(["any"]))

    answers = [client.request("RetrieveThing", id="1", order="name"), client.request("RetrieveThing", id="2")]

    assert answers == [{"id": "1"}, ["any"]]
    assert [request.target for request in server.received] == [
        "/api/v1/openapi/?format=json",
        "/api/v1/thing/1/?order=name",
        "/api/v1/thing/2/",
    ]


def test_a_known_operation_needs_no_document(server: FaultyServer, client: Client) -> None:
    """Nothing is downloaded at start."""
    client.request("RetrieveElement", id="1")

    assert [request.path for request in server.received] == ["/api/v1/element/1/"]


def test_pages_and_writes_are_known_from_the_document(
    server: FaultyServer, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """So that an unknown list is paginated, and an unknown write is refused in read-only mode."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(DOCUMENT))
    client = make_client(server.origin, connection={"schema_url": str(path)}, read_only=True)
    server.plays(server.json({"results": [1], "next": None}))

    assert list(client.paginate("ListThings")) == [1]
    with pytest.raises(Exception, match="CreateThing writes"):
        client.request("CreateThing", {})


def test_a_parameter_that_only_the_instance_knows_is_sent(server: FaultyServer, client: Client) -> None:
    """The table knows what workers use; the instance may know more."""
    server.plays(server.json(DOCUMENT), server.json({"id": "1"}))

    client.request("RetrieveElement", id="1", order="name")

    assert server.received[-1].target == "/api/v1/element/1/?order=name"


def test_a_mistyped_parameter_is_told_although_there_is_no_document(
    server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """With no wait: the document is not asked for twice."""
    server.plays(server.reply(500))

    with pytest.raises(UsageError, match="no parameter 'idd'; did you mean id"):
        client.request("RetrieveElement", idd="1")

    assert clock.waits == []


def test_an_operation_that_nobody_knows_names_the_nearest(server: FaultyServer, client: Client) -> None:
    """As everything that a person types."""
    server.plays(server.json(DOCUMENT))

    with pytest.raises(UsageError, match="no operation 'RetrieveElemnt'; did you mean RetrieveElement"):
        client.request("RetrieveElemnt", id="1")


def test_the_instance_says_which_operations_it_has(server: FaultyServer, client: Client) -> None:
    """The table does not count: it knows both editions."""
    server.plays(server.json(DOCUMENT))

    assert (client.has_operation("RetrieveThing"), client.has_operation("RetrieveSecret")) == (True, False)
    assert len(server.received) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"paths": []}', b""])
def test_without_a_document_nothing_is_guessed(body: bytes, server: FaultyServer, client: Client) -> None:
    """What is not a document is an error, tried again like any other."""
    server.plays(server.reply(200, body))

    with pytest.raises(ApiContentError, match="OpenAPI document"):
        client.has_operation("RetrieveSecret")

    assert len(server.received) == 5


def test_a_document_that_cannot_be_had_is_asked_for_again_later(server: FaultyServer, client: Client) -> None:
    """A failure is not remembered."""
    server.plays(server.reply(404), server.json(DOCUMENT))

    with pytest.raises(ApiResponseError):
        client.has_operation("RetrieveThing")

    assert client.has_operation("RetrieveThing")


def test_a_document_elsewhere_is_fetched_without_the_token(
    server: FaultyServer, other_server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """Its address is a setting, and another origin."""
    client = make_client(server.origin, connection={"schema_url": f"{other_server.origin}/schema.json?key=abc"})
    other_server.plays(server.json(DOCUMENT))

    assert client.has_operation("RetrieveThing")
    assert "authorization" not in other_server.received[0].headers


def test_a_document_that_moved_is_fetched_without_the_token(
    server: FaultyServer, other_server: FaultyServer, client: Client
) -> None:
    """A redirect carries no credentials."""
    server.plays(server.redirect(other_server.origin))
    other_server.plays(server.json(DOCUMENT))

    assert client.has_operation("RetrieveThing")
    assert "authorization" not in other_server.received[0].headers


def test_a_document_may_be_a_file(server: FaultyServer, make_client: Callable[..., Client], tmp_path: Path) -> None:
    """Then nothing is requested."""
    (tmp_path / "a b.json").write_text(json.dumps(DOCUMENT))

    for url in (str(tmp_path / "a b.json"), f"file://{tmp_path}/a b.json"):
        assert make_client(server.origin, connection={"schema_url": url}).has_operation("RetrieveThing")
    assert server.received == []


def test_the_address_of_a_document_is_sent_as_it_should_be(
    server: FaultyServer, other_server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """A host alone, or a path with blanks: as the addresses of files."""
    for origin, playing in ((server.origin, server), (other_server.origin, other_server)):
        for path, target in (("", "/"), ("/a b.json", "/a%20b.json")):
            playing.plays(playing.json(DOCUMENT))

            assert make_client(server.origin, connection={"schema_url": f"{origin}{path}"}).has_operation("ListThings")
            assert playing.received[-1].target == target


@pytest.mark.parametrize("name", ["missing.json", "pipe", ".", "nul\0"])
def test_a_file_that_is_none_is_an_error_at_once(
    name: str, server: FaultyServer, make_client: Callable[..., Client], tmp_path: Path, clock: ManualClock
) -> None:
    """Nothing blocks, nothing is waited for."""
    os.mkfifo(tmp_path / "pipe")
    client = make_client(server.origin, connection={"schema_url": f"{tmp_path}/{name}"})

    with pytest.raises(ApiUnavailableError, match="OpenAPI document") as caught:
        client.has_operation("RetrieveThing")

    assert (clock.waits, str(caught.value).isprintable()) == ([], True)


@pytest.mark.parametrize(
    "paths",
    [
        {"//evil.org/x": {"get": {"operationId": "X"}}, "@evil.org": {"get": {"operationId": "X"}}},
        {"/x?y=z": {"get": {"operationId": "X"}}, "/x\r\nA: b": {"get": {"operationId": "X"}}},
        {"/x": None, "/y": [], "/z": {"get": None}},
        {"/x": {"get": {"operationId": 5}}, "/y": {"get": {}}},
        {"/x": {"parameters": [], "servers": [], "x-get": {"operationId": "X"}}},
    ],
)
def test_what_makes_no_sense_in_a_document_is_left_out(paths: Any) -> None:
    """It is the instance's, and still only text from outside."""
    assert read_operations({"paths": paths}) == {}


@pytest.mark.parametrize("parameters", [None, "x", [None], [{"in": "query"}], [{"in": "query", "name": 5}]])
def test_odd_parameters_are_no_parameters(parameters: Any) -> None:
    """The operation stays."""
    document = {"paths": {"/x": {"get": {"operationId": "X", "parameters": parameters}}}}

    assert read_operations(document)["X"].query == ()


def test_a_plain_list_is_not_paginated() -> None:
    """The extension `x-paginated` says so."""
    details = {"operationId": "X", "parameters": [{"in": "query", "name": "page"}], "x-paginated": False}

    assert read_operations({"paths": {"/x": {"get": details}}})["X"].pages is None


@pytest.mark.parametrize("document", [None, [], {}, {"paths": None}, {"paths": []}, "x"])
def test_what_is_no_document_is_refused(document: Any) -> None:
    """It has no paths."""
    with pytest.raises(AnswerError):
        read_operations(document)


def test_an_error_about_the_document_hides_its_query(
    other_server: FaultyServer, server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """A key may be in it."""
    client = make_client(server.origin, connection={"schema_url": f"{other_server.origin}/s.json?key=abc"})
    other_server.plays(server.reply(200, b"no"))

    with pytest.raises(ApiError) as caught:
        client.has_operation("X")

    assert "abc" not in str(caught.value)
