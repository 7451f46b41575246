"""Uploads in parts, of the archives of models."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from arkworker.emulator.failures import invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.requests import Reply
from arkworker.emulator.resources.models import key
from arkworker.emulator.tables import ModelVersion, Upload
from arkworker.emulator.values import Body, Id

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.emulator.requests import ApiRequest

operations = Operations()


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


@operations("CreateMultipartUpload", "POST /multipart/", body=NewUpload, status=201)
def create_upload(request: ApiRequest, body: NewUpload) -> dict[str, Any]:
    version = request.refer(ModelVersion, body.object_id, "object_id")
    if version.state == "available":
        raise invalid("This model version is already available.", "object_id")
    row = Upload(object_type=body.object_type, object_id=version.id)
    request.session.add(row)
    request.session.flush()
    return {"upload_id": row.id}


@operations("CreateMultipartUploadPart", "POST /multipart/part/", body=NewPart, status=201)
def create_part(request: ApiRequest, body: NewPart) -> dict[str, Any]:
    row = _upload(request, body)
    site = request.site
    return {"url": site.storage_url + site.storage.sign("PUT", f"uploads/{row.id}/{body.part_number}")}


@operations("CompleteMultipartUpload", "POST /multipart/complete/", body=Completion)
def complete_upload(request: ApiRequest, body: Completion) -> dict[str, Any]:
    """Put the parts together; what comes out must have the size and the hash that were announced."""
    row = _upload(request, body)
    version = request.refer(ModelVersion, row.object_id, "object_id")
    target = request.site.storage.path(key(version))
    digest = _join([_part(request, row, part, n) for n, part in enumerate(body.parts)], target)
    if (version.size not in (None, target.stat().st_size)) or version.archive_hash not in (None, digest):
        target.unlink()
        raise invalid("The archive is not the one that was announced.", "parts", code="hash_mismatch")
    version.state, version.etag, version.size = "available", digest, target.stat().st_size
    _forget(request, row)
    return {"object_type": row.object_type, "object_id": row.object_id}


@operations("AbortMultipartUpload", "POST /multipart/abort/", body=Abortion, status=204)
def abort_upload(request: ApiRequest, body: Abortion) -> Reply:
    _forget(request, _upload(request, body))
    return Reply(status=204)


def _upload(request: ApiRequest, body: _OfUpload | Abortion) -> Upload:
    row = request.refer(Upload, body.upload_id, "upload_id")
    if row.object_id != str(body.object_id):
        raise invalid("The upload is of another object.", "object_id")
    return row


def _part(request: ApiRequest, row: Upload, part: Part, number: int) -> Path:
    path = request.site.storage.path(f"uploads/{row.id}/{part.part_number}")
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
    shutil.rmtree(request.site.storage.path(f"uploads/{row.id}/1").parent, ignore_errors=True)
    request.session.delete(row)
