"""The configuration of a worker run: the modern list, or the layers of older instances in their order."""

from __future__ import annotations

from typing import Any

import pytest
from arkindex_stub import worker_run
from pydantic import Field
from resolving import item, settle

from arkworker import Secret, UserConfiguration
from arkworker.arkindex.payload import model_configuration, parse_payload
from arkworker.settings.catalogue import WorkerOptions


class Inner(UserConfiguration):
    batch_size: int = 4
    rate: float = 0.1


class Configuration(UserConfiguration):
    size: int = 1
    maximum: int | None = 5
    name: str = "n"
    tags: list[str] = Field(default_factory=list)
    table: dict[str, float] = Field(default_factory=dict)
    advanced: Inner = Inner()
    extra: Inner | None = None
    depth: int = Field(3, alias="how-deep")
    token: Secret[str] | None = None


def legacy(
    static: Any = None, user: Any = None, model: Any = None, saved: Any = None, secrets: Any = None
) -> dict[str, Any]:
    """A worker run of an older instance."""
    run = worker_run(configuration={"id": "c", "name": "c", "configuration": saved})
    run["worker_version"]["configuration"] = {"configuration": static, "user_configuration": user, "secrets": secrets}
    run["model_version"] = {"id": "m", "name": "m", "model": {"id": "mm"}, "configuration": model}
    return run


def test_modern_list_fills_the_model() -> None:
    """`group.child` fills the nested model, aliases are keys, strings of a dict are read by type."""
    outcome = settle(
        Configuration,
        items=[
            item("size", 2),
            item("advanced.batch_size", 8.0),
            item("how-deep", 7),
            item("table", {"a": "1.5"}),
            item("tags", ["a"]),
            item("token", "name", secret=True),
        ],
    )

    assert outcome.config.model_dump(by_alias=True, exclude={"token"}) == Configuration().model_dump(
        by_alias=True, exclude={"token"}
    ) | {
        "size": 2,
        "advanced": {"batch_size": 8, "rate": 0.1},
        "how-deep": 7,
        "table": {"a": 1.5},
        "tags": ["a"],
    }
    assert outcome.origins["config.size"].source == "worker run"
    assert outcome.origins["config.size"].location == "RetrieveWorkerRunConfiguration size"


def test_modern_list_replaces_the_layers() -> None:
    """The server has merged them: the layers beside it are not looked at."""
    outcome = settle(Configuration, items=[item("size", 2)], run=legacy(static={"name": "static"}, saved={"size": 9}))

    assert (outcome.config.size, outcome.config.name) == (2, "n")


@pytest.mark.parametrize("form", ["modern", "legacy"])
def test_null_is_absent_where_it_is_not_accepted(form: str) -> None:
    """The platform says null for what nobody gave; where null is a value, it is one."""
    values = {"size": None, "maximum": None, "name": None, "advanced.batch_size": None, "extra": None, "table": None}
    given: dict[str, Any] = (
        {"items": [item(key, value) for key, value in values.items()]}
        if form == "modern"
        else {"run": legacy(saved=values)}
    )

    outcome = settle(Configuration, **given)

    assert outcome.config == Configuration(maximum=None)


def test_null_does_not_hide_a_weaker_layer() -> None:
    """A saved null for an option that is never null leaves the value of the model version."""
    outcome = settle(Configuration, run=legacy(model={"size": 2, "maximum": 3}, saved={"size": None, "maximum": None}))

    assert (outcome.config.size, outcome.config.maximum) == (2, None)


LAYERS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 1, "default"),
    ({"static": {"size": 2}}, 2, "worker version"),
    ({"static": {"size": 2}, "user": {"size": {"default": 3}}}, 3, "declared default"),
    ({"static": {"size": 2}, "user": {"size": {"default": 3}}, "model": {"size": 4}}, 4, "model version"),
    ({"user": {"size": {"default": 3}}, "model": {"size": 4}, "saved": {"size": 5}}, 5, "worker run"),
    ({"static": {"size": 2}, "user": {"size": {"type": "int"}}}, 2, "worker version"),
]


