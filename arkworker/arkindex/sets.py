"""Sets of datasets: those that a person named, or those of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from arkworker.arkindex.datasets import DatasetSet
from arkworker.errors import ApiContentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.arkindex.client import Client


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
        found = client.request("RetrieveDatasetSet", dataset=dataset_id, set=name)
        if dataset_id not in datasets:
            datasets[dataset_id] = client.request("RetrieveDataset", id=dataset_id)
        sets.append(_set_of("RetrieveDatasetSet", {"name": name, **found, "dataset": datasets[dataset_id]}))
    return sets


def list_process_sets(client: Client, process_id: str) -> list[DatasetSet]:
    """The sets that a process works on.

    Raises:
        ApiError: They cannot be listed.
    """
    items = client.paginate("ListProcessSets", id=process_id)
    return [_process_set(item) for item in items]


def list_set_elements(client: Client, dataset_set: DatasetSet) -> Iterator[tuple[str, Any]]:
    """The elements of a set, as pairs of id and answer.

    Raises:
        ApiError: They cannot be listed.
    """
    operation = "ListDatasetElements"
    for item in client.paginate(operation, id=dataset_set.dataset.id, set=dataset_set.name):
        yield identified(operation, item.get("element") if isinstance(item, dict) else None)


def identified(operation: str, answer: Any) -> tuple[str, Any]:
    """The id of an element that an operation listed, and the element.

    Raises:
        ApiContentError: It has none.
    """
    element_id = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(element_id, str) or not element_id:
        raise ApiContentError(operation, "an item of the answer is no element with an id", status=200)
    return element_id, answer


def _process_set(item: Any) -> DatasetSet:
    values = item if isinstance(item, dict) else {}
    return _set_of("ListProcessSets", {**values, "name": values.get("set_name")})


def _set_of(operation: str, values: Any) -> DatasetSet:
    try:
        return DatasetSet.model_validate(values)
    except ValidationError:
        raise ApiContentError(operation, "an item of the answer is no set of a dataset", status=200) from None
