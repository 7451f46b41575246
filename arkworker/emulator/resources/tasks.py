"""Tasks and secrets: what the platform gives to a running worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from arkworker.emulator.failures import missing
from arkworker.emulator.operations import Operations
from arkworker.emulator.tables import Secret, Task

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


@operations("RetrieveTask", "GET /task/{id:uuid}/")
@operations("RetrieveTaskFromAgent", "GET /task/{id:uuid}/from-agent/")
def retrieve_task(request: ApiRequest, task_id: str) -> dict[str, Any]:
    task = request.get(Task, task_id)
    return {
        "id": task.id,
        "slug": task.slug,
        "state": task.state,
        "run": task.run,
        "depth": task.depth,
        "chunk": task.chunk,
        "parents": task.parents,
        "process": task.process_id,
        "worker_run_id": task.worker_run_id,
        "created": task.created,
    }


@operations("RetrieveSecret", "GET /secret/{name:path}", enterprise_only=True)
def retrieve_secret(request: ApiRequest, name: str) -> dict[str, str]:
    """By name, or by the id that a worker run's configuration refers to."""
    row = request.session.scalar(select(Secret).where(or_(Secret.name == name, Secret.id == name)))
    if row is None:
        raise missing()
    return {"id": row.id, "name": row.name, "content": row.content}
