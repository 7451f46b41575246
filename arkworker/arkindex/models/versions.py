"""Versions of models on Arkindex: made, found, withdrawn."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator

from arkworker.arkindex.promises import existing_id_of, record_of
from arkworker.errors import ApiError, ApiResponseError
from arkworker.frozen import FrozenDict, Record, freeze
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.arkindex.client import Client

logger = logging.getLogger("arkworker")

CREATE, RETRIEVE, UPDATE = "CreateModelVersion", "RetrieveModelVersion", "PartialUpdateModelVersion"
DESTROY = "DestroyModelVersion"
AVAILABLE = "available"


class ModelVersion(Record):
    """One version of a model; fields that are not named here are kept as attributes.

    Attributes:
        state: `created` until its archive is there, then `available`.
        size: The size of the archive, in bytes.
        archive_hash: MD5 of the archive, hexadecimal.
        configuration: Values for workers that use this version.
        parent: Id of the version that this one was trained from.
        s3_put_url: Where the archive can be sent in one piece; signed, and gone when the version is available.
    """

    id: Annotated[str, Field(min_length=1)]
    model_id: str | None = None
    state: str | None = None
    tag: str | None = None
    description: str | None = None
    size: int | None = None
    archive_hash: str | None = None
    configuration: Annotated[
        FrozenDict, PlainValidator(lambda value: freeze(value if isinstance(value, dict) else {}))
    ] = FrozenDict()
    parent: str | None = None
    s3_put_url: str | None = None

    def __str__(self) -> str:
        return printable(f"model version {self.id}" + (f" ({self.tag})" if self.tag else ""))


def create(client: Client, model_id: str, body: Mapping[str, Any]) -> tuple[ModelVersion, bool]:
    """A new version of a model, or the one that has the same archive already.

    Args:
        client: The client of the instance.
        model_id: The model.
        body: What is sent to Arkindex about it. A tag that another version has is left out, with a warning.

    Returns:
        The version, and whether it is new.

    Raises:
        ApiError: It can be neither made nor found.
    """
    try:
        return record_of(ModelVersion, CREATE, client.request(CREATE, dict(body), id=model_id)), True
    except ApiResponseError as error:
        existing = find_same(client, error, model_id, str(body["archive_hash"]))
        if existing is not None:
            return existing, False
        if "tag" not in body or not _is_about_tag(error):
            raise
        lost = ", perhaps made by an attempt whose answer was lost" if error.uncertain else ""
    logger.warning(
        "Another version of model %s has the tag %s%s: this one is published without a tag",
        model_id,
        printable(body["tag"]),
        lost,
    )
    return create(client, model_id, {name: value for name, value in body.items() if name != "tag"})


def find_same(client: Client, error: ApiResponseError, model_id: str, archive_hash: str) -> ModelVersion | None:
    """The version that stood in the way of another one, when it has the same archive; None otherwise."""
    version_id = existing_id_of(error)
    try:
        version = retrieve(client, version_id) if version_id else None
    except ApiError as failure:
        logger.warning("The model version that exists already cannot be retrieved: %s", failure)
        return None
    if version is None or version.archive_hash != archive_hash or version.model_id not in (None, model_id):
        return None
    return version


def retrieve(client: Client, version_id: str) -> ModelVersion:
    """A version as Arkindex describes it now.

    Raises:
        ApiError: It cannot be retrieved.
    """
    return record_of(ModelVersion, RETRIEVE, client.request(RETRIEVE, id=version_id))


def update(client: Client, version_id: str, changes: Mapping[str, Any]) -> ModelVersion:
    """Change what Arkindex says of a version; what is left out stays as it is.

    Raises:
        ApiError: It refuses, for example because another version has that tag.
    """
    return record_of(ModelVersion, UPDATE, client.request(UPDATE, dict(changes), id=version_id))


def withdraw(client: Client, version: ModelVersion) -> bool:
    """Remove a version that has no archive, so that its tag is free; whether that succeeded, which is logged, too."""
    try:
        client.request(DESTROY, id=version.id)
    except ApiError as error:
        logger.warning("The %s stays on Arkindex without an archive: %s", version, error)
        return False
    logger.info("The %s was removed again: it has no archive", version)
    return True


def _is_about_tag(error: ApiResponseError) -> bool:
    if error.status not in (400, 409):
        return False
    return any(
        "with this tag already exists" in message.detail or (message.field, message.code) == ("tag", "unique")
        for message in error.messages
    )
