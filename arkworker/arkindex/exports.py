"""Exports of a corpus or of one of its datasets: started or taken over, waited for, downloaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from arkworker.arkindex.promises import record_of, text_of
from arkworker.elements.records import Record
from arkworker.errors import ApiResponseError, ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.arkindex.client import Client
    from arkworker.clock import Clock

logger = logging.getLogger("arkworker")

LIST, START, DOWNLOAD = "ListExports", "StartExport", "DownloadExport"
#: An export of the same data is under way, or was made a short while ago: it is used.
TAKEN = frozenset({"running_export", "existing_export"})
DONE, UNDER_WAY = "done", ("created", "running")
#: Seconds between two looks: shorter at first.
WAITS = (*(60.0,) * 15, *(300.0,) * 33)


class ExportError(ArkworkerError):
    """There is no export to work with."""


class Export(Record):
    """An export; fields that are not named here are kept as attributes.

    Attributes:
        state: `created`, `running`, `done` or `failed`.
        created: When, in ISO 8601.
        dataset_id: Of the dataset that is all it holds; None for a whole corpus.
    """

    id: Annotated[str, Field(min_length=1)]
    state: str | None = None
    created: str | None = None
    dataset_id: str | None = None


def list_exports(client: Client, corpus_id: str, dataset_id: str | None = None) -> list[Export]:
    """The exports of a dataset, or those of the whole corpus, the newest first.

    Raises:
        ApiError: They cannot be listed.
    """
    items = client.paginate(LIST, id=corpus_id, dataset_id=dataset_id)
    found = [record_of(Export, LIST, item) for item in items]
    if dataset_id is None:
        found = [export for export in found if export.dataset_id is None]
    return sorted(found, key=lambda export: export.created or "", reverse=True)


def start_export(client: Client, corpus_id: str, dataset_id: str | None = None) -> str:
    """The id of an export of a dataset or of the whole corpus: a new one, or the one that Arkindex has already.

    Raises:
        ApiError: It cannot be started.
        ExportError: Arkindex says that there is one, and lists none.
    """
    body = {} if dataset_id is None else {"dataset_id": dataset_id}
    try:
        return text_of(START, client.request(START, body, id=corpus_id), "id")
    except ApiResponseError as error:
        if error.status not in (400, 409) or not TAKEN & {message.code for message in error.messages}:
            raise
        logger.warning("%s The existing export is used.", error.message)
    usable = [export for export in list_exports(client, corpus_id, dataset_id) if export.state in (DONE, *UNDER_WAY)]
    return _newest(usable, corpus_id, dataset_id)


def find_export(client: Client, corpus_id: str, dataset_id: str | None = None) -> str:
    """The id of the newest export of a dataset or of the whole corpus that is done; for runs that may not start one.

    Raises:
        ApiError: They cannot be listed.
        ExportError: There is none.
    """
    done = [export for export in list_exports(client, corpus_id, dataset_id) if export.state == DONE]
    return _newest(done, corpus_id, dataset_id)


def download_export(  # noqa: PLR0913 - what names an export
    client: Client, clock: Clock, export_id: str, destination: Path, *, corpus_id: str, dataset_id: str | None = None
) -> Path:
    """Wait until an export is done, for at most three hours, and download it.

    Args:
        client: Of the instance.
        clock: What waits.
        export_id: The export.
        destination: The SQLite file to write or replace, whole or not at all.
        corpus_id: The corpus that the export is of.
        dataset_id: The dataset that the export is of; None for the whole corpus.

    Raises:
        ApiError: It cannot be had.
        ArkworkerError: The disk refuses it.
        ExportError: It failed, it went away, or it takes too long.
        StoppedError: The clock ended a wait, because the run is stopped.
    """
    name = f"the export {printable(export_id, 60)} of {_named(corpus_id, dataset_id)}"
    for wait in (*WAITS, None):
        state = _state(client, export_id, corpus_id, dataset_id)
        if state == DONE:
            logger.info("Downloading %s", name)
            return client.download(DOWNLOAD, destination, id=export_id)
        if state not in UNDER_WAY:
            raise ExportError(f"{name} is not to be had, it is {state!r}: start a new one")
        if wait is not None:
            logger.info("Waiting for %s, which is %s; looking again in %g s", name, state, wait)
            clock.sleep(wait)
    raise ExportError(f"{name} takes more than 3 hours: try again when it is done")


def _state(client: Client, export_id: str, corpus_id: str, dataset_id: str | None) -> str:
    for export in list_exports(client, corpus_id, dataset_id):
        if export.id == export_id:
            return printable(export.state or "without a state", 60)
    return "gone"


def _newest(exports: list[Export], corpus_id: str, dataset_id: str | None) -> str:
    if not exports:
        raise ExportError(f"{_named(corpus_id, dataset_id)} has no export: start one on Arkindex")
    return exports[0].id


def _named(corpus_id: str, dataset_id: str | None) -> str:
    kind, identifier = ("corpus", corpus_id) if dataset_id is None else ("dataset", dataset_id)
    return f"{kind} {printable(identifier, 60)}"
