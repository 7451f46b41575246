"""Tasks, as Ponos describes them: their parents, and the files that they leave on Arkindex."""

from __future__ import annotations

import errno
import mimetypes
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from arkworker.arkindex.promises import address_of, record_of
from arkworker.errors import ApiContentError, ArkworkerError
from arkworker.frozen import Record
from arkworker.storage.exclusive import blaming, explained
from arkworker.storage.locating import is_file_name
from arkworker.text import printable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from arkworker.arkindex.client import Client

__all__ = ["Artifact", "download_artifact", "list_artifacts", "retrieve_parents", "upload_artifact"]

_RETRIEVE = "RetrieveTask"
_UNKNOWN_TYPE = "application/octet-stream"
# Compressed files: what the platform looks for is the compression, not what is in it.
_COMPRESSIONS = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TYPES = {".zst": "application/zstd", ".sqlite": "application/vnd.sqlite3"}
# RFC 9110, section 8.3.1, with the parameters that follow a semicolon.
_MEDIA_TYPE = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+(;[ -~]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a task left.

    Attributes:
        path: Its name; Arkindex keeps them flat.
        size: In bytes; None when Arkindex does not say.
        content_type: Such as `application/zstd`; empty when Arkindex does not say.
    """

    path: str
    size: int | None
    content_type: str


class _Task(Record):
    parents: list[Annotated[str, Field(min_length=1)]]


def list_artifacts(api: Client, task_id: str) -> list[Artifact]:
    """The artifacts of a task, in the order of Arkindex.

    Raises:
        ApiError: They cannot be listed, or the name of one cannot be the name of a file.
    """
    answer = api.request("ListArtifacts", id=task_id)
    if not isinstance(answer, list):
        raise ApiContentError("ListArtifacts", "the answer is not a list")
    return [_artifact("ListArtifacts", item) for item in answer]


def download_artifact(
    api: Client, task_id: str, path: str, destination: str | os.PathLike[str], *, size: int | None = None
) -> Path:
    """Write one artifact to a file, completely or not at all.

    Args:
        api: The client.
        task_id: The task that left it.
        path: The path of the artifact.
        destination: The file to write or replace, or a directory to write it into under its own name.
        size: The number of bytes to expect, see `Artifact`.

    Returns:
        The file.

    Raises:
        ApiError: It cannot be retrieved completely.
        ArkworkerError: The path is not the name of a file, or the file cannot be written.
    """
    if not is_file_name(path):
        raise ArkworkerError(f"{printable(path)!r} is not the path of an artifact: they have no directories")
    target = Path(destination)
    target = target / path if target.is_dir() else target
    return api.download("DownloadArtifact", target, size=size, id=task_id, path=path)


def upload_artifact(
    api: Client,
    task_id: str,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    content_type: str | None = None,
) -> Artifact:
    """Upload a file as an artifact of a task.

    Args:
        api: The client.
        task_id: The task that it belongs to.
        path: A regular file that is no longer being written.
        name: What to call it; its own name by default.
        content_type: Such as `text/csv`; by default derived from its name.

    Raises:
        ApiError: Arkindex or its storage refuses it.
        ArkworkerError: It is not a regular file, or an artifact cannot have its name.
        ReadOnlyError: In read-only mode; nothing was sent.
    """
    path = Path(path)
    name = path.name if name is None else name
    if not is_file_name(name):
        raise ArkworkerError(f"{printable(name)!r} cannot be the path of an artifact: they have no directories")
    if content_type is not None and not _MEDIA_TYPE.fullmatch(content_type):
        raise ArkworkerError(f"{printable(content_type)!r} cannot be the type of an artifact: it is not a media type")
    artifact = Artifact(name, _size(path), content_type or _content_type(name))
    body = {"path": artifact.path, "content_type": artifact.content_type, "size": artifact.size}
    answer = api.request("CreateArtifact", body, id=task_id)
    url = address_of("CreateArtifact", answer, "s3_put_url")
    api.upload_url(url, path, content_type=artifact.content_type, length=artifact.size)
    return artifact


def _artifact(operation: str, item: Any) -> Artifact:
    path = item.get("path") if isinstance(item, dict) else None
    if not isinstance(path, str) or not is_file_name(path):
        shown = f" ({printable(path, 60)!r})" if isinstance(path, str) else ""
        raise ApiContentError(operation, f"path{shown}: should be the name of a file, without directories")
    return Artifact(path, _natural(item, "size"), _text(item, "content_type"))


def _natural(item: Mapping[str, Any], key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _size(path: Path) -> int:
    with blaming(path, " cannot be uploaded"), explained(path):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
    return status.st_size


def _content_type(name: str) -> str:
    # By the name, from Python's own table: the same on every machine.
    known = _TYPES.get(Path(name).suffix.lower())
    guessed, encoding = mimetypes.MimeTypes().guess_type(name)
    return known or _COMPRESSIONS.get(encoding or "", None if encoding else guessed) or _UNKNOWN_TYPE


def retrieve_parents(api: Client, task_id: str) -> list[str]:
    """The ids of a task's parents, in order.

    Raises:
        ApiError: The task cannot be retrieved, or its `parents` are not a list of ids.
    """
    return record_of(_Task, _RETRIEVE, api.request(_RETRIEVE, id=task_id)).parents
