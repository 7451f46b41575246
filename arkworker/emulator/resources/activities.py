"""How far a worker run has come with each element: claims, and reports.

    queued ──► started ──► processed
       └──────────┴──► error ──► started …

Any other transition is refused with 409, a repeated one too: the second `started` of a client that did not get the
first answer looks like another worker's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import bindparam, select, update

from arkworker.emulator.failures import conflict, invalid, missing
from arkworker.emulator.ledger import StateChange
from arkworker.emulator.operations import Operations
from arkworker.emulator.resources.processes import process_element
from arkworker.emulator.tables import Base, Element, now
from arkworker.emulator.values import Body, Id

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()

# What each state can follow.
BEFORE = {"queued": (), "started": ("queued", "error"), "processed": ("started",), "error": ("queued", "started")}


# Once for each element: built once, and over the tables, which takes half the time that mapped classes take.
_TABLES = Base.metadata.tables
_ACTIVITIES, _RUNS, _PROCESSES = _TABLES["activities"], _TABLES["worker_runs"], _TABLES["processes"]
_A = _ACTIVITIES.c
_HEAD = (
    select(_A.position)
    .where(_A.worker_run_id == bindparam("run"), _A.state == "queued")
    .order_by(_A.position)
    .limit(1)
    .scalar_subquery()
)
# A claim is a single statement, so that no two tasks get the same element.
_CLAIM = (
    update(_ACTIVITIES)
    .where(_A.position == _HEAD)
    .values(state="started", updated=bindparam("moment"))
    .returning(_A.element_id)
)
_READY = (
    select(_PROCESSES.c.activity_state)
    .join(_RUNS, _RUNS.c.process_id == _PROCESSES.c.id)
    .where(_RUNS.c.id == bindparam("run"))
)
_STATE = (
    select(_A.position, _A.state)
    .join(_RUNS, _RUNS.c.id == _A.worker_run_id)
    .where(
        _A.worker_run_id == bindparam("run"),
        _A.element_id == bindparam("element"),
        _RUNS.c.process_id == bindparam("process"),
    )
)
_CHANGE = (
    update(_ACTIVITIES)
    .where(_A.position == bindparam("activity"))
    .values(state=bindparam("new_state"), updated=bindparam("moment"))
)


class Report(Body):
    element_id: Id
    process_id: Id
    state: Literal["queued", "started", "processed", "error"]


@operations("StartWorkerActivity", "POST /process/start-activity/", task_only=True)
def start_activity(request: ApiRequest) -> dict[str, Any]:
    """Claim the next element of the task's worker run."""
    run = _claiming_run(request)
    claimed = request.session.connection().scalar(_CLAIM, {"run": run, "moment": now()})
    if claimed is None:
        raise missing("There are no queued activities left.")
    _record(request, run, claimed, "queued", "started")
    return process_element(request.get(Element, claimed), request.site, with_image=True)


@operations("UpdateWorkerActivity", "PUT /workers/versions/{id:uuid}/activity/", body=Report)
def update_activity(request: ApiRequest, run_id: str, body: Report) -> dict[str, Any]:
    """Report a new state; the id in the path is that of the worker run, whatever the path says."""
    names = {"run": str(run_id), "element": str(body.element_id), "process": str(body.process_id)}
    found = request.session.connection().execute(_STATE, names).one_or_none()
    if found is None:
        raise conflict("This worker activity does not exist.", code="not_found")
    activity, before = found
    if before not in BEFORE[body.state]:
        raise conflict(f"The transition from {before} to {body.state} is forbidden.", "state", code="transition")
    request.session.connection().execute(_CHANGE, {"activity": activity, "new_state": body.state, "moment": now()})
    _record(request, names["run"], names["element"], before, body.state)
    return {"element_id": names["element"], "process_id": names["process"], "state": body.state}


def _claiming_run(request: ApiRequest) -> str:
    task = request.caller.require_task()
    if task.worker_run_id is None:
        raise invalid("This task has no worker run.", code="no_worker_run")
    if task.state != "running":
        raise invalid("This task is not running.", code="task_finished")
    if request.session.connection().scalar(_READY, {"run": task.worker_run_id}) != "ready":
        raise invalid("Worker activities are not ready.", code="activities_not_ready")
    return task.worker_run_id


def _record(request: ApiRequest, run: str, element: str, before: str, state: str) -> None:
    call = request.call
    request.changes.append(StateChange(time.time(), run, element, before, state, call.task_id, call.number))
