"""Where no agent prepares a task (vast.ai): fetch the parents' artifacts and the model, and stop the instance after it.

Everything can be repeated: what is there whole is kept, and `current`, which says that all is there, is made last.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from arkworker.arkindex.client.attempts import WAITS
from arkworker.arkindex.promises import text_of
from arkworker.arkindex.tasks import download_artifact, list_artifacts
from arkworker.clock import SystemClock
from arkworker.errors import ArkworkerError, ConfigurationError
from arkworker.text import printable
from arkworker.transport.failures import Fault, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arkworker.arkindex.client import Client
    from arkworker.clock import Clock
    from arkworker.transport.connection import Connection

logger = logging.getLogger("arkworker")

_CURRENT = "current"
_RESERVED = frozenset({_CURRENT, "extra_files"})  # the task itself, and the model of older agents: found by these names
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_STOP_LIMITS = (10.0, 30.0)  # seconds to connect and to read: the instance costs money until it is stopped
_LONGEST_STOP = 120.0  # seconds for all attempts
_LATER = frozenset({408, 425, 429})  # below 500, and yet the next attempt may succeed
_ANSWER = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Task:
    """The task to prepare.

    Attributes:
        id: Its directory is also `current`.
        data_dir: Root of the tasks' data.
        parents: Ids of the parent tasks, and the slugs that are links to their directories.
        model_version_id: The model version to download, if any.
        model_dir: Where its files go; without it, no model is downloaded.
    """

    id: str
    data_dir: Path
    parents: Mapping[str, str]
    model_version_id: str | None = None
    model_dir: Path | None = None


def bootstrap(api: Client, task: Task) -> None:
    """Make the directories of a task as an agent would have made them; where `current` is, all is there already.

    Raises:
        ApiError: Something cannot be downloaded.
        ArchiveError: The model's archive is damaged.
        ArkworkerError: The disk refuses a directory or a link.
    """
    current = task.data_dir / _CURRENT
    if current.exists():
        return
    for identifier in (task.id, *task.parents):
        if identifier in _RESERVED:
            raise ArkworkerError(f"bootstrap: a task cannot have the id {identifier}, which names another directory")
    try:
        for parent_id, slug in task.parents.items():
            _fetch_parent(api, task, parent_id, slug)
        if task.model_version_id and task.model_dir:
            _fetch_model(api, task.model_version_id, task.model_dir)
        (task.data_dir / task.id).mkdir(parents=True, exist_ok=True)
        _link(current, task.id)
    except OSError as error:
        path = printable(str(error.filename or task.data_dir))
        raise ArkworkerError(f"bootstrap: {path}: {error.strerror or type(error).__name__}") from None


def _fetch_parent(api: Client, task: Task, parent_id: str, slug: str) -> None:
    directory = task.data_dir / parent_id
    directory.mkdir(parents=True, exist_ok=True)
    if slug in _RESERVED or slug in (task.id, *task.parents):
        if slug != parent_id:
            logger.warning(
                "Task %s has the slug %s, which names another directory: its files are in %s only",
                parent_id,
                slug,
                directory,
            )
    else:
        _link(task.data_dir / slug, parent_id)
    for artifact in list_artifacts(api, parent_id):
        path = directory / artifact.path
        if path.is_file() and path.stat().st_size == artifact.size:
            continue  # downloads appear whole: an earlier start brought it
        logger.info("Downloading %s of task %s", printable(artifact.path), slug)
        download_artifact(api, parent_id, artifact.path, path, size=artifact.size)


def _fetch_model(api: Client, model_version_id: str, model_dir: Path) -> None:
    done = model_dir / f".{model_version_id}.done"
    if done.exists():
        return
    model_dir.mkdir(parents=True, exist_ok=True)
    answer = api.request("RetrieveModelVersion", id=model_version_id)
    url, digest = text_of("RetrieveModelVersion", answer, "s3_url"), str(answer.get("archive_hash"))
    logger.info("Downloading the model version %s", model_version_id)
    download = model_dir / f".{model_version_id}.download"
    try:
        api.download_url(url, download, md5=digest if _MD5.fullmatch(digest) else None)
        if _is_zstd(download):
            from arkworker.storage.archives import extract

            extract(download, model_dir)
        else:
            download.replace(model_dir / "model")
    finally:  # a damaged one, or one of a run that is stopped, does not stay beside the model
        download.unlink(missing_ok=True)
    done.touch()


def _is_zstd(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZSTD_MAGIC)) == _ZSTD_MAGIC


def _link(link: Path, target: str) -> None:
    """A relative link, put in place in one step; one that is there already is replaced."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)


def stop_instance(
    connection: Connection, vast_url: str, container_id: str, api_key: str, clock: Clock | None = None
) -> None:
    """Stop the vast.ai instance that this worker runs in; it would be started again for ever.

    A request that may succeed later is repeated, with the waits of other requests, for at most two minutes. A failure
    is logged, since the run is over.

    Args:
        connection: How the run speaks to others: certificates and user agent are taken from it.
        vast_url: Address of the vast.ai API.
        container_id: Id of the instance.
        api_key: Token that stops it; it is sent to the origin of `vast_url` alone.
        clock: Waits between attempts.
    """
    connect, read = _STOP_LIMITS
    vast = replace(connection, url=vast_url, token=api_key, scheme="Bearer", connect_timeout=connect, read_timeout=read)
    url = f"{vast_url.rstrip('/')}/api/v0/instances/{container_id}"
    clock = clock or SystemClock()
    start = clock.now()
    for pause in (*WAITS, None):
        failure, is_final = _ask_to_stop(vast, url, clock)
        if not failure:
            logger.info("The instance %s stops", container_id)
            return
        if is_final or pause is None or clock.now() + pause > start + _LONGEST_STOP:
            break
        logger.warning("The instance %s was not stopped: %s; trying again in %g s", container_id, failure, pause)
        clock.sleep(pause)
    logger.error("The instance %s was not stopped: %s", container_id, failure)


def _ask_to_stop(vast: Connection, url: str, clock: Clock) -> tuple[str, bool]:
    """Why the instance was not stopped, empty where it was; and whether asking again is pointless."""
    from arkworker.transport.transport import Transport  # it imports requests

    body, headers = b'{"state": "stopped"}', {"Content-Type": "application/json"}
    try:
        with (
            closing(Transport(vast, clock)) as transport,
            transport.send("PUT", url, trusted=True, headers=headers, body=body, limit=_ANSWER) as answer,
        ):
            answer.read_error()
            status = answer.status
    except TransportError as error:
        return error.reason, error.fault is Fault.REFUSED
    except ConfigurationError as error:
        return str(error), True
    return "" if 200 <= status < 300 else str(status), status < 500 and status not in _LATER
