"""Its life in a process: ports, outages, files, and the ledger."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.conftest import World


def test_the_ledger_has_every_request_with_its_token_masked(world: World) -> None:
    """Operation, path, query, body and outcome are kept; credentials are not."""
    token = world.emulator.task_token(world.run)
    body = {"text": "Bonjour"}
    world.client.post(f"/element/{world.pages[0]}/transcription/", body, params={"a": "1"}, run=world.run)

    (call,) = world.emulator.ledger.calls()

    assert (call.operation, call.method, call.query, call.body) == ("CreateTranscription", "POST", {"a": "1"}, body)
    assert (call.status, call.acted, call.answered, call.origin) == (201, True, True, "api")
    assert call.task_id == world.emulator.tasks(world.run)[0].id
    assert call.headers["authorization"] == "Ponos **********"
    assert token not in json.dumps(vars(call))


def test_an_outage_refuses_connections_and_forgets_nothing(world: World) -> None:
    """After it, the same ports answer, with everything as it was."""
    url = world.emulator.url
    world.emulator.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)

    world.emulator.start()

    assert world.emulator.url == url
    assert world.client.get(f"/corpus/{world.corpus}/elements/")["count"] == 2


def test_stopping_cuts_what_is_under_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A request that waits for its answer, and a log that is being sent, are abandoned without a word."""
    world.emulator.faults.add("*", Fault.delay(60))
    task = world.emulator.tasks(world.run)[0].id
    errors: list[Exception] = []

    def ask(method: str, url: str, data: Iterator[bytes] | None = None) -> None:
        try:
            requests.request(method, f"{world.emulator.url}{url}", data=data, timeout=30)
        except requests.RequestException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=ask, args=("GET", f"/api/v1/corpus/{world.corpus}/")),
        threading.Thread(target=ask, args=("PUT", f"/viewer/tasks/{task}/log", endless())),
    ]
    for thread in threads:
        thread.start()
    while not (world.emulator.ledger.count and world.emulator.site.storage.size(f"logs/{task}")):
        time.sleep(0.005)
    world.emulator.stop()
    for thread in threads:
        thread.join(20)

    assert [type(error) for error in errors] == [requests.ConnectionError] * 2
    assert caplog.messages == []


def endless() -> Iterator[bytes]:
    while True:
        yield b"a line\n"
        time.sleep(0.01)


def test_a_database_is_kept_in_its_file(tmp_path: Path) -> None:
    """A second emulator on the same files goes on where the first ended, tokens included."""
    database, directory = tmp_path / "a.sqlite", tmp_path / "files"
    with Emulator(database=database, directory=directory) as first:
        corpus = first.add_corpus()
        task = first.add_task()
        first.add_artifact(task, "a", b"abc")
        run = first.add_worker_run()
        token = first.task_token(run)
    with Emulator(database=database, directory=directory) as second, requests.Session() as session:
        session.headers["Authorization"] = f"Ponos {token}"
        base = f"{second.url}/api/v1"

        assert session.get(f"{base}/corpus/{corpus}/").status_code == 200
        assert session.get(f"{base}/task/{task}/artifact/a").content == b"abc"


def test_temporary_files_go_with_the_emulator() -> None:
    """Nothing is left behind."""
    with Emulator() as emulator:
        emulator.add_corpus()
        emulator.add_artifact(emulator.add_task(), "a", b"abc")
        directory = emulator.directory
        assert directory.exists()

    assert not directory.exists()


def test_a_taken_port_is_said_at_once(emulator: Emulator) -> None:
    """The second one on a port does not start, and leaves nothing open."""
    second = Emulator(port=int(emulator.url.rpartition(":")[2]))
    try:
        with pytest.raises(OSError, match="in use"):
            second.start()
    finally:
        second.close()


def test_the_latest_calls_only_can_be_kept() -> None:
    """Numbers go on, so that nobody takes a forgotten call for one that never came."""
    with Emulator(ledger_limit=2) as emulator:
        for _ in range(3):
            requests.get(f"{emulator.url}/api/v1/nowhere", timeout=30)

        assert [call.number for call in emulator.ledger.calls()] == [2, 3]
        assert emulator.ledger.count == 3


def test_a_client_that_goes_away_is_not_answered(world: World) -> None:
    """A claim whose client gave up waiting was acted on, and its answer reached nobody."""
    world.emulator.faults.add("StartWorkerActivity", Fault.delay(0.3), times=1)
    url = f"{world.emulator.url}/api/v1/process/start-activity/"
    headers = {"Authorization": f"Ponos {world.emulator.task_token(world.run)}"}
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, headers=headers, timeout=0.1)

    (call,) = world.emulator.ledger.calls()
    while not call.seconds:
        time.sleep(0.005)
    assert (call.acted, call.answered) == (True, False)


def test_the_package_is_light_until_it_is_used() -> None:
    """Importing the test kit imports no web framework, no database and no image library."""
    code = "import arkworker.testing, sys; print({'starlette', 'uvicorn', 'sqlalchemy', 'PIL'} & set(sys.modules))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "set()\n"


def test_nothing_else_imports_the_emulator() -> None:
    """The product does not need it."""
    package = Path(__file__).parents[2] / "arkworker"
    outside = [path for path in package.rglob("*.py") if "testing" not in path.parts and "cli" not in path.parts]

    assert [path for path in outside if any(name.startswith("arkworker.testing") for name in imported(path))] == []


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside of functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
