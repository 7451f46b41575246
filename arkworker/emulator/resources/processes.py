"""Worker runs with their configuration and activities, what a process works on, tasks and what those leave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from sqlalchemy import or_, select, text

from arkworker.emulator import declarations, iiif, represent
from arkworker.emulator.endpoint import ApiRequest, CursorQuery, Operations, PageQuery
from arkworker.emulator.failures import conflict, forbidden, invalid, missing
from arkworker.emulator.ledger import StateChange
from arkworker.emulator.tables import (
    Artifact,
    DatasetSet,
    Element,
    Json,
    Process,
    ProcessElement,
    ProcessSet,
    Secret,
    Task,
    WorkerRun,
    now,
)
from arkworker.emulator.values import Body, Id, Name

if TYPE_CHECKING:
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import ModelVersion, WorkerVersion

operations = Operations()


@operations("RetrieveWorkerRun", "GET /process/workers/{id:uuid}/")
def retrieve_worker_run(_request: ApiRequest, run: WorkerRun) -> Json:
    legacy = run.version.legacy
    return {
        "id": run.id,
        "summary": run.summary,
        "parents": run.parents,
        "use_gpu": False,
        "worker_version": _worker_version(run.version),
        "configuration": _saved(run, full=legacy),
        "model_version": run.model_version and _model_version(run.model_version),
        "process": _process_of(run.process, legacy=legacy),
    }


@operations("RetrieveWorkerRunConfiguration", "GET /workers/runs/{id:uuid}/configuration/")
def retrieve_configuration(request: ApiRequest, run: WorkerRun) -> Json:
    if request.task is not None and request.task.worker_run_id != run.id:
        raise forbidden()
    if run.answer is not None:
        return run.answer
    if run.version.legacy:
        raise invalid("This worker version does not use the modern configuration format.", code="legacy_configuration")
    model = run.model_version.configuration if run.model_version else {}
    items = declarations.configuration(run.version.declaration, model, run.saved or {})
    return {"configuration": [_with_secret(request, item) for item in items]}


def _with_secret(request: ApiRequest, item: Json) -> Json:
    """What a saved secret's name becomes: a reference in the Enterprise edition, its content in the Community one."""
    if not item["secret"] or item["value"] is None:
        return item
    row = request.session.scalar(select(Secret).where(Secret.name == str(item["value"])))
    if row is None:
        return item
    return {**item, "value": row.id if request.site.edition == "enterprise" else row.content}


