from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import World

CLAIM = "/process/start-activity/"

# Claims until the queue is empty and prints what it got; bare HTTP, for the test is about the server.
WORKER = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while True:
    connection.request("POST", "/api/v1/process/start-activity/", headers={"Authorization": "Ponos " + sys.argv[2]})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        break
    print(content[7:43].decode())
"""


def report(world: World, state: str, element: str | None = None, **changes: Any) -> int:
    """Send a state of the first page, and give the status of the answer."""
    process = world.client.get(f"/process/workers/{world.run}/")["process"]["id"]
    body = {"element_id": element or world.pages[0], "process_id": process, "state": state, **changes}
    answer = world.client.send("PUT", f"/workers/versions/{world.run}/activity/", body, run=world.run)
    return int(answer.status_code)


def test_a_claim_gives_the_next_element_and_starts_it(world: World) -> None:
    """Elements come in the order of the queue, each with its image, and are started."""
    claimed = world.client.post(CLAIM, run=world.run, status=200)

    assert (claimed["id"], claimed["name"], claimed["image_width"]) == (world.pages[0], "Page 1", 1000)
    assert world.emulator.activity_states(world.run) == {world.pages[0]: "started", world.pages[1]: "queued"}


def test_an_empty_queue_answers_404(world: World) -> None:
    """When nothing is queued, the claim finds nothing."""
    for _ in world.pages:
        world.client.post(CLAIM, run=world.run, status=200)

    assert world.client.refusal("POST", CLAIM, run=world.run) == (404, None, "not_found")


def test_a_person_cannot_claim(world: World) -> None:
    """Claims are for tasks."""
    assert world.client.refusal("POST", CLAIM) == (403, None, "permission_denied")


def test_a_finished_task_cannot_claim(world: World) -> None:
    """A task that has ended is refused with 400."""
    world.emulator.finish_task(world.emulator.tasks(world.run)[0].id)

    assert world.client.refusal("POST", CLAIM, run=world.run) == (400, None, "task_finished")


def test_activities_that_are_not_ready_cannot_be_claimed(world: World) -> None:
    """A process whose activities are still being made is refused with 400."""
    world.emulator.set_activity_state(world.run, "pending")

    assert world.client.refusal("POST", CLAIM, run=world.run) == (400, None, "activities_not_ready")


@pytest.mark.parametrize(
    ("before", "state", "status"),
    [
        ([], "started", 200),
        ([], "processed", 409),
        ([], "error", 200),
        (["started"], "processed", 200),
        (["started"], "error", 200),
        (["started"], "started", 409),
        (["started"], "queued", 409),
        (["started", "processed"], "processed", 409),
        (["started", "processed"], "started", 409),
        (["started", "processed"], "error", 409),
        (["started", "error"], "started", 200),
        (["started", "error"], "error", 409),
    ],
)
def test_transitions(world: World, before: list[str], state: str, status: int) -> None:
    """Each state follows only some others, and never itself."""
    for earlier in before:
        report(world, earlier)

    assert report(world, state) == status


def test_an_element_without_an_activity_is_a_conflict(world: World) -> None:
    """A report about an element that is not in the queue is refused with 409."""
    assert report(world, "started", element="00000000-0000-0000-0000-000000000000") == 409


def test_a_report_for_another_process_is_a_conflict(world: World) -> None:
    """The process in the body must be that of the run."""
    assert report(world, "started", process_id="00000000-0000-0000-0000-000000000000") == 409


def test_an_unknown_state_is_invalid(world: World) -> None:
    """A state that Arkindex does not have is a mistake in the body."""
    assert report(world, "done") == 400


def test_the_ledger_has_the_history_of_each_element(world: World) -> None:
    """Every accepted change is written down with its task; refused ones are not."""
    world.client.post(CLAIM, run=world.run, status=200)
    report(world, "started")
    report(world, "processed")

    changes = world.emulator.ledger.changes_of(world.pages[0])

    assert world.emulator.ledger.history(world.pages[0]) == ["queued", "started", "processed"]
    assert [change.task_id for change in changes[1:]] == [world.emulator.tasks(world.run)[0].id] * 2


def test_two_runs_have_queues_of_their_own(world: World) -> None:
    """A claim of one run takes nothing from another."""
    other = world.emulator.add_worker_run()
    world.client.post(CLAIM, run=other, status=200)

    assert set(world.emulator.activity_states(world.run).values()) == {"queued"}


@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.campaign)])
def test_two_workers_claim_each_element_once(count: int) -> None:
    """Two tasks that claim at the same time share the queue, and nothing is handed out twice or left."""
    with Emulator() as emulator:
        emulator.add_corpus()
        elements = emulator.add_elements(count)
        run = emulator.add_worker_run(chunks=2)
        port = emulator.url.rpartition(":")[2]
        tokens = [emulator.task_token(run, chunk=chunk) for chunk in (1, 2)]
        commands = [[sys.executable, "-c", WORKER, port, token] for token in tokens]
        start: Callable[[list[str]], Any] = partial(
            subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        workers = [start(command) for command in commands]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            print(file=worker.stdin, flush=True)
        claims = [worker.communicate()[0].split() for worker in workers]

        assert Counter(claims[0] + claims[1]) == Counter(elements)
        assert {tuple(emulator.ledger.history(element)) for element in elements} == {("queued", "started")}
        assert Counter(change.state for change in emulator.ledger.changes()) == {"queued": count, "started": count}
