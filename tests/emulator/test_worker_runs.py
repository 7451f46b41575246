"""What a worker is configured with, in both generations and both editions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker import Element, ElementsWorker, UserConfiguration, WorkerContext
from arkworker.emulator import Emulator
from arkworker.errors import TargetError

if TYPE_CHECKING:
    from tests.emulator.conftest import World

MODERN = {
    "slug": "lines",
    "display_name": "Lines",
    "type": "dla",
    "configuration": [
        {"key": "threshold", "type": "float", "display_name": "T", "default": 0.5},
        {"key": "size", "type": "int", "display_name": "S", "default": 3},
        {"key": "flag", "type": "bool", "display_name": "F"},
        {
            "key": "advanced",
            "type": "group",
            "display_name": "A",
            "children": [{"key": "size", "type": "int", "display_name": "S", "default": 7}],
        },
        {"key": "key", "type": "secret", "display_name": "K"},
    ],
}
LEGACY = {
    "name": "Lines",
    "slug": "lines",
    "type": "dla",
    "configuration": {"a": 1},
    "user_configuration": {"b": {"title": "B", "type": "int", "default": 2}},
    "secrets": ["key"],
}


def configuration(world: World, run: str) -> dict[str, Any]:
    answer = world.client.get(f"/workers/runs/{run}/configuration/", run=run)
    return {item["key"]: item["value"] for item in answer["configuration"]}


def test_saved_values_are_over_the_model_and_that_is_over_defaults(world: World) -> None:
    """Every option is in the list, groups opened, with the value of the strongest source."""
    model = world.emulator.add_model_version("M", {"threshold": 0.6, "size": 4})
    run = world.emulator.add_worker_run(MODERN, {"threshold": 0.7}, model_version=model)

    expected = {"threshold": 0.7, "size": 4, "flag": None, "advanced.size": 7, "key": None}
    assert configuration(world, run) == expected


def test_a_value_without_an_option_is_a_mistake_of_the_test(world: World) -> None:
    """Setting up a run with a misspelt key fails at once."""
    with pytest.raises(ValueError, match="no option 'tresh'"):
        world.emulator.add_worker_run(MODERN, {"tresh": 1})


def test_the_class_of_a_worker_declares_its_options(world: World) -> None:
    """What a typed worker declares need not be written a second time in a test."""

    class Options(UserConfiguration):
        threshold: float = 0.5
        size: int = 3

    class Lines(ElementsWorker[Options]):
        """Find lines."""

        def process_element(self, element: Element, context: WorkerContext[Options], cache: Any) -> None: ...

    run = world.emulator.add_worker_run(Lines, {"size": 9})

    assert configuration(world, run) == {"threshold": 0.5, "size": 9}
    with pytest.raises(ValueError, match="the declaration has no option 'sise'"):
        world.emulator.add_worker_run(Lines, {"sise": 9})


def test_what_is_not_a_worker_declares_nothing(world: World) -> None:
    """It is named."""
    with pytest.raises(TargetError, match="dict is not a worker"):
        world.emulator.add_worker_run(dict)  # type: ignore[arg-type]  # the mistake


def test_any_answer_can_be_given(world: World) -> None:
    """What a platform in a bad mood sends is given as it is."""
    answer = {"configuration": [{"key": "x", "value": 1}, {"key": "x", "value": 2}]}
    run = world.emulator.add_worker_run(MODERN, answer=answer)

    assert world.client.get(f"/workers/runs/{run}/configuration/") == answer


def test_a_modern_run_has_no_legacy_configuration(world: World) -> None:
    """Since Arkindex 1.12 the worker version carries none."""
    run = world.client.get(f"/process/workers/{world.emulator.add_worker_run(MODERN, {})}/")

    assert "configuration" not in run["worker_version"]
    assert set(run["configuration"]) == {"id", "name"}


def test_a_legacy_run_answers_400_and_carries_its_declaration(world: World) -> None:
    """The older generation is merged by the worker."""
    run = world.emulator.add_worker_run(LEGACY, {"b": 4})

    answer = world.client.get(f"/process/workers/{run}/")

    names = ("configuration", "user_configuration", "secrets")
    assert answer["worker_version"]["configuration"] == {name: LEGACY[name] for name in names}
    assert answer["configuration"]["configuration"] == {"b": 4}
    assert world.client.refusal("GET", f"/workers/runs/{run}/configuration/", run=run)[0] == 400


def test_another_tasks_run_is_out_of_reach(world: World) -> None:
    """A task reads the configuration of its own run only."""
    other = world.emulator.add_worker_run(MODERN)

    refusal = world.client.refusal("GET", f"/workers/runs/{other}/configuration/", run=world.run)

    assert refusal == (403, None, "permission_denied")


def test_enterprise_gives_a_reference_to_a_secret(world: World) -> None:
    """The reference leads to the content, and so does the name."""
    world.emulator.add_secret("folder/key.json", "sesame")
    run = world.emulator.add_worker_run(MODERN, {"key": "folder/key.json"})

    reference = configuration(world, run)["key"]

    assert reference != "sesame"
    contents = [world.client.get(f"/secret/{name}")["content"] for name in (reference, "folder%2Fkey.json")]
    assert contents == ["sesame", "sesame"]
    assert world.client.send("GET", "/secret/nothing").status_code == 404


def test_community_gives_the_secret_itself() -> None:
    """There, neither the route nor the document knows RetrieveSecret."""
    with Emulator(edition="community") as emulator, requests.Session() as session:
        emulator.add_corpus()
        emulator.add_secret("key", "sesame")
        run = emulator.add_worker_run(MODERN, {"key": "key"})
        session.headers["Authorization"] = f"Token {emulator.token}"
        base = f"{emulator.url}/api/v1"

        items = session.get(f"{base}/workers/runs/{run}/configuration/").json()["configuration"]

        assert items[-1] == {"key": "key", "value": "sesame", "secret": True}
        assert session.get(f"{base}/secret/key").status_code == 404
        assert "RetrieveSecret" not in session.get(f"{base}/openapi/").text


def test_a_task_knows_its_parents(world: World) -> None:
    """Both names of the operation give the same."""
    parent = world.emulator.add_task()
    run = world.emulator.add_worker_run(parents=[parent])
    task = world.emulator.tasks(run)[0]

    answers = [world.client.get(f"/task/{task.id}/{end}") for end in ("", "from-agent/")]

    assert answers[0] == answers[1]
    assert (answers[0]["parents"], answers[0]["state"]) == ([parent], "running")


def test_the_environment_is_what_the_platform_gives(world: World) -> None:
    """With several chunks, each task has its own token and number."""
    run = world.emulator.add_worker_run(chunks=2)

    first, second = (world.emulator.environment(run, chunk=chunk) for chunk in (1, 2))

    assert set(first) == {
        "ARKINDEX_API_URL",
        "ARKINDEX_TASK_TOKEN",
        "ARKINDEX_WORKER_RUN_ID",
        "PONOS_TASK",
        "ARKINDEX_TASK_CHUNK",
        "NO_PROXY",
        "no_proxy",
    }
    assert (first["ARKINDEX_TASK_CHUNK"], second["ARKINDEX_TASK_CHUNK"]) == ("1", "2")
    assert first["ARKINDEX_TASK_TOKEN"] != second["ARKINDEX_TASK_TOKEN"]
    assert "ARKINDEX_TASK_CHUNK" not in world.emulator.environment(world.run)


def test_a_queue_of_an_element_that_is_not_there(world: World) -> None:
    """The id is said, not what the database makes of it."""
    with pytest.raises(LookupError, match="no Element has the id 'page 1'"):
        world.emulator.add_worker_run(elements=["page 1"])
