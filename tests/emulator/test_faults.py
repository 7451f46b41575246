from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import requests

from arkworker.emulator import Fault

if TYPE_CHECKING:
    from tests.emulator.conftest import World

CLAIM = "/process/start-activity/"


def claim(world: World) -> str:
    """Claim once: the status of the answer, or the name of the exception."""
    try:
        answer = world.client.send("POST", CLAIM, run=world.run)
    except requests.RequestException as error:
        return type(error).__name__
    return str(answer.status_code)


def started(world: World) -> int:
    return list(world.emulator.activity_states(world.run).values()).count("started")


@pytest.mark.parametrize(
    ("fault", "outcome", "acted"),
    [
        (Fault.answer(503), "503", False),
        (Fault.answer(429, retry_after="7"), "429", False),
        (Fault.answer(502, b"<html>", acted=True), "502", True),
        (Fault.close(), "ConnectionError", False),
        (Fault.close(acted=True), "ConnectionError", True),
        (Fault.reset(), "ConnectionError", False),
        (Fault.reset(acted=True), "ConnectionError", True),
        (Fault.cut(), "ChunkedEncodingError", True),
        (Fault.cut(reset=True), "ChunkedEncodingError", True),
        (Fault.expired_token(), "401", False),
    ],
)
def test_a_fault_comes_before_or_after_the_server_acted(world: World, fault: Fault, outcome: str, acted: bool) -> None:  # noqa: FBT001 - a column of the table above
    """The client sees the same; only the server's history tells whether an element was handed out."""
    world.emulator.faults.add("StartWorkerActivity", fault, times=1)

    assert claim(world) == outcome
    (call,) = world.emulator.ledger.calls("StartWorkerActivity")
    assert (call.acted, call.answered, call.faults) == (acted, False, [fault.name])
    assert started(world) == int(acted)
    assert claim(world) == "200"


def test_an_answer_can_be_any(world: World) -> None:
    """A redirection to another host, or a body that is not what its headers say."""
    elsewhere = {"Location": "http://127.0.0.2/", "Content-Encoding": "gzip"}
    world.emulator.faults.add("RetrieveCorpus", Fault.answer(302, headers=elsewhere))

    answer = world.client.send("GET", f"/corpus/{world.corpus}/", allow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (302, elsewhere["Location"])


def test_a_malformed_answer_is_complete_and_no_json(world: World) -> None:
    """Its length is right, its content ends in the middle."""
    world.emulator.faults.add("StartWorkerActivity", Fault.malformed())
    answer = world.client.send("POST", CLAIM, run=world.run)

    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_slow_body_comes_whole(world: World) -> None:
    """It takes its time, and nothing is missing."""
    world.emulator.faults.add("StartWorkerActivity", Fault.slow(0.2))
    begun = time.monotonic()

    assert claim(world) == "200"
    assert time.monotonic() - begun >= 0.2
    assert world.emulator.ledger.calls("StartWorkerActivity")[0].answered


def test_delays_add_up_and_go_with_another_fault(world: World) -> None:
    """A network's latency is there whatever else happens."""
    world.emulator.faults.add("*", Fault.delay(0.05))
    world.emulator.faults.add("Start*", Fault.delay(0.05, acted=True))
    world.emulator.faults.add("StartWorkerActivity", Fault.close(acted=True))

    assert claim(world) == "ConnectionError"
    assert world.emulator.ledger.calls()[0].seconds >= 0.1


def test_a_script_counts_calls(world: World) -> None:
    """The first call is left alone, the next two fail."""
    world.emulator.faults.add("RetrieveElement", Fault.answer(500), skip=1, times=2)

    statuses = [world.client.send("GET", f"/element/{world.pages[0]}/").status_code for _ in range(4)]

    assert statuses == [200, 500, 500, 200]


def test_a_rate_throws_the_same_dice_each_time(world: World) -> None:
    """A seed decides which calls fail; about the share that was asked for does."""

    def statuses(seed: int) -> list[int]:
        world.emulator.faults.clear()
        world.emulator.faults.add("RetrieveCorpus", Fault.answer(503), rate=0.3, seed=seed)
        return [world.client.send("GET", f"/corpus/{world.corpus}/").status_code for _ in range(60)]

    first, again, other = statuses(1), statuses(1), statuses(2)

    assert first == again != other
    assert 8 <= first.count(503) <= 28


def test_a_fault_can_be_about_one_element(world: World) -> None:
    """A condition on the call decides."""
    bad = world.pages[1]
    world.emulator.faults.add("RetrieveElement", Fault.answer(500), where=lambda call: bad in call.path)

    assert [world.client.send("GET", f"/element/{page}/").status_code for page in world.pages] == [200, 500]


def test_faults_befall_downloads_too(world: World) -> None:
    """A file that is cut has the length of the whole in its headers."""
    task = world.emulator.add_task()
    world.emulator.add_artifact(task, "a", b"x" * 100_000)
    world.emulator.faults.add("GetFile", Fault.cut(), times=1)
    path = f"/task/{task}/artifact/a"

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        world.client.send("GET", path)
    assert len(world.client.send("GET", path).content) == 100_000


def test_a_refusal_can_be_lost_as_well(world: World) -> None:
    """What was refused by the operation's own rules was acted on, too."""
    world.emulator.faults.add("RetrieveElement", Fault.cut(), times=1)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        world.client.send("GET", "/element/00000000-0000-0000-0000-000000000000/")
    assert world.emulator.ledger.calls()[-1].status == 404


def test_faults_are_forgotten_by_name_or_all(world: World) -> None:
    """Clearing one operation leaves the others."""
    world.emulator.faults.add("RetrieveElement", Fault.answer(500))
    world.emulator.faults.add("RetrieveCorpus", Fault.answer(500))
    world.emulator.faults.clear("RetrieveElement")

    assert world.client.send("GET", f"/element/{world.pages[0]}/").status_code == 200
    assert world.client.send("GET", f"/corpus/{world.corpus}/").status_code == 500
