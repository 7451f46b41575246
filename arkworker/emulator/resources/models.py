"""Versions of models, and uploads of their archives in parts."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.endpoint import ApiRequest, Operations
from arkworker.emulator.failures import conflict, invalid
from arkworker.emulator.tables import Json, Model, ModelVersion, Upload, WorkerRun
from arkworker.emulator.values import Body, Id, Name
from arkworker.storage.archives import create

if TYPE_CHECKING:
    from pathlib import Path

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


@operations("CreateModelVersion", "POST /model/{id:uuid}/versions/", status=201)
def create_model_version(request: ApiRequest, model: Model, body: NewModelVersion) -> Json:
    _check_tag(request, model.id, body.tag, None)
    row = request.session.keep(ModelVersion(model_id=model.id, **body.model_dump()))
    return _version(request, row, put=True)


@operations("RetrieveModelVersion", "GET /modelversion/{id:uuid}/")
def retrieve_model_version(request: ApiRequest, version: ModelVersion) -> Json:
    return _version(request, version)


@operations("UpdateModelVersion", "PUT /modelversion/{id:uuid}/")
@operations("PartialUpdateModelVersion", "PATCH /modelversion/{id:uuid}/")
def update_model_version(request: ApiRequest, version: ModelVersion, body: ModelVersionChange) -> Json:
    _check_tag(request, version.model_id, body.tag, version.id)
    if body.state == "available" and not request.site.storage.path(archive_key(version)).exists():
        raise invalid("The archive has not been uploaded.", "state", code="missing_archive")
    for name, value in body.model_dump(exclude_unset=True, exclude_none=True).items():
        setattr(version, name, value)
    return _version(request, version, put=version.state == "created")


@operations("DestroyModelVersion", "DELETE /modelversion/{id:uuid}/", status=204)
def destroy_model_version(request: ApiRequest, version: ModelVersion) -> None:
    if version.state == "available":
        raise conflict("An available model version cannot be deleted.", code="available")
    if request.session.scalar(select(WorkerRun.id).filter_by(model_version_id=version.id).limit(1)) is not None:
        raise conflict("A model version that a worker run uses cannot be deleted.", code="used")
    request.session.delete(version)


def archive_key(row: ModelVersion) -> str:
    """Where the storage keeps the archive."""
    return f"models/{row.id}"


def _pack(row: ModelVersion, archive: Path) -> None:
    """Make the archive of a version that was given as a folder."""
    if row.files is None or not row.files.is_dir():
        raise invalid("The folder of this model is no longer there.", code="missing_archive")
    create(row.files, archive)
    with archive.open("rb") as file:
        row.archive_hash = hashlib.file_digest(file, "md5").hexdigest()
    row.size = archive.stat().st_size


def _check_tag(request: ApiRequest, model_id: str, tag: str | None, own: str | None) -> None:
    same = select(ModelVersion.id).where(ModelVersion.model_id == model_id, ModelVersion.tag == tag)
    if tag is not None and request.session.scalar(same) not in (None, own):
        # Published clients look for this very sentence, in the older style.
        raise invalid("A version for this model with this tag already exists.", code="unique", legacy=True)


def _version(request: ApiRequest, row: ModelVersion, *, put: bool = False) -> Json:
    site, key = request.site, archive_key(row)
    if row.files is not None and row.archive_hash is None:
        _pack(row, site.storage.path(key))
    names = ("id", "model_id", "parent", "tag", "description", "state", "size", "archive_hash", "configuration")
    return {
        **represent.pick(row, *names),
        "model": represent.named(row.model),
        "s3_url": site.address("GET", key) if row.state == "available" else None,
        "s3_put_url": site.address("PUT", key, "application/zstd") if put else None,
        "s3_etag": row.etag,
        "created": row.created,
    }


class NewUpload(Body):
    object_type: Literal["model_version"]
    object_id: Id
    checksum_algorithm: None = None


class _OfUpload(NewUpload):
    upload_id: Id


class NewPart(_OfUpload):
    part_number: int = Field(ge=1, le=10_000)
    md5_hash: str
    checksum: None = None


class Part(Body):
    part_number: int = Field(ge=1, le=10_000)
    etag: str
    md5_hash: str
    checksum: None = None


class Completion(_OfUpload):
    parts: list[Part] = Field(min_length=1)


class Abortion(Body):
    object_type: Literal["model_version"]
    object_id: Id
    upload_id: Id


@operations("CreateMultipartUpload", "POST /multipart/", status=201)
def create_upload(request: ApiRequest, body: NewUpload) -> Json:
    version = request.refer(ModelVersion, body.object_id, "object_id")
    if version.state == "available":
        raise invalid("This model version is already available.", "object_id")
    return {"upload_id": request.session.keep(Upload(object_type=body.object_type, object_id=version.id)).id}


@operations("CreateMultipartUploadPart", "POST /multipart/part/", status=201)
def create_part(request: ApiRequest, body: NewPart) -> Json:
    row = _upload(request, body)
    return {"url": request.site.address("PUT", _part_key(row, body.part_number))}


@operations("CompleteMultipartUpload", "POST /multipart/complete/")
def complete_upload(request: ApiRequest, body: Completion) -> Json:
    """Put the parts together; what comes out must have the size and the hash that were announced."""
    row = _upload(request, body)
    version = request.refer(ModelVersion, row.object_id, "object_id")
    target = request.site.storage.path(archive_key(version))
    digest = _join([_part(request, row, part, n) for n, part in enumerate(body.parts)], target)
    if (version.size not in (None, target.stat().st_size)) or version.archive_hash not in (None, digest):
        target.unlink()
        raise invalid("The archive is not the one that was announced.", "parts", code="hash_mismatch")
    version.state, version.etag, version.size = "available", digest, target.stat().st_size
    _forget(request, row)
    return represent.pick(row, "object_type", "object_id")


@operations("AbortMultipartUpload", "POST /multipart/abort/", status=204)
def abort_upload(request: ApiRequest, body: Abortion) -> None:
    _forget(request, _upload(request, body))


def _upload(request: ApiRequest, body: _OfUpload | Abortion) -> Upload:
    row = request.refer(Upload, body.upload_id, "upload_id")
    if row.object_id != body.object_id:
        raise invalid("The upload is of another object.", "object_id")
    return row


def _part_key(row: Upload, number: int) -> str:
    return f"uploads/{row.id}/{number}"


def _part(request: ApiRequest, row: Upload, part: Part, number: int) -> Path:
    path = request.site.storage.path(_part_key(row, part.part_number))
    if not path.exists():
        raise invalid("This part was not uploaded.", "parts", number, code="missing_part")
    etag = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if part.etag.strip('"') != etag:
        raise invalid("This part has another ETag.", "parts", number, "etag", code="etag_mismatch")
    return path


def _join(parts: list[Path], target: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("wb") as file:
        for part in parts:
            content = part.read_bytes()
            digest.update(content)
            file.write(content)
    return digest.hexdigest()


def _forget(request: ApiRequest, row: Upload) -> None:
    shutil.rmtree(request.site.storage.path(_part_key(row, 1)).parent, ignore_errors=True)
    request.session.delete(row)
