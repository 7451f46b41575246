"""The files that tasks leave behind; their bytes travel through the storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator.failures import invalid, missing
from arkworker.emulator.operations import Operations
from arkworker.emulator.requests import Reply
from arkworker.emulator.tables import Artifact, Task
from arkworker.emulator.values import Body, Name

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewArtifact(Body):
    path: Name
    content_type: Name
    size: int = Field(ge=0)


@operations("ListArtifacts", "GET /task/{id:uuid}/artifacts/")
def list_artifacts(request: ApiRequest, task_id: str) -> list[dict[str, Any]]:
    task = request.get(Task, task_id)
    rows = request.session.scalars(select(Artifact).where(Artifact.task_id == task.id).order_by(Artifact.path))
    return [_artifact(row, None) for row in rows]


@operations("CreateArtifact", "POST /task/{id:uuid}/artifacts/", body=NewArtifact, status=201)
def create_artifact(request: ApiRequest, task_id: str, body: NewArtifact) -> dict[str, Any]:
    task = request.get(Task, task_id)
    if request.session.scalar(select(Artifact.id).filter_by(task_id=task.id, path=body.path)) is not None:
        raise invalid("An artifact with this path already exists.", "path", code="unique")
    row = Artifact(task_id=task.id, path=body.path, size=body.size, content_type=body.content_type)
    request.session.add(row)
    request.session.flush()
    return _artifact(row, request.site.storage_url + request.site.storage.sign("PUT", key(row), row.content_type))


@operations("DownloadArtifact", "GET /task/{id:uuid}/artifact/{path:path}")
def download_artifact(request: ApiRequest, task_id: str, path: str) -> Reply:
    task = request.get(Task, task_id)
    row = request.session.scalar(select(Artifact).filter_by(task_id=task.id, path=path))
    if row is None:
        raise missing()
    return Reply(
        status=302, headers=(("location", request.site.storage_url + request.site.storage.sign("GET", key(row))),)
    )


def key(row: Artifact) -> str:
    """Where the storage keeps the file."""
    return f"artifacts/{row.id}"


def _artifact(row: Artifact, put_url: str | None) -> dict[str, Any]:
    names = ("id", "path", "size", "content_type", "created", "updated")
    return {**{name: getattr(row, name) for name in names}, "s3_put_url": put_url}
