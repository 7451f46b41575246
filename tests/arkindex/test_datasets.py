"""Datasets on an emulated Arkindex."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.datasets import (
    Dataset,
    DatasetSet,
    add_element,
    create_dataset,
    list_elements,
    remove_element,
    retrieve_dataset,
)
from arkworker.emulator import Emulator, Fault
from arkworker.errors import ApiContentError, ApiResponseError, ReadOnlyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def corpus(emulator: Emulator) -> str:
    return emulator.add_corpus()


def page(*items: Any) -> Fault:
    body = {"count": None, "next": None, "previous": None, "results": list(items)}
    return Fault.answer(200, json.dumps(body).encode(), headers={"content-type": "application/json"})


def test_a_dataset_is_created(arkindex_client: Client, corpus: str) -> None:
    """As Arkindex describes it then, and later."""
    made = create_dataset(arkindex_client, corpus, "Lines", "All of them", ["train", "test"])

    assert (made.name, made.corpus_id, [item["name"] for item in made.sets]) == ("Lines", corpus, ["train", "test"])  # type: ignore[attr-defined] # kept as it came
    assert retrieve_dataset(arkindex_client, made.id).id == made.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": None},
        {"description": ""},
        {"set_names": []},
        {"set_names": ["a", ""]},
        {"set_names": [1]},
    ],
)
def test_a_dataset_without_names_is_refused(
    wrong: dict[str, Any], emulator: Emulator, arkindex_client: Client, corpus: str
) -> None:
    """Before anything is sent."""
    values: dict[str, Any] = {"name": "n", "description": "d", "set_names": ["train"], **wrong}

    with pytest.raises(UsageError, match=f"create_dataset: {next(iter(wrong))}"):
        create_dataset(arkindex_client, corpus, **values)

    assert emulator.ledger.calls("CreateDataset") == []


def test_a_single_name_is_one_set(emulator: Emulator, arkindex_client: Client, corpus: str) -> None:
    """Not one for each letter."""
    create_dataset(arkindex_client, corpus, "n", "d", "train")

    assert emulator.ledger.calls("CreateDataset")[0].body["set_names"] == ["train"]


def test_a_name_that_is_taken_is_an_error(arkindex_client: Client, corpus: str) -> None:
    """It names the field."""
    create_dataset(arkindex_client, corpus, "n", "d", ["train"])

    with pytest.raises(ApiResponseError, match="name: A dataset with this name already exists"):
        create_dataset(arkindex_client, corpus, "n", "d", ["train"])


def test_elements_come_and_go(emulator: Emulator, arkindex_client: Client, corpus: str) -> None:
    """In and out of sets; each is listed after the name of its set."""
    first, second = emulator.add_elements(2, corpus=corpus)
    made = create_dataset(arkindex_client, corpus, "n", "d", ["train", "test"])

    add_element(arkindex_client, made.id, "train", first)
    add_element(arkindex_client, made.id, "test", second)
    all_of_them = [(name, element.id) for name, element in list_elements(arkindex_client, made.id)]
    one_set = [(name, element.id) for name, element in list_elements(arkindex_client, made.id, "test")]
    remove_element(arkindex_client, made.id, "train", first)

    assert all_of_them == [("train", first), ("test", second)]
    assert one_set == [("test", second)]
    assert list(list_elements(arkindex_client, made.id, "train")) == []


def test_an_element_twice_is_an_error(emulator: Emulator, arkindex_client: Client, corpus: str) -> None:
    """As is one that is not there."""
    element = emulator.add_element("page", "Page", corpus=corpus)
    made = create_dataset(arkindex_client, corpus, "n", "d", ["train"])
    add_element(arkindex_client, made.id, "train", element)

    with pytest.raises(ApiResponseError, match="already part of this dataset"):
        add_element(arkindex_client, made.id, "train", element)
    remove_element(arkindex_client, made.id, "train", element)
    with pytest.raises(ApiResponseError, match="status 404"):
        remove_element(arkindex_client, made.id, "train", element)


def test_elements_are_listed_page_by_page(emulator: Emulator, arkindex_client: Client, corpus: str) -> None:
    """The next page is requested when its first element is asked for."""
    elements = emulator.add_elements(120, corpus=corpus)
    dataset = emulator.add_dataset("n", {"train": elements}, corpus=corpus)
    emulator.ledger.clear()

    found = list_elements(arkindex_client, dataset, "train")
    before = emulator.ledger.count
    next(found)
    after_one = len(emulator.ledger.calls("ListDatasetElements"))

    assert (emulator.ledger.count - before, after_one, len(list(found))) == (1, 1, 119)
    assert len(emulator.ledger.calls("ListDatasetElements")) > 1


@pytest.mark.parametrize(
    "item", [None, "x", {}, {"set": "train"}, {"set": 3, "element": {"id": "x"}}, {"element": {"id": "x"}}]
)
def test_an_item_that_is_no_element_of_a_set_is_an_error(
    item: Any, emulator: Emulator, arkindex_client: Client
) -> None:
    """One line."""
    emulator.faults.add("ListDatasetElements", page(item))

    with pytest.raises(ApiContentError) as caught:
        list(list_elements(arkindex_client, "0a0a0a0a-0000-4000-8000-000000000001"))

    assert str(caught.value).isprintable()


@pytest.fixture
def reader(emulator: Emulator) -> Iterator[Client]:
    client = Client(Connection(url=emulator.url, token=emulator.token), read_only=True)
    yield client
    client.close()


def test_nothing_is_written_in_read_only_mode(emulator: Emulator, reader: Client, corpus: str) -> None:
    """Neither datasets nor what is in them."""
    before = emulator.ledger.count
    for write in (
        lambda: create_dataset(reader, corpus, "n", "d", ["train"]),
        lambda: add_element(reader, "d", "train", "e"),
        lambda: remove_element(reader, "d", "train", "e"),
    ):
        with pytest.raises(ReadOnlyError):
            write()

    assert emulator.ledger.count == before


def test_a_set_says_what_it_is() -> None:
    """By the name of its dataset, or its id; in characters that a terminal does not obey."""
    named = DatasetSet(name="train", dataset=Dataset(id="1", name="Lines"))
    unnamed = DatasetSet(name="\x1b[31mtrain", dataset=Dataset(id="1"))

    assert (str(named), str(unnamed)) == ("set train of dataset Lines", "set \\x1b[31mtrain of dataset 1")