@pytest.mark.parametrize(("layers", "value", "source"), LAYERS, ids=lambda value: str(value)[:30])
def test_legacy_layers_have_their_order(layers: dict[str, Any], value: int, source: str) -> None:
    """Worker version, declared default, model version, worker run."""
    outcome = settle(Configuration, run=legacy(**layers))

    assert (outcome.config.size, outcome.origins["config.size"].source) == (value, source)


def test_groups_of_layers_merge() -> None:
    """Each option of a group comes from the strongest layer that has it, nested or dotted."""
    outcome = settle(
        Configuration,
        run=legacy(static={"advanced": {"batch_size": 2, "rate": 0.2}}, saved={"advanced.batch_size": 3}),
    )

    assert outcome.config.advanced == Inner(batch_size=3, rate=0.2)


def test_lists_and_dicts_are_replaced_whole() -> None:
    """They are values, not groups."""
    outcome = settle(
        Configuration, run=legacy(static={"table": {"a": 1}, "tags": ["a"]}, saved={"table": {"b": 2}, "tags": []})
    )

    assert (outcome.config.table, outcome.config.tags) == ({"b": 2}, [])


def test_names_that_the_platform_sends_are_warnings() -> None:
    """A person at the desk can do little about an option that the declaration has and the code has not."""
    outcome = settle(Configuration, items=[item("sice", 2), item("tok", "s3cr3t", secret=True)])

    assert [(warning.path, warning.message) for warning in outcome.warnings] == [
        ("config.sice", "unknown option; did you mean size?"),
        ("config.tok", "unknown option; did you mean token?"),
    ]
    assert "s3cr3t" not in outcome.everything


@pytest.mark.parametrize("second", [2, None])
def test_key_twice_is_an_error(second: Any) -> None:
    """The last one does not win in silence."""
    outcome = settle(Configuration, items=[item("size", 2), item("size", second)])

    assert outcome.told["config.size"] == "given twice, first at RetrieveWorkerRunConfiguration size"


def test_group_twice_is_an_error() -> None:
    """A group that is sent as a mapping counts as a key, too."""
    items = [item("advanced", {"batch_size": 1}), item("advanced", {"rate": 0.5})]

    assert list(settle(Configuration, items=items).told) == ["config.advanced"]


def test_option_in_two_forms_is_an_error() -> None:
    """`advanced.batch_size` beside `advanced`."""
    items = [item("advanced.batch_size", 1), item("advanced", {"batch_size": 2})]

    assert list(settle(Configuration, items=items).told) == ["config.advanced.batch_size"]


def test_group_that_is_not_a_mapping_beside_an_option_of_it() -> None:
    """Both are said."""
    items = [item("advanced", 5), item("advanced.batch_size", 1)]

    assert settle(Configuration, items=items).told.keys() == {"config.advanced", "config.advanced.batch_size"}


