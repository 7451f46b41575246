"""What Arkindex answers is checked where it arrives: what the runner needs must be there, all else is tolerated."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from arkindex_stub import worker_run
from resolving import item

from arkworker.arkindex.payload import parse_payload
from arkworker.errors import ConfigurationError
from arkworker.frozen import FrozenDict

MODERN: dict[str, Any] = {"configuration": [item("a", 1)]}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The least worker run, with one part replaced; removed where the value is `...`."""
    run = copy.deepcopy(worker_run())
    *way, last = path.split(".")
    part = run
    for step in way:
        part = part[step]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return run


NEEDED = ["process", "process.id", "process.mode", "process.corpus", "worker_version", "worker_version.worker"]
WRONG: list[Any] = [..., None, 5, True, [], "", ["a"]]


@pytest.mark.parametrize("path", NEEDED)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_part_that_is_needed_is_checked(path: str, value: Any) -> None:
    """Missing, null or of another kind: one line that names the operation and the field."""
    with pytest.raises(ConfigurationError) as caught:
        parse_payload(changed(path, value), MODERN)

    (problem,) = caught.value.problems
    assert (problem.source, problem.location) == ("worker run", f"RetrieveWorkerRun {path}")
    assert "\n" not in problem.message


@pytest.mark.parametrize("body", [None, [], "<html>", 5, {}, {"process": {}}])
def test_body_that_is_no_worker_run(body: Any) -> None:
    """Every part that is missing is named."""
    with pytest.raises(ConfigurationError) as caught:
        parse_payload(body, MODERN)

    assert all(problem.location.startswith("RetrieveWorkerRun") for problem in caught.value.problems)


@pytest.mark.parametrize(
    "change",
    [
        ("process.mode", "a-mode-of-tomorrow"),
        ("process.name", 5),
        ("process.activity_state", ["?"]),
        ("process.more", {"a": [1]}),
        ("parents", ...),
        ("model_version", ...),
        ("configuration", ...),
        ("worker_version.id", ...),
        ("worker_version.configuration", "none of our business"),
        ("more", None),
        ("process.chunks", None),
    ],
    ids=lambda change: change[0],
)
def test_part_that_is_not_needed_is_tolerated(change: tuple[str, Any]) -> None:
    """A server that says less or more than today's is understood."""
    assert parse_payload(changed(*change), MODERN).run.process.mode


MODERN_PROBLEMS: list[tuple[Any, str]] = [
    ({}, "configuration"),
    ({"configuration": None}, "configuration"),
    ({"configuration": {"a": 1}}, "configuration"),
    ({"configuration": "a"}, "configuration"),
    ([], ""),
    ({"configuration": [None]}, "configuration.0"),
    ({"configuration": [["a", 1, False]]}, "configuration.0"),
    ({"configuration": [{"value": 1, "secret": False}]}, "configuration.0.key"),
    ({"configuration": [{"key": "a", "secret": False}]}, "configuration.0.value"),
    ({"configuration": [{"key": "a", "value": 1}]}, "configuration.0.secret"),
    ({"configuration": [item("a", 1), {"key": "b", "value": 1, "secret": 0}]}, "configuration.1.secret"),
    ({"configuration": [{"key": "b", "value": 1, "secret": "false"}]}, "configuration.0.secret"),
    ({"configuration": [{"key": 5, "value": 1, "secret": False}]}, "configuration.0.key"),
    ({"configuration": [{"key": "", "value": 1, "secret": False}]}, "configuration.0.key"),
    ({"configuration": [{"key": None, "value": 1, "secret": False}]}, "configuration.0.key"),
    ({"configuration": [{"key": "k" * 256, "value": 1, "secret": False}]}, "configuration.0.key"),
]


@pytest.mark.parametrize(("body", "field"), MODERN_PROBLEMS, ids=lambda value: ascii(value)[:40])
def test_modern_configuration_is_checked(body: Any, field: str) -> None:
    """A list of items with key, value and secret."""
    with pytest.raises(ConfigurationError) as caught:
        parse_payload(worker_run(), body)

    (problem,) = caught.value.problems
    assert problem.location == f"RetrieveWorkerRunConfiguration {field}".strip()


