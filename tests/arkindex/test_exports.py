"""Exports: started or taken over, waited for without a pause of the test, downloaded whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from arkworker.arkindex.datasets import WAITS, ExportError, download_export, find_export, list_exports, start_export
from arkworker.emulator import Emulator, Fault
from arkworker.emulator.tables import Export as Row
from arkworker.errors import ApiContentError, ApiError, ApiResponseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from manual_clock import ManualClock

    from arkworker.arkindex.client import Client

BODY = b"SQLite format 3\0" + bytes(100_000)


@pytest.fixture
def corpus(emulator: Emulator) -> str:
    return emulator.add_corpus()


@pytest.fixture
def dataset(emulator: Emulator, corpus: str) -> str:
    return emulator.add_dataset("Pages", {"train": []}, corpus=corpus)


def answer(body: Any, status: int = 200) -> Fault:
    return Fault.answer(status, json.dumps(body).encode(), headers={"content-type": "application/json"})


def page(*exports: Any) -> Fault:
    return answer({"count": len(exports), "next": None, "previous": None, "results": list(exports)})


def test_lists_the_newest_first(emulator: Emulator, arkindex_client: Client, corpus: str, dataset: str) -> None:
    """Of a dataset, or of the whole corpus: those are kept apart."""
    whole = emulator.add_export(BODY, corpus=corpus)
    first, second = (emulator.add_export(BODY, corpus=corpus, dataset=dataset) for _ in range(2))

    of_dataset = list_exports(arkindex_client, corpus, dataset)
    of_corpus = list_exports(arkindex_client, corpus)

    assert {export.id for export in of_dataset} == {first, second}
    assert [export.created for export in of_dataset] == sorted((e.created or "" for e in of_dataset), reverse=True)
    assert [(export.id, export.state) for export in of_corpus] == [(whole, "done")]


def test_a_list_that_is_none_is_an_error(emulator: Emulator, arkindex_client: Client, corpus: str) -> None:
    """One line that names what is missing."""
    emulator.faults.add("ListExports", page({"state": "done"}))

    with pytest.raises(ApiContentError, match=r"ListExports.*: id: Field required"):
        list_exports(arkindex_client, corpus)


def test_starts_an_export(emulator: Emulator, arkindex_client: Client, corpus: str, dataset: str) -> None:
    """Of a dataset, or of the whole corpus."""
    start_export(arkindex_client, corpus, dataset)
    start_export(arkindex_client, corpus)

    assert [call.body for call in emulator.ledger.calls("StartExport")] == [{"dataset_id": dataset}, {}]


@pytest.mark.parametrize("state", ["running", "done"])
def test_an_export_that_there_is_already_is_taken(
    state: str, emulator: Emulator, arkindex_client: Client, corpus: str, dataset: str
) -> None:
    """Arkindex says so with a code; one that failed meanwhile does not count."""
    existing = emulator.add_export(BODY, corpus=corpus, dataset=dataset, state=state)
    emulator.add_export(b"", corpus=corpus, dataset=dataset, state="failed")

    assert start_export(arkindex_client, corpus, dataset) == existing


def test_an_export_that_is_said_to_exist_and_does_not_is_an_error(
    emulator: Emulator, arkindex_client: Client, corpus: str
) -> None:
    """It was removed in between."""
    error = {"attr": None, "code": "running_export", "detail": "There is one."}
    emulator.faults.add("StartExport", answer({"type": "validation_error", "errors": [error]}, 400))

    with pytest.raises(ExportError, match=f"corpus {corpus} has no export"):
        start_export(arkindex_client, corpus)


def test_another_refusal_to_start_is_an_error(arkindex_client: Client, corpus: str) -> None:
    """There is no such dataset."""
    with pytest.raises(ApiResponseError, match="dataset_id"):
        start_export(arkindex_client, corpus, "0a0a0a0a-0000-4000-8000-000000000001")


def test_finds_the_newest_that_is_done(emulator: Emulator, arkindex_client: Client, corpus: str, dataset: str) -> None:
    """Nothing is started."""
    with pytest.raises(ExportError, match="has no export"):
        find_export(arkindex_client, corpus, dataset)
    done = emulator.add_export(BODY, corpus=corpus, dataset=dataset)
    emulator.add_export(b"", corpus=corpus, dataset=dataset, state="running")

    assert find_export(arkindex_client, corpus, dataset) == done
    assert emulator.ledger.calls("StartExport") == []


class Ripening:
    """A clock in whose waits an export goes on."""

    def __init__(self, emulator: Emulator, export_id: str, *states: str) -> None:
        self.waits: list[float] = []
        self._emulator, self._export_id, self._states = emulator, export_id, list(states)

    def now(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self._states:
            with self._emulator.database.transaction() as session:
                row = session.scalar(select(Row).where(Row.id == self._export_id))
                assert row is not None
                row.state = self._states.pop(0)


@pytest.fixture
def running(emulator: Emulator, corpus: str, dataset: str) -> Callable[..., tuple[Ripening, str]]:
    def make(*states: str) -> tuple[Ripening, str]:
        export_id = emulator.add_export(BODY, corpus=corpus, dataset=dataset, state="created")
        return Ripening(emulator, export_id, *states), export_id

    return make


def test_waits_until_it_is_done(
    running: Callable[..., tuple[Ripening, str]], arkindex_client: Client, corpus: str, dataset: str, tmp_path: Path
) -> None:
    """A minute each time, at first."""
    clock, export_id = running("running", "running", "done")

    path = download_export(arkindex_client, clock, export_id, tmp_path / "x", corpus_id=corpus, dataset_id=dataset)

    assert (path, path.read_bytes() == BODY, clock.waits) == (tmp_path / "x", True, [60.0] * 3)


def test_an_export_that_fails_is_an_error(
    running: Callable[..., tuple[Ripening, str]], arkindex_client: Client, corpus: str, dataset: str, tmp_path: Path
) -> None:
    """At once."""
    clock, export_id = running("failed")

    with pytest.raises(
        ExportError, match=f"the export {export_id} of dataset {dataset} is not available, it is 'failed': start"
    ):
        download_export(arkindex_client, clock, export_id, tmp_path / "x", corpus_id=corpus, dataset_id=dataset)

    assert list(tmp_path.iterdir()) == []


def test_an_export_that_never_ends_is_given_up(
    running: Callable[..., tuple[Ripening, str]], arkindex_client: Client, corpus: str, dataset: str, tmp_path: Path
) -> None:
    """After three hours."""
    clock, export_id = running()

    with pytest.raises(ExportError, match="takes more than 3 hours"):
        download_export(arkindex_client, clock, export_id, tmp_path / "x", corpus_id=corpus, dataset_id=dataset)

    assert (clock.waits, sum(clock.waits)) == (list(WAITS), 3 * 3600)


def test_an_export_that_went_away_is_an_error(
    arkindex_client: Client, manual_clock: ManualClock, corpus: str, tmp_path: Path
) -> None:
    """Somebody removed it."""
    with pytest.raises(ExportError, match="is 'gone': start a new one"):
        download_export(arkindex_client, manual_clock, "x", tmp_path / "x", corpus_id=corpus)


@pytest.mark.parametrize("state", [None, "\x1b[2J", "x" * 1000])
def test_a_state_that_is_none_is_an_error(
    state: Any, emulator: Emulator, arkindex_client: Client, manual_clock: ManualClock, corpus: str, tmp_path: Path
) -> None:
    """And reaches no terminal as it is."""
    emulator.faults.add("ListExports", page({"id": "x", "state": state}))

    with pytest.raises(ExportError) as caught:
        download_export(arkindex_client, manual_clock, "x", tmp_path / "x", corpus_id=corpus)

    assert (str(caught.value).isprintable(), len(str(caught.value)) < 250) == (True, True)


def test_a_cut_download_goes_on(
    emulator: Emulator, arkindex_client: Client, manual_clock: ManualClock, corpus: str, tmp_path: Path
) -> None:
    """And what was cut too often leaves nothing."""
    export = emulator.add_export(BODY, corpus=corpus)
    emulator.faults.add("GetFile", Fault.cut(), times=2)

    download_export(arkindex_client, manual_clock, export, tmp_path / "x", corpus_id=corpus)

    assert (tmp_path / "x").read_bytes() == BODY
    assert ["range" in call.headers for call in emulator.ledger.calls("GetFile")] == [False, True, True]


@pytest.mark.parametrize("status", [403, 404])
def test_a_storage_that_refuses_is_an_error(
    status: int, emulator: Emulator, arkindex_client: Client, manual_clock: ManualClock, corpus: str, tmp_path: Path
) -> None:
    """Without what it says of signatures."""
    export = emulator.add_export(BODY, corpus=corpus)
    emulator.faults.add("GetFile", Fault.answer(status, b"canary"))

    with pytest.raises(ApiError, match=f"status {status}") as caught:
        download_export(arkindex_client, manual_clock, export, tmp_path / "x", corpus_id=corpus)

    assert ("canary" in str(caught.value), list(tmp_path.iterdir())) == (False, [])
