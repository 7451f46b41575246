"""What Arkindex answers at the start of a worker run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arkworker.testing.expectations import Arkindex
    from arkworker.testing.values import PayloadValues

PROCESS_ID = "33333333-3333-4333-8333-333333333333"
CORPUS_ID = "44444444-4444-4444-8444-444444444444"


def serve_worker_run(arkindex: Arkindex, run_id: str, values: PayloadValues) -> None:
    """Answer what every worker asks before it starts; none of it has to be asked."""
    arkindex.expect("RetrieveWorkerRun", _worker_run(run_id), id=run_id, times=None)
    arkindex.expect("RetrieveWorkerRunConfiguration", {"configuration": values.items}, id=run_id, times=None)
    for name, content in values.secrets.items():
        arkindex.expect("RetrieveSecret", {"name": name, "content": content}, name=name, times=None)
    if values.secrets:
        arkindex.expect_address("/api/v1/openapi/", _enterprise(), times=None)


def _worker_run(run_id: str) -> dict[str, Any]:
    worker = {"id": "11111111-1111-4111-8111-111111111111", "name": "Worker", "slug": "worker", "type": "worker"}
    return {
        "id": run_id,
        "parents": [],
        "worker_version": {"id": "22222222-2222-4222-8222-222222222222", "worker": worker},
        "configuration": None,
        "model_version": None,
        "process": {
            "id": PROCESS_ID,
            "corpus": CORPUS_ID,
            "mode": "workers",
            "name": None,
            "state": "running",
            "activity_state": "ready",
        },
    }


def _enterprise() -> dict[str, Any]:
    """The document of an instance that keeps secrets; the Community edition has no such operation."""
    retrieve = {"operationId": "RetrieveSecret", "parameters": []}
    return {"openapi": "3.0.3", "paths": {"/api/v1/secret/{name}": {"get": retrieve}}}
