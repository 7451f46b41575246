"""Worker runs and their configuration, in the modern generation and in the legacy one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import declarations
from arkworker.emulator.failures import forbidden, invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.tables import Secret, WorkerRun

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest
    from arkworker.emulator.tables import ModelVersion, Process, WorkerVersion

operations = Operations()


@operations("RetrieveWorkerRun", "GET /process/workers/{id:uuid}/")
def retrieve_worker_run(request: ApiRequest, run_id: str) -> dict[str, Any]:
    run = request.get(WorkerRun, run_id)
    legacy = run.version.legacy
    return {
        "id": run.id,
        "summary": run.summary,
        "parents": run.parents,
        "use_gpu": False,
        "worker_version": _worker_version(run.version),
        "configuration": _saved(run, full=legacy),
        "model_version": run.model_version and _model_version(run.model_version),
        "process": _process(run.process, legacy=legacy),
    }


@operations("RetrieveWorkerRunConfiguration", "GET /workers/runs/{id:uuid}/configuration/")
def retrieve_configuration(request: ApiRequest, run_id: str) -> dict[str, Any]:
    run = request.get(WorkerRun, run_id)
    task = request.caller.task
    if task is not None and task.worker_run_id != run.id:
        raise forbidden()
    if run.answer is not None:
        return run.answer
    if run.version.legacy:
        raise invalid("This worker version does not use the modern configuration format.", code="legacy_configuration")
    model = run.model_version.configuration if run.model_version else {}
    items = declarations.configuration(run.version.declaration, model, run.saved or {})
    return {"configuration": [_with_secret(request, item) for item in items]}


def _with_secret(request: ApiRequest, item: dict[str, Any]) -> dict[str, Any]:
    """What a saved secret's name becomes: a reference in the Enterprise edition, its content in the Community one."""
    if not item["secret"] or item["value"] is None:
        return item
    row = request.session.scalar(select(Secret).where(Secret.name == str(item["value"])))
    if row is None:
        return item
    return {**item, "value": row.id if request.site.edition == "enterprise" else row.content}


def _worker_version(version: WorkerVersion) -> dict[str, Any]:
    declaration = version.declaration
    slug = declaration.get("slug", "worker")
    answer: dict[str, Any] = {
        "id": version.id,
        "worker": {
            "id": version.worker_id,
            "name": declaration.get("display_name") or declaration.get("name") or slug,
            "slug": slug,
            "type": declaration.get("type", "worker"),
        },
        "version": 1,
        "revision_url": None,
        "docker_image_iid": None,
        "state": "available",
        "gpu_usage": declaration.get("gpu_usage", "disabled"),
        "model_usage": declaration.get("model_usage", "disabled"),
        "created": version.created,
    }
    if version.legacy:
        names = ("docker", "configuration", "user_configuration", "secrets")
        answer["configuration"] = {name: declaration[name] for name in names if name in declaration}
    return answer


def _saved(run: WorkerRun, *, full: bool) -> dict[str, Any] | None:
    if run.saved is None:
        return None
    named: dict[str, Any] = {"id": run.id, "name": "Values of the run"}
    return {**named, "configuration": run.saved, "archived": False} if full else named


def _model_version(version: ModelVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "name": version.tag or version.id[:8],
        "configuration": version.configuration,
        "model": {"id": version.model.id, "name": version.model.name},
    }


def _process(process: Process, *, legacy: bool) -> dict[str, Any]:
    answer = {
        "id": process.id,
        "name": process.name,
        "state": process.state,
        "mode": process.mode,
        "corpus": process.corpus_id,
        "activity_state": process.activity_state,
        "chunks": process.chunks,
        "skip_elements_json": process.skip_elements_json,
    }
    return {**answer, "use_cache": False} if legacy else answer
