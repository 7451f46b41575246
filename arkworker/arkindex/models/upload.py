"""Sending an archive to the storage: in parts, each repeated on its own; in one piece where nothing else is offered.

The storage gets no credentials: each address is its own permission.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from arkworker.arkindex.client import Client
from arkworker.arkindex.models.versions import AVAILABLE, UPDATE, retrieve
from arkworker.arkindex.promises import address_of, text_of
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.models.archive import ModelArchive, Part
    from arkworker.arkindex.models.versions import ModelVersion
    from arkworker.clock import Clock

logger = logging.getLogger("arkworker")

#: Steps that undo what was done, in the order in which it was; each tells whether those before it are to follow.
Undo: TypeAlias = list[Callable[[Client], bool]]

BEGIN, PART = "CreateMultipartUpload", "CreateMultipartUploadPart"
COMPLETE, ABORT = "CompleteMultipartUpload", "AbortMultipartUpload"
CONTENT_TYPE = "application/zstd"
#: Seconds between two looks for a version whose upload had an unknown outcome.
WAITS = (5.0, 10.0, 20.0, 40.0, 80.0)
#: An instance that answers these has no uploads in parts.
NOT_OFFERED = frozenset({400, 404, 405, 501})


def upload(client: Client, version: ModelVersion, archive: ModelArchive, undo: Undo, clock: Clock) -> None:
    """Send the archive of a version, which is available then.

    Args:
        client: The client of the instance.
        version: It waits for its archive.
        archive: To be sent.
        undo: Gets the steps that undo this, should it fail.
        clock: What waits for an end whose answer was lost.

    Raises:
        ApiError: Arkindex or its storage does not take it.
        ArkworkerError: The archive cannot be read.
    """
    target = {"object_type": "model_version", "object_id": version.id}
    try:
        answer = client.request(BEGIN, {**target, "checksum_algorithm": None})
    except ApiResponseError as error:
        if error.status not in NOT_OFFERED or not version.s3_put_url:
            raise
        logger.warning(
            "Arkindex does not accept uploads in parts (%s): the archive is sent in one piece", error.message
        )
        _upload_whole(client, version, archive)
        return
    target["upload_id"] = text_of(BEGIN, answer, "upload_id")
    undo.append(lambda cleaner: _abort(cleaner, target) or True)
    parts = [_send(client, target, archive, part) for part in archive.parts]
    # From here on the version may have its archive, unless the upload can still be aborted.
    undo[-1] = lambda cleaner: _abort(cleaner, target)
    _complete(client, {**target, "checksum_algorithm": None, "parts": parts}, version, clock)


def _send(client: Client, target: dict[str, str], archive: ModelArchive, part: Part) -> dict[str, Any]:
    """Send one part; what the storage and Arkindex call it."""
    logger.info("Uploading part %d of %d (%d bytes)", part.number, len(archive.parts), part.length)
    md5 = base64.b64encode(part.md5).decode()
    named = {"part_number": part.number, "checksum": None, "md5_hash": md5}
    body = {**target, "checksum_algorithm": None, **named}
    # Asking twice for the address of a part gives two addresses, no harm.
    answer = client.request_with_outcome(PART, body, idempotent=True).value
    headers = client.upload_url(
        address_of(PART, answer, "url"),
        archive.path,
        headers={"Content-MD5": md5},
        offset=part.offset,
        length=part.length,
    )
    etag = headers.get("ETag")
    if not etag:
        raise ApiContentError("upload", f"the storage confirms part {part.number} without an ETag")
    return {**named, "etag": etag}


def _complete(client: Client, body: dict[str, Any], version: ModelVersion, clock: Clock) -> None:
    try:
        client.request(COMPLETE, body)
    except ApiError as error:
        if not error.uncertain or not _becomes_available(client, version, clock):
            raise
        logger.warning("The answer to %s was lost, but the %s is available", COMPLETE, version)


def _becomes_available(client: Client, version: ModelVersion, clock: Clock) -> bool:
    """Whether a version is available although this is unconfirmed: a storage may take minutes to put parts together."""
    for wait in WAITS:
        if _is_available(client, version):
            return True
        logger.info("The answer to %s was lost; looking for the %s again in %g s", COMPLETE, version, wait)
        clock.sleep(wait)
    return _is_available(client, version)


def _is_available(client: Client, version: ModelVersion) -> bool:
    try:
        return retrieve(client, version.id).state == AVAILABLE
    except ApiError:
        return False


def _upload_whole(client: Client, version: ModelVersion, archive: ModelArchive) -> None:
    url = address_of("CreateModelVersion", {"s3_put_url": version.s3_put_url}, "s3_put_url")
    logger.info("Uploading %d bytes", archive.size)
    client.upload_url(url, archive.path, content_type=CONTENT_TYPE)
    body = {"state": AVAILABLE, "size": archive.size, "archive_hash": archive.md5}
    client.request_with_outcome(UPDATE, body, idempotent=True, id=version.id)


def _abort(client: Client, target: dict[str, str]) -> bool:
    try:
        client.request(ABORT, target)
    except ApiError as error:
        logger.warning("The upload could not be aborted: %s", error)
        return False
    logger.info("The upload was aborted")
    return True


@contextmanager
def undone_on_failure(client: Client) -> Iterator[Undo]:
    """The steps that are taken, the last one first, when the block fails or a signal ends it."""
    undo: Undo = []
    try:
        yield undo
    except BaseException as failure:
        with _cleaning(client, failure) as cleaner:
            for step in reversed(undo):
                if not step(cleaner):
                    break
        raise


@contextmanager
def _cleaning(client: Client, failure: BaseException) -> Iterator[Client]:
    """The client to clean up with: one that waits for nothing where it is not an error, but a signal, that ends us."""
    if isinstance(failure, Exception):
        yield client
        return
    hurried = client.twin(_NoWait())
    try:
        yield hurried
    finally:
        hurried.close()


class _NoWait:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, _seconds: float) -> NoReturn:
        raise StoppedError(0)  # the client gives up what it would have waited for
