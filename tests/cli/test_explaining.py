"""The verb `explain`: its interface, and its table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from arkindex_stub import RUN_ID, worker_run

from arkworker.runtime.context import WorkerContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

WORKER = """
from arkworker import Secret, UserConfiguration, Worker

class Group(UserConfiguration):
    size: int = 4

class C(UserConfiguration):
    threshold: float = 0.5
    names: list[str] = []
    group: Group = Group()
    token: Secret[str] | None = None

class Flags(UserConfiguration):
    output: str = "out"

class W(Worker[C]):
    arguments = Flags

    def run(self, context, cache):
        print("ran")
"""


def test_interface(command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub) -> None:
    """Four parts; every data field of the context, and the origin of each."""
    arkindex.serve_run(worker_run(), [])
    target = write_worker(WORKER)

    data = command("explain", target, "--json", **arkindex.environment).data

    fields = {item.name for item in dataclasses.fields(WorkerContext) if not item.name.startswith("_")}
    assert sorted(data) == ["context", "mode", "origins", "target"]
    assert (data["target"], data["mode"]) == (target, "worker run")
    assert set(data["context"]) == (fields - {"origins", "connection"}) | {"corpus_id", "api"}
    assert (data["context"]["worker_run_id"], data["context"]["api"]["token"]) == (RUN_ID, "**********")


def test_user_code_is_not_run(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Neither here nor by a check."""
    target = write_worker(WORKER)

    assert "ran" not in command("explain", target).out + command("check", target).out


def test_origins_and_what_they_shadow(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub, tmp_path: Path
) -> None:
    """Strongest first; each with its place and value."""
    file = tmp_path / "worker.yml"
    file.write_text("group:\n  size: 5\n")
    (tmp_path / "env").write_text("ARKINDEX_CONFIG_GROUP_SIZE=6\n")
    flags = ("-c", str(file), "--env-file", str(tmp_path / "env"), "--config.group.size", "8")

    data = command("explain", write_worker(WORKER), "--json", *flags, ARKINDEX_CONFIG_GROUP_SIZE="7").data

    origin = data["origins"]["config.group.size"]
    shadowed = [(item["source"], item["location"], item["value"]) for item in origin["shadowed"]]
    assert arkindex.requests == []
    assert (data["context"]["config"]["group"]["size"], origin["source"], origin["location"]) == (
        8,
        "command line",
        "--config.group.size",
    )
    assert shadowed == [
        ("environment", "ARKINDEX_CONFIG_GROUP_SIZE", 7),
        ("env file", f"{tmp_path}/env:1", 6),
        ("configuration file", f"{file}:2:3", 5),
        ("default", "C.group.size", 4),
    ]


def test_secrets_are_stars(command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path) -> None:
    """Values, references, and what they replaced."""
    (tmp_path / "worker.yml").write_text("token: canary-1\n")
    flags = ("-c", str(tmp_path / "worker.yml"), "--config.token", "canary-2", "--all")
    environment = {"ARKINDEX_CONFIG_TOKEN": "canary-3", "ARKINDEX_API_TOKEN": "canary-4"}

    results = [command("explain", write_worker(WORKER), *flags, *more, **environment) for more in ((), ("--json",))]

    assert [(result.code, "canary" in result.out + result.err) for result in results] == [(0, False)] * 2


def test_no_secret_is_shown_as_none(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Stars stand for a secret: a default that is none has nothing to hide."""
    data = command("explain", write_worker(WORKER), "--json", "--config.token", "env:HOME").data

    [default] = data["origins"]["config.token"]["shadowed"]
    assert (data["context"]["config"]["token"], default["value"]) == ("**********", None)


def test_table(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Name, value and origin in columns."""
    target = write_worker(WORKER)

    lines = command("explain", target, "--config.threshold", "0.7", "--output", "x").out.splitlines()

    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}
    assert lines[0] == f"{target}, developer mode"
    assert (rows["config.threshold"], rows["arguments.output"]) == (
        "0.7 command line --config.threshold",
        "x command line --output",
    )
    assert (rows["config.group.size"], rows["corpus_id"]) == ("4 default C.group.size", "— default")


