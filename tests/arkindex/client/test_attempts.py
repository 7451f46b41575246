"""The retry contract, and its extension: what is repeated, after which waits, and what may have been applied."""

from __future__ import annotations

import logging
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import RetryBudget
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ApiUnavailableError, ExitCode, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faulty_server import FaultyServer, ManualClock

    from arkworker.arkindex.client import Client

CONTRACT = [3.0, 4.0, 8.0, 16.0]
READ = ("RetrieveElement", {"id": "1"})
PUT = ("UpdateWorkerActivity", {"id": "1", "body": {"state": "started"}})
CLAIM: tuple[str, dict[str, Any]] = ("StartWorkerActivity", {})
POST = ("CreateElement", {"body": {"name": "x"}})
PATCH = ("PartialUpdateElement", {"id": "1", "body": {"name": "x"}})
ALL = pytest.mark.parametrize(("operation", "arguments"), [READ, PUT, CLAIM, POST, PATCH], ids=lambda v: str(v)[:20])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("failures", [1, 2, 4])
def test_a_failing_server_is_tried_again(
    status: int, failures: int, server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """Up to four 5xx are waited out with the waits of the contract."""
    server.plays(*[server.reply(status)] * failures, server.json({"id": "1"}))

    outcome = client.request_with_outcome("RetrieveElement", id="1")

    assert (outcome.value, outcome.attempts, outcome.uncertain) == ({"id": "1"}, failures + 1, 0)
    assert clock.waits == CONTRACT[:failures]


@ALL
@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_fifth_error_is_raised_as_it_is(
    status: int, operation: str, arguments: dict[str, Any], server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """Five attempts, four waits, whatever the operation does; then the error of the server itself."""
    server.plays(*[server.reply(500)] * 4, server.json({"detail": "fifth"}, status))

    with pytest.raises(ApiResponseError, match="fifth") as caught:
        client.request(operation, **arguments)

    assert (caught.value.status, caught.value.exit_code) == (status, ExitCode.UNAVAILABLE)
    assert (len(server.received), clock.waits) == (5, CONTRACT)


def test_each_wait_is_announced_before_it_starts(
    server: FaultyServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """The line names operation, status, attempt and wait, and for what writes that it may have been applied."""
    lines_at_waits: list[int] = []

    class Watch:
        def now(self) -> float:
            return 0.0

        def sleep(self, _seconds: float) -> None:
            lines_at_waits.append(len(caplog.messages))

    server.plays(server.reply(502), server.reply(500), server.json({}))
    make_client(server.origin, clock=Watch()).request("CreateElement", {"name": "x"})

    assert caplog.messages == [
        "CreateElement: status 502, attempt 1 of 5; it may have been applied; trying again in 3 s",
        "CreateElement: status 500, attempt 2 of 5; it may have been applied; trying again in 4 s",
    ]
    assert (lines_at_waits, {record.levelno for record in caplog.records}) == ([1, 2], {logging.WARNING})


@ALL
def test_a_refused_connection_is_tried_again(
    operation: str,
    arguments: dict[str, Any],
    refused_origin: str,
    make_client: Callable[..., Client],
    clock: ManualClock,
) -> None:
    """Nothing was sent, so that anything may be repeated, and nothing is uncertain."""
    with pytest.raises(ApiUnavailableError, match="connection refused") as caught:
        make_client(refused_origin).request(operation, **arguments)

    assert (clock.waits, caught.value.uncertain, caught.value.exit_code) == (CONTRACT, 0, ExitCode.UNAVAILABLE)


def test_an_unknown_host_is_tried_again(
    make_client: Callable[..., Client], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may have a bad moment too; nothing was sent."""

    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ApiUnavailableError, match="the host name is unknown"):
        make_client("http://arkindex.invalid").request("CreateElement", {"name": "x"})

    assert clock.waits == CONTRACT


def test_a_failed_handshake_is_tried_again(
    server: FaultyServer, make_client: Callable[..., Client], clock: ManualClock
) -> None:
    """A server that hangs up during TLS got nothing of the request."""
    origin = server.origin.replace("http:", "https:")

    with pytest.raises(ApiUnavailableError) as caught:
        make_client(origin).request("CreateElement", {"name": "x"})

    assert (clock.waits, caught.value.uncertain) == (CONTRACT, 0)


LOST = {
    "reset": lambda server: server.cut(b""),
    "reset in mid-body": lambda server: server.cut(),
    "cut": lambda server: server.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id'),
    "not JSON": lambda server: server.reply(200, b"<html>"),
    "of another shape": lambda server: server.reply(200, b"7"),
}


@pytest.mark.parametrize("kind", [kind for kind in LOST if kind != "of another shape"])
@pytest.mark.parametrize(("operation", "arguments", "uncertain"), [(*READ, 0), (*PUT, 2), (*CLAIM, 2)])
def test_a_lost_answer_is_asked_for_again_where_that_is_safe(
    kind: str, operation: str, arguments: dict[str, Any], uncertain: int, server: FaultyServer, client: Client
) -> None:
    """GET and PUT are repeated; so is a claim, but each loss of an answer to what writes is counted."""
    lose = LOST[kind](server)
    server.plays(lose, lose, server.json({"id": "1"}))

    outcome = client.request_with_outcome(operation, **arguments)

    assert (outcome.attempts, outcome.uncertain) == (3, uncertain)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize(("operation", "arguments"), [POST, PATCH])
def test_a_lost_answer_to_another_write_is_final(
    kind: str, operation: str, arguments: dict[str, Any], server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """What would be done twice is not repeated: the caller learns that it may have been done."""
    server.plays(LOST[kind](server))

    with pytest.raises(ApiError) as caught:
        client.request(operation, **arguments)

    assert (len(server.received), clock.waits, caught.value.uncertain) == (1, [], 1)


def test_a_caller_may_say_that_a_write_is_idempotent(server: FaultyServer, client: Client) -> None:
    """Then a lost answer is asked for again, and counted."""
    server.plays(server.cut(), server.json({"id": "1"}))

    outcome = client.request_with_outcome("CreateElement", {"name": "x"}, idempotent=True)

    assert (outcome.attempts, outcome.uncertain) == (2, 1)


def test_a_caller_may_say_that_a_write_is_not_idempotent(server: FaultyServer, client: Client) -> None:
    """Then even a PUT is sent once."""
    server.plays(server.cut())

    with pytest.raises(ApiUnavailableError):
        client.request_with_outcome("UpdateWorkerActivity", {}, id="1", idempotent=False)

    assert len(server.received) == 1


def test_a_refusal_after_a_lost_answer_says_that_one_was_lost(server: FaultyServer, client: Client) -> None:
    """The 409 on the repeat of a `started` whose first answer was lost means "ours": the error carries the count."""
    server.plays(server.cut(), server.json({"detail": "already started"}, 409))

    with pytest.raises(ApiResponseError) as caught:
        client.request("UpdateWorkerActivity", {"state": "started"}, id="1")

    assert (caught.value.status, caught.value.uncertain) == (409, 1)


def test_an_empty_queue_after_a_lost_claim_says_that_one_was_lost(server: FaultyServer, client: Client) -> None:
    """A claim that was lost is known even if the queue is empty now."""
    server.plays(server.reply(500), server.cut(), server.reply(404))

    with pytest.raises(ApiResponseError) as caught:
        client.request("StartWorkerActivity")

    assert (caught.value.status, caught.value.uncertain) == (404, 2)


@pytest.mark.parametrize(("operation", "arguments"), [PUT, CLAIM, POST])
def test_a_failing_server_may_have_acted(
    operation: str, arguments: dict[str, Any], server: FaultyServer, client: Client
) -> None:
    """A 5xx to what writes is counted, although it is repeated."""
    server.plays(server.reply(500), server.reply(503), server.json({}))

    assert client.request_with_outcome(operation, **arguments).uncertain == 2


@pytest.mark.parametrize(("operation", "arguments"), [PATCH, POST])
def test_a_careful_client_lets_its_caller_look_first(
    operation: str, arguments: dict[str, Any], server: FaultyServer, make_client: Callable[..., Client]
) -> None:
    """What a failing server may have done is not done again; what is safe is repeated as ever."""
    client = make_client(server.origin, careful=True)
    server.plays(server.reply(429), server.reply(500))

    with pytest.raises(ApiResponseError) as caught:
        client.request(operation, **arguments)

    assert (len(server.received), caught.value.uncertain) == (2, 1)
    server.plays(server.reply(500), server.json({}))
    assert client.request_with_outcome("UpdateWorkerActivity", {}, id="1").attempts == 2


@ALL
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_did_nothing(
    status: int, operation: str, arguments: dict[str, Any], server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """Its `Retry-After` is waited for, and nothing is uncertain."""
    server.plays(server.reply(status, Retry_After="7"), server.json({}))

    assert client.request_with_outcome(operation, **arguments).uncertain == 0
    assert clock.waits == [7]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("1", 3),
        ("0", 3),
        ("60", 60),
        ("3600", 60),
        ("999999999999999999999", 3),
        ("-5", 3),
        ("1e3", 3),
        ("soon", 3),
        ("", 3),
        ("Sun, 22 Nov 2026 10:00:20 GMT", 20),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 3),
        ("Sun, 22 Nov 2099 09:00:00 GMT", 60),
        ("Sun, 99 Nov 2026 10:00:20 GMT", 3),
        ("22 Nov 2026 10:00:20", 3),
    ],
)
def test_the_wait_is_the_longer_one_up_to_a_minute(
    header: str, wait: float, server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """Between the contract's wait and the server's, in seconds or as a date; nonsense is ignored."""
    server.plays(server.reply(429, Retry_After=header, Date="Sun, 22 Nov 2026 10:00:00 GMT"), server.json({}))

    client.request("RetrieveElement", id="1")

    assert clock.waits == [wait]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 409, 410, 413, 422])
@ALL
def test_other_refusals_are_final(
    status: int, operation: str, arguments: dict[str, Any], server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """A 4xx is not repeated, and nothing is uncertain."""
    server.plays(server.reply(status))

    with pytest.raises(ApiResponseError) as caught:
        client.request(operation, **arguments)

    assert (caught.value.status, caught.value.uncertain, clock.waits) == (status, 0, [])


def test_faults_of_several_kinds_share_the_five_attempts(
    server: FaultyServer, client: Client, clock: ManualClock
) -> None:
    """However they are mixed."""
    server.plays(server.reply(500), server.cut(), server.reply(429), server.reply(200, b"<html>"), server.reply(503))

    with pytest.raises(ApiResponseError) as caught:
        client.request("RetrieveElement", id="1")

    assert (caught.value.status, len(server.received), clock.waits) == (503, 5, CONTRACT)


def test_jitter_is_added_only_when_asked_for(
    server: FaultyServer, make_client: Callable[..., Client], clock: ManualClock
) -> None:
    """The contract is exact; jitter adds less than what it is told."""
    server.plays(*[server.reply(500)] * 4, server.json({}))

    make_client(server.origin, jitter=0.5).request("RetrieveElement", id="1")

    added = [wait - exact for wait, exact in zip(clock.waits, CONTRACT, strict=True)]
    assert all(0 <= more <= 0.5 for more in added)
    assert any(added)


def test_a_run_repeats_only_so_often(
    server: FaultyServer, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """When the budget that clients share is spent, the first failure is final, and one line says so."""
    budget = RetryBudget(6)
    server.plays(server.reply(500))

    for _ in range(4):
        with pytest.raises(ApiResponseError):
            make_client(server.origin, budget=budget).request("RetrieveElement", id="1")

    assert len(server.received) == 5 + 3 + 1 + 1
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "6 requests have been repeated in this run: later ones will not be"
    ]


def test_repeats_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    """Of a budget for an outage, a success lifts what was taken: noise over days uses up nothing."""
    total, in_a_row = RetryBudget(2), RetryBudget(2, in_a_row=True)
    taken = []
    for budget in (total, in_a_row):
        taken.append([budget.take(), budget.take()])
        budget.note_success()
        taken.append([budget.take(), budget.take(), budget.take()])

    assert taken == [[True, True], [False, False, False], [True, True], [True, True, False]]
    assert caplog.messages == [
        "2 requests have been repeated in this run: later ones will not be",
        "2 repeats in a row have failed: no request is repeated until one succeeds",
    ]


def test_a_wait_that_is_ended_ends_the_request(server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """A clock that stops raises out of the wait; what is known about the attempts still reaches the caller."""

    class Stopping:
        def now(self) -> float:
            return 0.0

        def sleep(self, _seconds: float) -> None:
            raise StoppedError(15)

    server.plays(server.cut())

    with pytest.raises(ApiUnavailableError) as caught:
        make_client(server.origin, clock=Stopping()).request("StartWorkerActivity")

    assert (caught.value.uncertain, len(server.received)) == (1, 1)


def test_an_ended_client_attempts_nothing_more(server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """A wait that returns early because the run stops is not followed by another attempt."""

    class Ending:
        client: Client

        def now(self) -> float:
            return 0.0

        def sleep(self, _seconds: float) -> None:
            self.client.end()

    clock = Ending()
    clock.client = make_client(server.origin, clock=clock)
    server.plays(server.reply(500))

    with pytest.raises(ApiResponseError):
        clock.client.request("RetrieveElement", id="1")

    assert len(server.received) == 1


def test_content_errors_are_repeated_for_reads(server: FaultyServer, client: Client, clock: ManualClock) -> None:
    """A proxy's page instead of JSON may be gone the next time."""
    server.plays(server.reply(200, b"<html>"))

    with pytest.raises(ApiContentError):
        client.request("RetrieveElement", id="1")

    assert clock.waits == CONTRACT


@pytest.mark.parametrize("seed", range(4))
def test_no_claim_is_lost_unreported(seed: int, server: FaultyServer, make_client: Callable[..., Client]) -> None:
    """By the server's own ledger: handed out = received by the caller + reported uncertain at most."""
    chance = random.Random(seed)
    queue = list(range(150))
    handed_out: list[int] = []

    def claim(sock: socket.socket) -> bool:
        """Half of the faults come before the work, half after it; three in ten claims meet one."""
        fault = chance.choice([None] * 14 + ["busy", "refused", "broken", "lost", "cut", "garbled"])
        if fault == "busy":
            return server.reply(429)(sock)
        if fault == "refused":
            return server.reply(500)(sock)
        if fault == "broken":
            return server.cut(b"")(sock)
        if not queue:
            return server.reply(404)(sock)
        handed_out.append(queue.pop(0))
        answers = {"lost": server.cut(b""), "cut": server.cut(), "garbled": server.reply(200, b"<html>")}
        return (answers[fault] if fault else server.json({"id": str(handed_out[-1])}))(sock)

    client = make_client(server.origin, budget=RetryBudget(10_000))
    server.plays(claim)
    received, uncertain = [], 0
    while True:
        try:
            outcome = client.request_with_outcome("StartWorkerActivity")
        except ApiError as error:
            uncertain += error.uncertain
            if error.status == 404:
                break
            continue
        received.append(int(outcome.value["id"]))
        uncertain += outcome.uncertain

    lost = set(handed_out) - set(received)
    assert (len(handed_out), len(set(received))) == (150, len(received))
    assert 0 < len(lost) <= uncertain
