"""A worker on an instance that nobody prepared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from arkindex_stub import worker_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkindex_stub import Stub

WORKER = """
from arkworker import Worker

class W(Worker):
    def run(self, context, cache):
        print(context.find_parents_file_paths("lines.json")[0].read_text())
"""


def prepare(arkindex: Stub) -> dict[str, str]:
    arkindex.serve_run(worker_run(), [])
    arkindex.answers["/api/v1/task/task/"] = (200, {"parents": ["parent"]})
    arkindex.answers["/api/v1/task/parent/artifacts/"] = (200, [{"path": "lines.json", "size": 2}])
    arkindex.answers["/api/v1/task/parent/artifact/lines.json"] = (200, b"{}")
    parents = json.dumps({"parent": "segmentation"})
    return arkindex.environment | {"TASK_BOOTSTRAP": "true", "TASK_PARENTS": parents, "PONOS_TASK": "task"}


def test_worker_finds_what_its_parents_left(
    command: Callable[..., Any], arkindex: Stub, write_worker: Callable[[str], str]
) -> None:
    """With TASK_BOOTSTRAP, the artifacts of the parents are there before user code runs."""
    environment = prepare(arkindex)

    result = command("run", write_worker(WORKER), **environment)

    assert (result.code, result.out) == (0, "{}\n")


def test_missing_parents_are_a_problem_of_the_configuration(
    command: Callable[..., Any], arkindex: Stub, write_worker: Callable[[str], str]
) -> None:
    """Without TASK_PARENTS, the message names the variable, and nothing is downloaded."""
    environment = prepare(arkindex) | {"TASK_PARENTS": ""}

    result = command("run", write_worker(WORKER), "--json", **environment)

    messages = [problem["message"] for problem in result.data["problems"]]
    assert (result.code, messages) == (78, ["needs TASK_PARENTS, which is not set"])
