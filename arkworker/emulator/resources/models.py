"""Versions of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator.failures import conflict, invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.requests import Reply
from arkworker.emulator.tables import Model, ModelVersion
from arkworker.emulator.values import Body, Id, Name

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewModelVersion(Body):
    size: int | None = Field(None, ge=0)
    archive_hash: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    tag: Name | None = None
    description: str = ""
    configuration: dict[str, Any] = Field(default_factory=dict)
    parent: Id | None = None


class ModelVersionChange(NewModelVersion):
    state: Literal["created", "available", "error"] | None = None


@operations("CreateModelVersion", "POST /model/{id:uuid}/versions/", body=NewModelVersion, status=201)
def create_model_version(request: ApiRequest, model_id: str, body: NewModelVersion) -> dict[str, Any]:
    model = request.get(Model, model_id)
    _check_tag(request, model.id, body.tag, None)
    row = ModelVersion(model_id=model.id, **_values(body))
    request.session.add(row)
    request.session.flush()
    return _version(request, row, put=True)


@operations("RetrieveModelVersion", "GET /modelversion/{id:uuid}/")
def retrieve_model_version(request: ApiRequest, version_id: str) -> dict[str, Any]:
    return _version(request, request.get(ModelVersion, version_id))


@operations("UpdateModelVersion", "PUT /modelversion/{id:uuid}/", body=ModelVersionChange)
@operations("PartialUpdateModelVersion", "PATCH /modelversion/{id:uuid}/", body=ModelVersionChange)
def update_model_version(request: ApiRequest, version_id: str, body: ModelVersionChange) -> dict[str, Any]:
    row = request.get(ModelVersion, version_id)
    _check_tag(request, row.model_id, body.tag, row.id)
    if body.state == "available" and not request.site.storage.path(key(row)).exists():
        raise invalid("The archive has not been uploaded.", "state", code="missing_archive")
    for name, value in _values(body).items():
        setattr(row, name, value)
    return _version(request, row, put=row.state == "created")


@operations("DestroyModelVersion", "DELETE /modelversion/{id:uuid}/", status=204)
def destroy_model_version(request: ApiRequest, version_id: str) -> Reply:
    row = request.get(ModelVersion, version_id)
    if row.state == "available":
        raise conflict("An available model version cannot be deleted.", code="available")
    request.session.delete(row)
    return Reply(status=204)


def key(row: ModelVersion) -> str:
    """Where the storage keeps the archive."""
    return f"models/{row.id}"


def _values(body: NewModelVersion) -> dict[str, Any]:
    values = body.model_dump(exclude_unset=True, exclude_none=True)
    if "parent" in values:
        values["parent"] = str(values["parent"])
    return {"configuration": {}, **values} if not isinstance(body, ModelVersionChange) else values


def _check_tag(request: ApiRequest, model_id: str, tag: str | None, own: str | None) -> None:
    same = select(ModelVersion.id).where(ModelVersion.model_id == model_id, ModelVersion.tag == tag)
    if tag is not None and request.session.scalar(same) not in (None, own):
        # Published clients look for this very sentence, in the older style.
        raise invalid("A version for this model with this tag already exists.", code="unique", legacy=True)


def _version(request: ApiRequest, row: ModelVersion, *, put: bool = False) -> dict[str, Any]:
    names = ("id", "model_id", "parent", "tag", "description", "state", "size", "archive_hash", "configuration")
    site = request.site
    stored = row.state == "available"
    return {
        **{name: getattr(row, name) for name in names},
        "model": {"id": row.model.id, "name": row.model.name},
        "s3_url": site.storage_url + site.storage.sign("GET", key(row)) if stored else None,
        "s3_put_url": site.storage_url + site.storage.sign("PUT", key(row), "application/zstd") if put else None,
        "s3_etag": row.etag,
        "created": row.created,
    }