def _worker_version(version: WorkerVersion) -> Json:
    declaration = version.declaration
    answer: Json = {
        "id": version.id,
        "worker": {"id": version.worker_id, **declarations.worker(declaration)},
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


def _saved(run: WorkerRun, *, full: bool) -> Json | None:
    if run.saved is None:
        return None
    named: Json = {"id": run.id, "name": "Values of the run"}
    return {**named, "configuration": run.saved, "archived": False} if full else named


def _model_version(version: ModelVersion) -> Json:
    return {
        "id": version.id,
        "name": version.tag or version.id[:8],
        "configuration": version.configuration,
        "model": represent.named(version.model),
    }


def _process_of(process: Process, *, legacy: bool) -> Json:
    answer = {
        **represent.pick(process, "id", "name", "state", "mode"),
        "corpus": process.corpus_id,
        **represent.pick(process, "activity_state", "chunks", "skip_elements_json"),
    }
    return {**answer, "use_cache": False} if legacy else answer


class ProcessElementsQuery(CursorQuery):
    with_image: bool = False


@operations("ListProcessElements", "GET /process/{id:uuid}/elements/")
def list_process_elements(request: ApiRequest, process: Process, query: ProcessElementsQuery) -> Json:
    rows = select(Element, ProcessElement.position).join(ProcessElement, ProcessElement.element_id == Element.id)
    rows = rows.where(ProcessElement.process_id == process.id)

    def show(row: Element) -> Json:
        return _process_element(row, request.site, with_image=query.with_image)

    return request.page_after_cursor(query, rows, ProcessElement.position, show)


@operations("ListProcessSets", "GET /process/{id:uuid}/sets/")
def list_process_sets(request: ApiRequest, process: Process, query: PageQuery) -> Json:
    rows = select(DatasetSet).join(ProcessSet, ProcessSet.set_id == DatasetSet.id)
    rows = rows.where(ProcessSet.process_id == process.id).order_by(ProcessSet.position)
    return request.page(query, rows, _process_set)


def _process_element(row: Element, site: Site, *, with_image: bool) -> Json:
    """An element as processes show it: flat, with its image when it is asked for."""
    answer = represent.pick(row, "id", "type_id", "name", "confidence")
    if with_image:
        image = row.image
        answer |= {
            "image_id": image and image.id,
            "image_width": image and image.width,
            "image_height": image and image.height,
            "image_url": image and iiif.url(image, site),
            **represent.pick(row, "polygon", "rotation_angle", "mirrored"),
        }
    return answer


def _process_set(row: DatasetSet) -> Json:
    return {"id": row.id, "set_name": row.name, "dataset": represent.dataset(row.dataset)}


# What each state can follow.
BEFORE = {"queued": (), "started": ("queued", "error"), "processed": ("started",), "error": ("queued", "started")}


# Once for each element: as text, which takes a part of the time that mapped classes take.
# A claim is a single statement, so that no two tasks get the same element.
_CLAIM = text(
    """
    UPDATE activities SET state = 'started', updated = :moment WHERE position = (
        SELECT position FROM activities WHERE worker_run_id = :run AND state = 'queued' ORDER BY position LIMIT 1
    ) RETURNING element_id
    """
)
_READY = text(
    """
    SELECT activity_state FROM processes JOIN worker_runs ON worker_runs.process_id = processes.id
    WHERE worker_runs.id = :run
    """
)
_STATE = text(
    """
    SELECT activities.position, state FROM activities JOIN worker_runs ON worker_runs.id = worker_run_id
    WHERE worker_run_id = :run AND element_id = :element AND process_id = :process
    """
)
_CHANGE = text("UPDATE activities SET state = :state, updated = :moment WHERE position = :activity")


class Report(Body):
    element_id: Id
    process_id: Id
    state: Literal["queued", "started", "processed", "error"]


@operations("StartWorkerActivity", "POST /process/start-activity/", task_only=True)
def start_activity(request: ApiRequest) -> Json:
    """Claim the next element of the task's worker run."""
    run = _claiming_run(request)
    claimed = request.session.connection().scalar(_CLAIM, {"run": run, "moment": now()})
    if claimed is None:
        raise missing("There are no queued activities left.")
    _record(request, run, claimed, "queued", "started")
    return _process_element(request.get(Element, claimed), request.site, with_image=True)


@operations("UpdateWorkerActivity", "PUT /workers/versions/{id:uuid}/activity/")
def update_activity(request: ApiRequest, run_id: str, body: Report) -> Json:
    """Report a new state; the id in the path is that of the worker run, whatever the path says."""
    names = {"run": run_id, "element": body.element_id, "process": body.process_id}
    found = request.session.connection().execute(_STATE, names).one_or_none()
    if found is None:
        raise conflict("This worker activity does not exist.", code="not_found")
    activity, before = found
    if before not in BEFORE[body.state]:
        raise conflict(f"The transition from {before} to {body.state} is forbidden.", "state", code="transition")
    request.session.connection().execute(_CHANGE, {"activity": activity, "state": body.state, "moment": now()})
    _record(request, run_id, body.element_id, before, body.state)
    return body.model_dump()


def _claiming_run(request: ApiRequest) -> str:
    task = request.task
    if task is None or task.worker_run_id is None:
        raise invalid("This task has no worker run.", code="no_worker_run")
    if task.state != "running":
        raise invalid("This task is not running.", code="task_finished")
    if request.session.connection().scalar(_READY, {"run": task.worker_run_id}) != "ready":
        raise invalid("Worker activities are not ready.", code="activities_not_ready")
    return task.worker_run_id


def _record(request: ApiRequest, run: str, element: str, before: str, state: str) -> None:
    call = request.call
    request.changes.append(StateChange(time.time(), run, element, before, state, call.task_id, call.number))


@operations("RetrieveTask", "GET /task/{id:uuid}/")
@operations("RetrieveTaskFromAgent", "GET /task/{id:uuid}/from-agent/")
def retrieve_task(_request: ApiRequest, task: Task) -> Json:
    return {
        **represent.pick(task, "id", "slug", "state", "run", "depth", "chunk", "parents"),
        "process": task.process_id,
        **represent.pick(task, "worker_run_id", "created"),
    }


@operations("RetrieveSecret", "GET /secret/{name:path}", enterprise_only=True)
def retrieve_secret(request: ApiRequest, name: str) -> Json:
    """By name, or by the id that a worker run's configuration refers to."""
    row = request.session.scalar(select(Secret).where(or_(Secret.name == name, Secret.id == name)))
    if row is None:
        raise missing()
    return represent.pick(row, "id", "name", "content")


class NewArtifact(Body):
    path: Name
    content_type: Name
    size: int = Field(ge=0)


@operations("ListArtifacts", "GET /task/{id:uuid}/artifacts/")
def list_artifacts(request: ApiRequest, task: Task) -> list[Json]:
    rows = request.session.scalars(select(Artifact).filter_by(task_id=task.id).order_by(Artifact.path))
    return [_artifact(row, None) for row in rows]


@operations("CreateArtifact", "POST /task/{id:uuid}/artifacts/", status=201)
def create_artifact(request: ApiRequest, task: Task, body: NewArtifact) -> Json:
    if request.session.scalar(select(Artifact.id).filter_by(task_id=task.id, path=body.path)) is not None:
        raise invalid("An artifact with this path already exists.", "path", code="unique")
    row = request.session.keep(Artifact(task_id=task.id, **body.model_dump()))
    return _artifact(row, request.site.address("PUT", artifact_key(row), row.content_type))


@operations("DownloadArtifact", "GET /task/{id:uuid}/artifact/{path:path}", status=302)
def download_artifact(request: ApiRequest, task: Task, path: str) -> str:
    row = request.session.scalar(select(Artifact).filter_by(task_id=task.id, path=path))
    if row is None:
        raise missing()
    return request.site.address("GET", artifact_key(row))


def artifact_key(row: Artifact) -> str:
    """Where the storage keeps the file."""
    return f"artifacts/{row.id}"


def _artifact(row: Artifact, put_url: str | None) -> Json:
    shown = represent.pick(row, "id", "path", "size", "content_type", "created", "updated")
    return {**shown, "s3_put_url": put_url}
