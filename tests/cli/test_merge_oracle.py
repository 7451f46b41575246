"""The configuration that the published library makes of each payload, and ours.

The oracle holds what base-worker 0.5.1 and 0.6.0 made of 14 payloads. We agree with 0.5.1 on legacy payloads and with
0.6.0 on modern ones, but for the deliberate differences listed here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkindex_stub import Stub

SCENARIOS = json.loads((Path(__file__).parents[1] / "data" / "merge-oracle.json").read_text())["scenarios"]

WORKER = """
from arkworker import Worker

class W(Worker):
    def run(self, context, cache): ...
"""

# Deliberate differences, each with its reason.
WITHOUT_CONFIGURATION = "the published library dies of a KeyError; here, the layers that are there count"
KEY_TWICE = "the last of two values wins there; here, a key that is given twice is an error"
SECRET = "explain shows no content of a secret, and loads none"
DIFFERENT: dict[str, tuple[str, Any]] = {
    "no worker_version.configuration": (WITHOUT_CONFIGURATION, {"a": 1}),
    "modern secret": (SECRET, {"tok": "**********"}),
    "modern duplicate key": (KEY_TWICE, None),
}


def expected_of(scenario: dict[str, Any]) -> Any:
    if scenario["scenario"] in DIFFERENT:
        return DIFFERENT[scenario["scenario"]][1]
    release = "0.5.1" if scenario["modern_configuration"] is None else "0.6.0"
    return scenario["results"][release]["config"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["scenario"])
def test_effective_configuration_agrees_with_the_published_library(
    scenario: dict[str, Any], command: Callable[..., Any], arkindex: Stub, write_worker: Callable[[str], str]
) -> None:
    """`explain --json` shows the configuration that base-worker would have made, or the listed difference."""
    arkindex.serve_run(scenario["worker_run"], scenario["modern_configuration"])

    result = command("explain", write_worker(WORKER), "--json", **arkindex.environment)

    expected = expected_of(scenario)
    if expected is None:
        assert (result.code, [problem["path"] for problem in result.data["problems"]]) == (78, ["config.a"])
    else:
        assert result.data["context"]["config"] == expected


def test_listed_differences_are_real() -> None:
    """Every difference names a scenario on which the published library answers otherwise."""
    by_name = {scenario["scenario"]: scenario["results"] for scenario in SCENARIOS}

    same = [name for name, (_, ours) in DIFFERENT.items() if by_name[name]["0.5.1"].get("config") == ours]

    assert same == []


def test_debug_option_turns_on_debug_logging(
    command: Callable[..., Any], arkindex: Stub, write_worker: Callable[[str], str]
) -> None:
    """A true `debug` option means DEBUG, as in the published library."""
    scenario = next(scenario for scenario in SCENARIOS if scenario["scenario"] == "legacy debug true")
    arkindex.serve_run(scenario["worker_run"], None)
    source = WORKER.replace("...", "import logging; print(logging.getLogger('user').isEnabledFor(logging.DEBUG))")

    result = command("run", write_worker(source), **arkindex.environment)

    assert result.out == "True\n"