def test_modern_items_may_hold_more() -> None:
    """What a newer server adds to an item is tolerated."""
    payload = parse_payload(worker_run(), {"configuration": [item("a", 1) | {"type": "int"}], "count": 1})

    assert payload.items is not None
    assert [(entry.key, entry.value, entry.secret) for entry in payload.items] == [("a", 1, False)]


LEGACY_PROBLEMS: list[tuple[str, Any]] = [
    ("worker_version.configuration", "a"),
    ("worker_version.configuration", [1]),
    ("worker_version.configuration", {"configuration": [1]}),
    ("worker_version.configuration", {"user_configuration": [1]}),
    ("worker_version.configuration", {"user_configuration": {"a": 5}}),
    ("worker_version.configuration", {"secrets": "a"}),
    ("worker_version.configuration", {"secrets": [5]}),
    ("worker_version.configuration", {"secrets": [""]}),
    ("configuration", "a"),
    ("configuration", {"configuration": [1]}),
    ("model_version", "a"),
    ("model_version", {"configuration": "a"}),
    ("model_version", {"id": 5}),
]


@pytest.mark.parametrize(("path", "value"), LEGACY_PROBLEMS, ids=lambda value: ascii(value)[:40])
def test_legacy_layers_are_checked(path: str, value: Any) -> None:
    """Where an instance does not merge them itself, the layers must be mappings."""
    with pytest.raises(ConfigurationError) as caught:
        parse_payload(changed(path, value), None)

    (problem,) = caught.value.problems
    assert problem.location.startswith(f"RetrieveWorkerRun {path}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("worker_version.configuration", None),
        ("worker_version.configuration", {}),
        ("worker_version.configuration", {"configuration": None, "user_configuration": None, "secrets": None}),
        ("worker_version.configuration", {"docker": {"command": "x"}}),
        ("configuration", None),
        ("configuration", {"id": "a", "name": "b"}),
        ("configuration", {"configuration": None}),
        ("model_version", None),
        ("model_version", {"id": "a", "configuration": None, "model": None}),
    ],
    ids=repr,
)
def test_legacy_layers_may_be_absent(path: str, value: Any) -> None:
    """Each layer may be missing or null."""
    assert parse_payload(changed(path, value), None).legacy is not None


def test_deep_body_is_refused() -> None:
    """A thousand levels are an attack or an accident, and no reason to fail."""
    deep: Any = []
    for _ in range(1000):
        deep = [deep]

    with pytest.raises(ConfigurationError, match="more than 50 levels deep"):
        parse_payload(changed("more", deep), MODERN)


def test_no_value_is_in_a_problem() -> None:
    """The message of a refused part holds nothing of it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_payload(changed("process.id", ["s3cr3t"]), {"configuration": [{"key": ["s3cr3t"], "value": "s3cr3t"}]})

    assert "s3cr3t" not in str(caught.value) + repr(caught.value.problems)


def test_no_value_is_in_a_representation() -> None:
    """Nor what is declared or not known: on a Community instance, a configuration holds secrets themselves."""
    run = changed("worker_version.configuration", {"token": "s3cr3t"})
    run["configuration"] = {"id": "c", "configuration": {"token": "s3cr3t"}}
    run["model_version"] = {"id": "m", "configuration": {"token": "s3cr3t"}, "other": "s3cr3t"}
    for modern in (None, {"configuration": [item("token", "s3cr3t")]}):
        assert "s3cr3t" not in repr(parse_payload(run, modern))


def test_process_is_frozen_and_picklable() -> None:
    """It is part of the context: what the server added to it is there, too."""
    process = parse_payload(changed("process.more", {"a": [1]}), MODERN).run.process

    again = pickle.loads(pickle.dumps(process))

    assert again == process
    assert hash(again) == hash(process)
    assert type(again.more) is FrozenDict
