"""From the files of a model to a version that is available on Arkindex."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.models import versions
from arkworker.arkindex.models.archive import archive_of
from arkworker.arkindex.models.upload import undone_on_failure, upload
from arkworker.arkindex.models.versions import AVAILABLE, ModelVersion
from arkworker.clock import SystemClock
from arkworker.errors import ApiError, ApiResponseError, ArkworkerError, ReadOnlyError, UsageError
from arkworker.storage.exclusive import blaming
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.models.archive import ModelArchive
    from arkworker.clock import Clock

logger = logging.getLogger("arkworker")


def publish_model_version(  # noqa: PLR0913 - the names that users of Arkindex know
    client: Client,
    files: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model_id: str | UUID,
    work_dir: Path,
    tag: str | None = None,
    description: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    parent: str | UUID | None = None,
    read_only: bool = False,
    clock: Clock | None = None,
) -> ModelVersion:
    """Make files a version of a model: an archive of them is sent to the storage of Arkindex, in parts.

    Where Arkindex has a version with the very same archive, that one is used. What fails, or is interrupted, leaves
    nothing: the upload is aborted, the new version removed, and so is the archive in any case.

    Args:
        client: The client of the instance.
        files: A directory, whose content is published, or one or several regular files.
        model_id: The model to make a version of.
        work_dir: Where the archive lies meanwhile.
        tag: A name for the version; without effect, and a warning, when another version has it.
        description: For people, in Markdown.
        configuration: Values for workers that use this version, as JSON.
        parent: Id of the version that this one was trained from.
        read_only: Whether nothing may be sent; the error then says what would be.
        clock: What waits for an upload to end whose answer was lost; the real one by default.

    Returns:
        The version, as Arkindex describes it.

    Raises:
        UsageError: An argument cannot be sent.
        ReadOnlyError: Nothing was archived or sent.
        ArchiveError: The files cannot be archived.
        ApiError: Arkindex or its storage does not take it.
        ArkworkerError: There are no such files, or the disk refuses the archive.
    """
    model_id = str(model_id)
    if not model_id:
        raise UsageError("publish_model_version: model_id should be the id of a model")
    source = _check_files(files)
    body = _check(
        "publish_model_version", tag=tag, description=description, configuration=configuration or {}, parent=parent
    )
    count, size = _measure(source)
    plural = "" if count == 1 else "s"
    summary = f"a version of model {printable(model_id)} from {count} file{plural} of {size} bytes"
    if not count:
        raise ArkworkerError(f"{_shown(source)}: there is no file to publish")
    if read_only:
        raise ReadOnlyError(f"this run is read-only, nothing was sent: {summary} would be published")
    logger.info("Publishing %s", summary)
    with archive_of(source, work_dir) as archive:
        sent = {"size": archive.size, "archive_hash": archive.md5, **body}
        return _publish(client, model_id, sent, archive, clock or SystemClock())


def update_model_version(  # noqa: PLR0913 - as above
    client: Client,
    version_id: str | UUID,
    *,
    tag: str | None = None,
    description: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    parent: str | UUID | None = None,
) -> ModelVersion:
    """Change what Arkindex says of a version; what is left out stays as it is, and so does its archive.

    Raises:
        UsageError: An argument cannot be sent, or nothing is to change.
        ReadOnlyError: The client only reads.
        ApiError: Arkindex refuses it, for example because another version has that tag.
    """
    changes = _check(
        "update_model_version", tag=tag, description=description, configuration=configuration, parent=parent
    )
    if not changes:
        raise UsageError(
            "update_model_version: there is nothing to change: give tag, description, configuration or parent"
        )
    return versions.update(client, str(version_id), changes)


def _publish(
    client: Client, model_id: str, body: Mapping[str, Any], archive: ModelArchive, clock: Clock
) -> ModelVersion:
    version, is_new = versions.create(client, model_id, body)
    if version.state == AVAILABLE:
        return _reuse(version)
    logger.info("The %s waits for its archive", version)
    try:
        with undone_on_failure(client) as undo:
            if is_new:
                undo.append(lambda cleaner: versions.withdraw(cleaner, version))
            upload(client, version, archive, undo, clock)
    except ApiResponseError as error:
        existing = versions.find_same(client, error, model_id, archive.md5)
        if existing is None or existing.state != AVAILABLE:
            raise
        return _reuse(existing)
    return _current(client, version)


def _reuse(version: ModelVersion) -> ModelVersion:
    logger.warning("The %s already has the same archive: it is used unchanged", version)
    return version


def _current(client: Client, version: ModelVersion) -> ModelVersion:
    try:
        current = versions.retrieve(client, version.id)
    except ApiError as error:
        # It is published; that its description does not come cannot change that.
        logger.warning("The %s is published, but cannot be retrieved: %s", version, error)
        return version
    logger.info("The %s is %s", current, printable(current.state or "published"))
    return current


def _check(
    owner: str,
    *,
    configuration: Mapping[str, Any] | None,
    parent: str | UUID | None,
    tag: str | None,
    description: str | None,
) -> dict[str, Any]:
    """What is sent to Arkindex besides the archive; nothing that is absent, as the published library does it.

    Raises:
        UsageError: It cannot be sent. Told before the archive is made, which may take long.
    """
    for name, text in (("tag", tag), ("description", description)):
        if text is not None and not isinstance(text, str):
            raise UsageError(f"{owner}: {name} should be a text")
    if configuration is not None and not isinstance(configuration, Mapping):
        raise UsageError(f"{owner}: configuration should be a mapping of names to values")
    given = None if configuration is None else dict(configuration)
    values = {"tag": tag, "description": description, "configuration": given, "parent": parent}
    body = {name: str(value) if name == "parent" else value for name, value in values.items() if value is not None}
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, TypeError) else "it holds a value that JSON cannot represent"
    else:
        return body
    raise UsageError(f"{owner}: configuration cannot be sent as JSON: {printable(reason)}")


def _check_files(files: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Path | tuple[Path, ...]:
    if isinstance(files, str | os.PathLike):
        path = Path(files)
        if _mode(path, stat.S_ISDIR):
            return path
        paths: tuple[Path, ...] = (path,)
    else:
        try:
            paths = tuple(map(Path, files))
        except TypeError:
            raise UsageError("publish_model_version: files should be a path, or several") from None
    names: set[str] = set()
    for path in paths:
        if not _mode(path, stat.S_ISREG):
            kind = "a regular file" if len(paths) > 1 else "a directory or a regular file"
            raise ArkworkerError(f"{_shown(path)} cannot be published: it is not {kind}")
        if path.name in names:
            raise ArkworkerError(f"{_shown(path)} cannot be published: two files have this name")
        names.add(path.name)
    return paths


def _mode(path: Path, is_kind: Any) -> bool:
    try:
        return bool(is_kind(path.stat().st_mode))
    except (OSError, ValueError):
        return False


def _measure(source: Path | tuple[Path, ...]) -> tuple[int, int]:
    """How many files there are, and their bytes.

    Raises:
        ArkworkerError: They are being removed.
    """
    with blaming(_shown(source), " cannot be published"):
        sizes = list(_sizes(source))
    return len(sizes), sum(sizes)


def _sizes(source: Path | tuple[Path, ...]) -> Iterator[int]:
    if not isinstance(source, Path):
        yield from (path.stat().st_size for path in source)
        return
    for folder, _, names in os.walk(source):
        yield from (os.lstat(os.path.join(folder, name)).st_size for name in names)  # noqa: PTH118 - pathlib has no walk in 3.11


def _shown(path: Path | tuple[Path, ...]) -> str:
    return printable(str(path), 500) if isinstance(path, Path) else f"{len(path)} files"