WRONG: list[tuple[str, Any]] = [
    ("size", True),
    ("size", "2"),
    ("size", 2.5),
    ("size", [2]),
    ("size", 2**63),
    ("name", 5),
    ("tags", "a"),
    ("tags", [1]),
    ("table", {"a": "x"}),
    ("advanced", 5),
    ("advanced.rate", True),
    ("how-deep", "x"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_value_of_another_kind_is_an_error(key: str, value: Any) -> None:
    """A payload is typed: nothing is converted."""
    problem = settle(Configuration, items=[item(key, value)]).problems[0]

    assert problem.path.startswith(f"config.{key}")
    assert problem.location == f"RetrieveWorkerRunConfiguration {key}"


def test_secret_that_the_code_does_not_declare_is_an_error() -> None:
    """It would be shown; the message says what to declare."""
    problem = settle(Configuration, items=[item("name", "s3cr3t", secret=True)]).problem

    assert (problem.message, problem.hint) == (
        "a secret on Arkindex, but not in code",
        "declare the option as Secret[str]",
    )


@pytest.mark.parametrize("value", [{"access": "s3cr3t"}, ["s3cr3t"], 5])
def test_secret_that_is_no_reference_is_an_error(value: Any) -> None:
    """Whatever an instance sends for a secret option, it is text."""
    outcome = settle(Configuration, items=[item("token", value, secret=True)])

    assert outcome.told == {"config.token": "a secret is given by reference"}
    assert "s3cr3t" not in outcome.everything


@pytest.mark.parametrize(("value", "expected"), [(True, True), (1, True), ("yes", True), (False, False), (None, False)])
def test_debug_is_understood_where_it_is_not_declared(value: Any, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """The reserved key turns on DEBUG as in the published library: whatever is true."""
    outcome = settle(Configuration, items=[item("debug", value)])

    assert (outcome.resolution.wants_debug, outcome.warnings) == (expected, [])


def test_legacy_secrets_are_names() -> None:
    """Those of the worker version are loaded at start, each once."""
    outcome = settle(Configuration, run=legacy(secrets=["a", "b", "a"]))

    assert outcome.resolution.secret_names == ("a", "b")


def test_free_mapping_takes_what_is_sent() -> None:
    """Dotted keys, nulls and nested values; a field without default and value is null, as users know it."""
    outcome = settle(run=legacy(static={"a.b": {"c": [1]}}, user={"d": {"type": "int"}, "e": {"default": 1}}))

    assert outcome.config == {"a.b": {"c": [1]}, "d": None, "e": 1}


def test_free_mapping_masks_secrets() -> None:
    """A secret item is a reference; one that nobody gave is null."""
    outcome = settle(items=[item("a", "s3cr3t", secret=True), item("b", None, secret=True)])

    assert outcome.config["b"] is None
    assert "s3cr3t" not in outcome.everything


def test_free_mapping_refuses_what_json_should_not_hold() -> None:
    """Numbers that are not finite, or beyond 64 bits, at any depth."""
    outcome = settle(items=[item("a", {"b": [float("inf"), 2**64]}), item("c", "\ud800")])

    assert outcome.told == {
        "config.a.b.0": "numbers must be finite",
        "config.a.b.1": "this number does not fit into 64 bits",
        "config.c": "not valid Unicode text",
    }


def test_what_the_run_brings_is_not_taken_from_the_environment() -> None:
    """Corpus and model beside a worker run are told to be ignored."""
    names = ["ARKINDEX_CORPUS_ID", "ARKINDEX_MODEL_ID", "ARKINDEX_MODEL_VERSION_ID"]

    outcome = settle(Configuration, items=[], environ=dict.fromkeys(names, "a"))

    assert [(warning.location, warning.message) for warning in outcome.warnings] == [
        (name, "ignored: the worker run brings its own") for name in names
    ]


def test_configuration_of_the_model_version_shows_no_secret() -> None:
    """It is kept for information; what the code calls secret is a stand-in in it."""

    class Hidden(UserConfiguration):
        token: Secret[str] | None = None
        keys: list[Secret[str]] = Field(default_factory=list)

    class Holder(UserConfiguration):
        hidden: Hidden = Hidden()
        size: int = 1

    values = {"hidden": {"token": "s3cr3t"}, "hidden.keys": ["s3cr3t"], "hidden.token": None, "size": 2, "more": "m"}
    payload = parse_payload(legacy(model=values), None)

    shown = model_configuration(WorkerOptions("w:W", Holder), payload)

    assert "s3cr3t" not in repr(shown)
    assert {key: shown[key] for key in ("hidden.token", "size", "more")} == {
        "hidden.token": None,
        "size": 2,
        "more": "m",
    }
    assert model_configuration(WorkerOptions("w:W", Holder), None) == {}


def test_local_sources_are_stronger_than_the_run() -> None:
    """Variables and flags win, and say what they replaced."""
    outcome = settle(
        Configuration,
        "--config.name",
        "flag",
        items=[item("size", 2), item("name", "a")],
        environ={"ARKINDEX_CONFIG_SIZE": "3"},
    )

    assert (outcome.config.size, outcome.config.name) == (3, "flag")
    assert [shadowed.value for shadowed in outcome.origins["config.size"].shadowed] == [2, 1]
