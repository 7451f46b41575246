"""Where each field of a context comes from, and what it replaced."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from resolving import item, settle

from arkworker import UserConfiguration


class Inner(UserConfiguration):
    size: int = 1


class Configuration(UserConfiguration):
    threshold: float = 0.5
    depth: int = Field(3, alias="how-deep")
    inner: Inner = Inner(size=2)
    maybe: Inner | None = None
    kinds: list[int] = Field(default_factory=list)


class Arguments(UserConfiguration):
    batch_name: str = "all"


def origin(outcome: Any, name: str) -> tuple[str, str]:
    provenance = outcome.origins[name]
    return provenance.source, provenance.location


def test_every_option_has_an_origin() -> None:
    """Defaults are where the code says them."""
    outcome = settle(Configuration, arguments=Arguments)

    assert {name for name in outcome.origins if name.startswith(("config.", "arguments."))} == {
        "config.threshold",
        "config.how-deep",
        "config.inner.size",
        "config.maybe",
        "config.kinds",
        "arguments.batch_name",
    }
    assert origin(outcome, "config.how-deep") == ("default", "Configuration.depth")
    assert origin(outcome, "arguments.batch_name") == ("default", "Arguments.batch_name")


def test_absent_group_has_one_origin() -> None:
    """What is not there has no parts."""
    outcome = settle(Configuration, file="maybe: ~\n")

    assert origin(outcome, "config.maybe") == ("configuration file", "worker.yml:1:1")
    assert "config.maybe.size" not in outcome.origins


def test_present_group_has_origins_by_option() -> None:
    """Each option of a group has its own."""
    outcome = settle(Configuration, "--config.maybe.size", "5")

    assert origin(outcome, "config.maybe.size") == ("command line", "--config.maybe.size")
    assert "config.maybe" not in outcome.origins


def test_shadowed_values_are_listed_strongest_first() -> None:
    """With what each was, down to the default in code."""
    outcome = settle(
        Configuration,
        "--config.inner.size",
        "5",
        environ={"ARKINDEX_CONFIG_INNER_SIZE": "4"},
        file="inner: {size: 3}\n",
    )

    shadowed = [(other.origin.location, other.value) for other in outcome.origins["config.inner.size"].shadowed]
    assert shadowed == [
        ("ARKINDEX_CONFIG_INNER_SIZE", 4),
        ("worker.yml:1:9", 3),
        ("Configuration.inner.size", 2),
    ]


def test_free_mapping_has_origins_by_key() -> None:
    """What was given, and nothing else."""
    outcome = settle(None, "--config.a.b", "1", file="c: {d: 1}\n")

    assert origin(outcome, "config.a.b") == ("command line", "--config.a.b")
    assert origin(outcome, "config.c") == ("configuration file", "worker.yml:1:1")


def test_platform_fields_of_a_desk() -> None:
    """Flags and variables are named; the rest has its default."""
    outcome = settle(None, "--extras-dir", "x", environ={"ARKINDEX_CORPUS_ID": "a", "PONOS_DATA": "/d"})

    assert origin(outcome, "extras_dir") == ("command line", "--extras-dir")
    assert origin(outcome, "corpus_id") == ("environment", "ARKINDEX_CORPUS_ID")
    assert origin(outcome, "work_dir") == ("environment", "PONOS_DATA")
    assert origin(outcome, "process") == ("default", "developer mode")


def test_platform_fields_of_a_worker_run() -> None:
    """Corpus, process and model come with the run."""
    outcome = settle(Configuration, items=[item("threshold", 0.7)], environ={"ARKINDEX_CORPUS_ID": "a"})

    assert origin(outcome, "corpus_id") == ("worker run", "RetrieveWorkerRun process.corpus")
    assert origin(outcome, "config.threshold") == ("worker run", "RetrieveWorkerRunConfiguration threshold")
    assert outcome.origins["worker_run_id"].source == "environment"


def test_verbose_and_debug_ask_for_debug() -> None:
    """A flag, a variable of an env file, or the reserved key."""
    assert not settle(Configuration).resolution.wants_debug
    assert settle(Configuration, env_file="ARKINDEX_DEBUG=1\n").resolution.wants_debug
    assert settle(Configuration, file="debug: on\n").resolution.wants_debug
