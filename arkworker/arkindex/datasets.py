"""Datasets: named sets of elements of a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from arkworker.arkindex.promises import record_of
from arkworker.elements.model import Element
from arkworker.elements.records import Record
from arkworker.errors import ApiContentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from arkworker.arkindex.client import Client

CREATE, RETRIEVE = "CreateDataset", "RetrieveDataset"
LIST, ADD, REMOVE = "ListDatasetElements", "CreateDatasetElement", "DestroyDatasetElement"


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
        return f"set {self.name} of dataset {self.dataset.name or self.dataset.id}"


def create_dataset(  # noqa: PLR0913 - what Arkindex wants to know
    client: Client,
    corpus_id: str,
    name: str,
    description: str,
    set_names: Iterable[str],
    *,
    unique_elements: bool = True,
) -> Dataset:
    """A new dataset with empty sets.

    Args:
        client: Of the instance.
        corpus_id: The corpus whose elements it may hold.
        name: Of the dataset.
        description: For people; Arkindex wants one.
        set_names: Such as `train`, `validation`, `test`; at least one.
        unique_elements: Whether an element can be in one of the sets only.

    Raises:
        UsageError: A name or the description is empty, or no text. Nothing was sent.
        ApiError: Arkindex refuses it, for example because another dataset of the corpus has the name.
    """
    names = [set_names] if isinstance(set_names, str) else list(set_names)
    given: list[tuple[str, Any]] = [("name", name), ("description", description)]
    for field, text in [*given, *(("set_names", text) for text in names)]:
        if not isinstance(text, str) or not text:
            raise UsageError(f"create_dataset: {field} should be a text that is not empty")
    if not names:
        raise UsageError("create_dataset: set_names should have one name at least")
    body = {"name": name, "description": description, "set_names": names, "unique_elements": unique_elements}
    return record_of(Dataset, CREATE, client.request(CREATE, body, id=corpus_id))


def retrieve_dataset(client: Client, dataset_id: str) -> Dataset:
    """A dataset by its id.

    Raises:
        ApiError: It cannot be retrieved.
    """
    return record_of(Dataset, RETRIEVE, client.request(RETRIEVE, id=dataset_id))


def list_elements(client: Client, dataset_id: str, set_name: str | None = None) -> Iterator[tuple[str, Element]]:
    """The elements of a dataset, or of one of its sets, each after the name of its set; page after page.

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
        ApiError: Arkindex refuses it: the element is in another corpus, or in a set of the dataset already.
    """
    client.request(ADD, {"set": set_name, "element_id": element_id}, id=dataset_id)


def remove_element(client: Client, dataset_id: str, set_name: str, element_id: str) -> None:
    """Take an element out of a set of a dataset; it stays in the corpus.

    Raises:
        ApiError: Arkindex refuses it: the element is not in the set.
    """
    client.request(REMOVE, dataset=dataset_id, element=element_id, set=set_name)
