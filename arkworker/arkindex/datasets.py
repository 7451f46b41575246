"""Datasets: named sets of elements of a corpus; which of them a run works on, and exports of their data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from pydantic import Field

from arkworker.arkindex.promises import record_of, text_of
from arkworker.elements.model import Element
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ArkworkerError, UsageError
from arkworker.frozen import Record
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from arkworker.arkindex.client import Client
    from arkworker.clock import Clock

__all__ = [
    "Dataset",
    "DatasetSet",
    "Export",
    "ExportError",
    "add_element",
    "create_dataset",
    "download_export",
    "find_export",
    "list_elements",
    "list_exports",
    "remove_element",
    "retrieve_dataset",
    "start_export",
]

logger = logging.getLogger("arkworker")

CREATE, RETRIEVE, RETRIEVE_SET = "CreateDataset", "RetrieveDataset", "RetrieveDatasetSet"
LIST, ADD, REMOVE = "ListDatasetElements", "CreateDatasetElement", "DestroyDatasetElement"
LIST_EXPORTS, START, DOWNLOAD = "ListExports", "StartExport", "DownloadExport"
#: An export of the same data is under way, or was made a short while ago: it is used.
TAKEN = frozenset({"running_export", "existing_export"})
DONE, UNDER_WAY = "done", ("created", "running")
#: Seconds between two looks: shorter at first.
WAITS = (*(60.0,) * 15, *(300.0,) * 33)


class Dataset(Record):
    """A dataset as Arkindex describes it; fields that are not named here are kept as attributes."""

    id: Annotated[str, Field(min_length=1)]
    name: str = ""
    corpus_id: str | None = None


class DatasetSet(Record):
    """One set of a dataset, such as `train`."""

    id: str | None = None
    name: str
    dataset: Dataset

    def __str__(self) -> str:
        return printable(f"set {self.name} of dataset {self.dataset.name or self.dataset.id}")


def create_dataset(  # noqa: PLR0913 - what Arkindex wants to know
    client: Client,
    corpus_id: str,
    name: str,
    description: str,
    set_names: Iterable[str],
    *,
    unique_elements: bool = True,
) -> Dataset:
    """Create a dataset with empty sets.

    Args:
        client: The client of the instance.
        corpus_id: The corpus whose elements it may hold.
        name: The name of the dataset.
        description: What people read about it; Arkindex requires one.
        set_names: Such as `train`, `validation`, `test`; at least one.
        unique_elements: Whether an element can be in only one of the sets.

    Raises:
        UsageError: A name or the description is empty, or not text. Nothing was sent.
        ApiError: Arkindex refuses it, for example because another dataset of the corpus has this name.
    """
    names = [set_names] if isinstance(set_names, str) else list(set_names)
    given: list[tuple[str, Any]] = [("name", name), ("description", description)]
    for field, text in [*given, *(("set_names", text) for text in names)]:
        if not isinstance(text, str) or not text:
            raise UsageError(f"create_dataset: {field} should be text that is not empty")
    if not names:
        raise UsageError("create_dataset: set_names should have at least one name")
    body = {"name": name, "description": description, "set_names": names, "unique_elements": unique_elements}
    return record_of(Dataset, CREATE, client.request(CREATE, body, id=corpus_id))


def retrieve_dataset(client: Client, dataset_id: str) -> Dataset:
    """A dataset by its id.

    Raises:
        ApiError: It cannot be retrieved.
    """
    return record_of(Dataset, RETRIEVE, client.request(RETRIEVE, id=dataset_id))


def list_elements(client: Client, dataset_id: str, set_name: str | None = None) -> Iterator[tuple[str, Element]]:
    """The elements of a dataset, or of one of its sets, each with the name of its set first; page by page.

    Raises:
        ApiError: They cannot be listed.
    """
    for item in client.paginate(LIST, id=dataset_id, set=set_name):
        values = item if isinstance(item, dict) else {}
        name = values.get("set", set_name)
        if not isinstance(name, str):
            raise ApiContentError(LIST, "set: should be the name of a set", status=200)
        yield name, Element.from_api(values.get("element"), operation=LIST)


def add_element(client: Client, dataset_id: str, set_name: str, element_id: str) -> None:
    """Put an element into a set of a dataset.

    Raises:
        ApiError: Arkindex refuses it: the element is in another corpus, or already in a set of the dataset.
    """
    client.request(ADD, {"set": set_name, "element_id": element_id}, id=dataset_id)


def remove_element(client: Client, dataset_id: str, set_name: str, element_id: str) -> None:
    """Take an element out of a set of a dataset; it stays in the corpus.

    Raises:
        ApiError: Arkindex refuses it: the element is not in the set.
    """
    client.request(REMOVE, dataset=dataset_id, element=element_id, set=set_name)


def parse_set(text: str) -> tuple[str, str]:
    """The dataset's id and the set's name of `DATASET:NAME`.

    Raises:
        ValueError: It has another form.
    """
    dataset_id, _, name = text.partition(":")
    if not name:
        raise ValueError("should be the id of a dataset, a colon and the name of a set")
    return str(UUID(dataset_id)), name


def list_named_sets(client: Client, names: Sequence[tuple[str, str]]) -> list[DatasetSet]:
    """The sets that a person named, by the dataset's id and the set's name.

    Raises:
        ApiError: One of them cannot be retrieved.
    """
    datasets: dict[str, Any] = {}
    sets = []
    for dataset_id, name in names:
        try:
            found = client.request(RETRIEVE_SET, dataset=dataset_id, set=name)
        except ApiError as error:
            if error.status == 404:
                error.message = f"there is no dataset {dataset_id} with a set {printable(name, 60)!r}: {error.message}"
            raise
        if dataset_id not in datasets:
            datasets[dataset_id] = client.request(RETRIEVE, id=dataset_id)
        values = {"name": name, **found, "dataset": datasets[dataset_id]}
        sets.append(record_of(DatasetSet, RETRIEVE_SET, values))
    return sets


def list_process_sets(client: Client, process_id: str) -> list[DatasetSet]:
    """The sets that a process works on.

    Raises:
        ApiError: They cannot be listed.
    """
    operation = "ListProcessSets"
    items = (item if isinstance(item, dict) else {} for item in client.paginate(operation, id=process_id))
    return [record_of(DatasetSet, operation, {**item, "name": item.get("set_name")}) for item in items]


def list_set_elements(client: Client, dataset_set: DatasetSet) -> Iterator[tuple[str, Any]]:
    """The elements of a set, as pairs of id and answer.

    Raises:
        ApiError: They cannot be listed.
    """
    for item in client.paginate(LIST, id=dataset_set.dataset.id, set=dataset_set.name):
        yield identified(LIST, item.get("element") if isinstance(item, dict) else None)


def identified(operation: str, answer: Any) -> tuple[str, Any]:
    """The id of an element that an operation listed, and the element.

    Raises:
        ApiContentError: It has none.
    """
    element_id = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(element_id, str) or not element_id:
        raise ApiContentError(operation, "an item of the answer is not an element with an id", status=200)
    return element_id, answer


class ExportError(ArkworkerError):
    """There is no export to work with."""


class Export(Record):
    """An export; fields that are not named here are kept as attributes.

    Attributes:
        state: `created`, `running`, `done` or `failed`.
        created: When it was created, in ISO 8601.
        dataset_id: Id of the dataset that it is limited to; None for a whole corpus.
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
    items = client.paginate(LIST_EXPORTS, id=corpus_id, dataset_id=dataset_id)
    found = [record_of(Export, LIST_EXPORTS, item) for item in items]
    if dataset_id is None:
        found = [export for export in found if export.dataset_id is None]
    return sorted(found, key=lambda export: export.created or "", reverse=True)


def start_export(client: Client, corpus_id: str, dataset_id: str | None = None) -> str:
    """The id of an export of a dataset or of the whole corpus: a new one, or the one that Arkindex already has.

    Raises:
        ApiError: It cannot be started.
        ExportError: Arkindex says that there is one, but does not list it.
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
        client: The client of the instance.
        clock: The clock to wait with.
        export_id: The export.
        destination: The SQLite file to write or replace, whole or not at all.
        corpus_id: The corpus that the export is of.
        dataset_id: The dataset that the export is of; None for the whole corpus.

    Raises:
        ApiError: It cannot be retrieved.
        ArkworkerError: The disk refuses it.
        ExportError: It failed, was removed, or takes too long.
        StoppedError: The clock ended a wait, because the run is stopped.
    """
    name = f"the export {printable(export_id, 60)} of {_named(corpus_id, dataset_id)}"
    for wait in (*WAITS, None):
        state = _state(client, export_id, corpus_id, dataset_id)
        if state == DONE:
            logger.info("Downloading %s", name)
            return client.download(DOWNLOAD, destination, id=export_id)
        if state not in UNDER_WAY:
            raise ExportError(f"{name} is not available, it is {state!r}: start a new one")
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