def test_a_pattern_that_matches_nothing(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """An empty table would say that all is well; the nearest name is told."""
    result = command("explain", write_worker(WORKER), "treshold")

    assert (result.code, result.out) == (2, "")
    assert "no value has this name; did you mean threshold?" in result.err


def test_second_pattern_is_refused(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """One is looked for; the other may be a part of a value, and is not repeated."""
    result = command("explain", write_worker(WORKER), "threshold", "s3cr3t")

    assert (result.code, result.out) == (2, "")
    assert "unexpected argument" in result.err
    assert "s3cr3t" not in result.err


def test_all_shows_what_was_replaced(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Below each value."""
    result = command("explain", write_worker(WORKER), "--config.threshold", "0.7", "--all")

    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    after = lines[lines.index("config.threshold 0.7 command line --config.threshold") + 1]
    assert after == "replaces 0.5 default C.threshold"


def test_table_of_a_worker_run(
    command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """It names the run, and what came with it."""
    arkindex.serve_run(worker_run(), [{"key": "threshold", "value": 0.7, "secret": False}])

    result = command("explain", write_worker(WORKER), **arkindex.environment)

    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0].endswith(f"worker run {RUN_ID}")
    assert "config.threshold 0.7 worker run RetrieveWorkerRunConfiguration threshold" in lines
    assert "process.mode workers worker run RetrieveWorkerRun process" in lines


def test_nothing_is_made(command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path) -> None:
    """No working directory; a check makes it."""
    target = write_worker(WORKER)

    command("explain", target)
    command("check", target, "--offline")
    before = (tmp_path / "ponos").exists()
    command("check", target)

    assert (before, (tmp_path / "ponos" / "current").is_dir()) == (False, True)


def test_directory_that_cannot_be_made(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """A problem of the check, with the variable."""
    (tmp_path / "ponos").write_text("a file")

    result = command("check", write_worker(WORKER), "--json")

    problem = result.problems["work_dir"]
    assert (result.code, problem["location"], problem["hint"]) == (
        78,
        "PONOS_DATA",
        "set PONOS_DATA to a directory that can be written",
    )


def test_lists_in_arguments_are_frozen(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """A plain frozen model of pydantic would let them change."""
    source = """
from pydantic import BaseModel, ConfigDict
from arkworker import Worker

class Flags(BaseModel):
    model_config = ConfigDict(frozen=True)
    names: list[str] = ["a"]

class W(Worker):
    arguments = Flags
    def run(self, context, cache):
        hash(context)
        context.arguments.names.append("b")
"""

    result = command("run", write_worker(source), "--names", "x,y")

    assert (result.code, "TypeError: a FrozenList cannot be changed" in result.err) == (1, True)


def test_signature_of_an_address(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """It is as good as a password: stars in all but name, also in what was replaced."""
    target = write_worker(
        "from arkworker import UserConfiguration, Worker\n"
        "class C(UserConfiguration):\n    url: str = 'https://a.test/f?sig=canary'\n"
        "class W(Worker[C]):\n    def run(self, context, cache): ..."
    )
    flags = ("--config.url", "https://b.test/f?X-Amz-Signature=canary")

    shown = [
        command("explain", target, *flags, *more, ARKINDEX_CONFIG_URL="https://c.test/f?sig=canary")
        for more in (("--json",), ("--all",))
    ]

    assert ["canary" in result.out + result.err for result in shown] == [False, False]
    assert shown[0].data["context"]["config"]["url"] == "https://b.test/f?…"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["threshold"], ["config.threshold"]),
        (["config.*", "--changed"], ["config.threshold"]),
        (["no such name"], []),
    ],
)
def test_chosen_values_are_shown(
    flags: list[str], expected: list[str], command: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """By a part of the name, by a pattern, or because they differ from the defaults."""
    result = command("explain", write_worker(WORKER), *flags, "--config.threshold", "0.7")

    assert [line.split()[0] for line in result.out.splitlines()[1:]] == expected
