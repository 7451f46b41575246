"""Exports of datasets: started or taken over, waited for, downloaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from arkworker.errors import ApiContentError, ApiResponseError, ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.runtime.client import Client
    from arkworker.runtime.clock import Clock

logger = logging.getLogger(__name__)

LIST, START, DOWNLOAD = "ListExports", "StartExport", "DownloadExport"
#: An export of the same data is under way, or was made a short while ago: it is used.
TAKEN = frozenset({"running_export", "existing_export"})
#: Seconds between two looks: shorter at first.
WAITS = (*(60.0,) * 15, *(300.0,) * 33)


class ExportError(ArkworkerError):
    """There is no export to work with."""


def list_exports(client: Client, corpus_id: str, dataset_id: str) -> list[dict[str, Any]]:
    """The exports of a dataset, the newest first.

    Raises:
        ApiError: They cannot be listed.
    """
    found = list(client.paginate(LIST, id=corpus_id, dataset_id=dataset_id))
    if not all(isinstance(export, dict) and isinstance(export.get("id"), str) for export in found):
        raise ApiContentError(LIST, "an item of the answer is no export", status=200)
    return sorted(found, key=lambda export: str(export.get("created") or ""), reverse=True)


def start_export(client: Client, corpus_id: str, dataset_id: str) -> str:
    """The id of an export of a dataset: a new one, or the one that Arkindex has already.

    Raises:
        ApiError: It cannot be started.
        ExportError: Arkindex says that there is one, and lists none.
    """
    try:
        answer = client.request(START, {"dataset_id": dataset_id}, id=corpus_id)
    except ApiResponseError as error:
        if error.status != 400 or not TAKEN & {message.code for message in error.messages}:
            raise
        logger.warning("%s The existing export is used.", error.message)
        return _newest(list_exports(client, corpus_id, dataset_id), dataset_id)
    export_id = answer.get("id")
    if not isinstance(export_id, str):
        raise ApiContentError(START, "the answer is no export", status=201)
    return export_id


def find_export(client: Client, corpus_id: str, dataset_id: str) -> str:
    """The id of the newest export of a dataset that is done; for runs that may not start one.

    Raises:
        ApiError: They cannot be listed.
        ExportError: There is none.
    """
    done = [export for export in list_exports(client, corpus_id, dataset_id) if export.get("state") == "done"]
    return _newest(done, dataset_id)


def download_export(  # noqa: PLR0913 - what names an export
    client: Client, clock: Clock, export_id: str, destination: Path, *, corpus_id: str, dataset_id: str
) -> Path:
    """Wait until an export is done, for at most three hours, and download it.

    Raises:
        ApiError: It cannot be had.
        ExportError: It failed, it went away, or it takes too long.
        StoppedError: The clock ended a wait, because the run is stopped.
    """
    for wait in (*WAITS, None):
        state = _state(client, export_id, corpus_id, dataset_id)
        if state == "done":
            logger.info("Downloading the export of dataset %s", printable(dataset_id, 60))
            return client.download(DOWNLOAD, destination, id=export_id)
        if state not in ("created", "running"):
            raise ExportError(f"the export {export_id} of dataset {dataset_id} is {state}: start a new one")
        if wait is not None:
            logger.info("The export of dataset %s is %s; looking again in %g s", dataset_id, state, wait)
            clock.sleep(wait)
    raise ExportError(
        f"the export {export_id} of dataset {dataset_id} takes more than 3 hours: try again when it is done"
    )


def _state(client: Client, export_id: str, corpus_id: str, dataset_id: str) -> str:
    for export in list_exports(client, corpus_id, dataset_id):
        if export["id"] == export_id:
            return printable(str(export.get("state")), 60)
    return "gone"


def _newest(exports: list[dict[str, Any]], dataset_id: str) -> str:
    if not exports:
        raise ExportError(f"dataset {dataset_id} has no export: start one on Arkindex")
    return str(exports[0]["id"])
