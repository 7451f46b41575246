"""The table is what the reconstructed document says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from arkworker.arkindex.client.exchange import read_operations
from arkworker.arkindex.client.table import OPERATIONS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def document() -> Any:
    """The reconstructed OpenAPI document."""
    return json.loads((ROOT / "tests" / "data" / "openapi-reconstructed.json").read_text("utf-8"))


def test_the_table_is_generated(document: Any) -> None:
    """The committed file is what its generator writes today."""
    spec = importlib.util.spec_from_file_location("generate_table", Path(__file__).with_name("generate_table.py"))
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)

    assert generator.TABLE.read_text("utf-8") == generator.render(document)


def test_the_table_agrees_with_the_document_as_the_client_reads_it(document: Any) -> None:
    """Ids, methods, paths, query parameters and pages; two ways to the same operations."""
    read = read_operations(document)

    known = {id_: (o.method, o.path, o.query, o.pages) for id_, o in OPERATIONS.items()}
    assert known == {id_: (o.method, o.path, o.query, o.pages) for id_, o in read.items()}


def test_the_document_has_the_operations_of_a_workers_life() -> None:
    """Without these, no worker runs."""
    life = {
        "RetrieveWorkerRun": ("GET", "/api/v1/process/workers/{id}/"),
        "RetrieveWorkerRunConfiguration": ("GET", "/api/v1/workers/runs/{id}/configuration/"),
        "RetrieveSecret": ("GET", "/api/v1/secret/{name}"),
        "RetrieveTask": ("GET", "/api/v1/task/{id}/"),
        "StartWorkerActivity": ("POST", "/api/v1/process/start-activity/"),
        "UpdateWorkerActivity": ("PUT", "/api/v1/workers/versions/{id}/activity/"),
        "ListProcessElements": ("GET", "/api/v1/process/{id}/elements/"),
    }

    assert {id_: (OPERATIONS[id_].method, OPERATIONS[id_].path) for id_ in life} == life
