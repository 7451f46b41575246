"""The folder `schemas/` is up to date, and the schema of the context is true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from arkindex_stub import worker_run
from jsonschema import Draft202012Validator

from arkworker.cli.schema_files import stale_files
from arkworker.runtime.explanation import context_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

WORKER = """
from arkworker import Secret, UserConfiguration, Worker

class Configuration(UserConfiguration):
    token: Secret[str] | None = None
    size: int = 1

class W(Worker[Configuration]):
    def run(self, context, cache): ...
"""


def test_generated_schemas_are_up_to_date() -> None:
    """What `make schemas` would write is what the folder holds."""
    assert stale_files(Path(__file__).parents[2] / "schemas") == []


def test_changed_schema_is_stale(tmp_path: Path) -> None:
    """A missing and a foreign file are both told."""
    (tmp_path / "foreign.json").write_text("{}")

    stale = stale_files(tmp_path)

    assert {"foreign.json", "context.schema.json", "environment.schema.json"} <= set(stale)


def test_context_schema_is_valid() -> None:
    """The schema of the context is one of JSON Schema 2020-12."""
    Draft202012Validator.check_schema(context_schema())

    assert context_schema()["required"]


def test_developer_context_validates(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """What `explain --json` shows in developer mode fits the schema."""
    result = command("explain", write_worker(WORKER), "--json", "--offline", ARKINDEX_CONFIG_TOKEN="env:X")

    Draft202012Validator(context_schema()).validate(result.data["context"])

    assert result.data["mode"] == "developer"


def test_worker_run_context_validates(
    command: Callable[..., Result], arkindex: Stub, write_worker: Callable[[str], str]
) -> None:
    """What `explain --json` shows of a worker run fits the schema."""
    arkindex.serve_run(worker_run(model_version={"id": "mv", "model": {"id": "m"}, "configuration": {"x": 1}}), [])

    result = command("explain", write_worker(WORKER), "--json", **arkindex.environment)

    Draft202012Validator(context_schema()).validate(result.data["context"])

    assert (result.data["mode"], result.data["context"]["model_details"]) == ("worker run", {"id": "m"})
