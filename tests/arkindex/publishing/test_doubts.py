"""Publications that were begun and not brought to an end: whoever goes on looks first."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import trial, wait_until
from results_files import census

from arkworker.arkindex.publishing import sending
from arkworker.arkindex.publishing.doubts import PREFIX, Doubts
from arkworker.elements.results import Embedding, Metadata, Transcription
from arkworker.emulator import Fault
from arkworker.errors import PublicationError

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Trial

    from tests.arkindex.publishing.conftest import Site

RESULTS: list[Any] = [
    Transcription(text="Paris", confidence=1),
    Transcription(text="Lyon", confidence=1),
    Metadata(type="text", name="n", value="v"),
    Embedding(value=[1, 2]),
]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a killed process is under way any more."""
    monkeypatch.setattr(sending, "SETTLING", 0.0)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(f"{PREFIX}*")]


def count(site: Site) -> dict[str, int]:
    page = site.client.request("RetrieveElement", id=site.page.id)
    return {
        "texts": len(site.get("ListTranscriptions", id=site.page.id)),
        "metadata": len(page["metadata"]),
        "embeddings": len(site.get("ListEmbeddings", id=site.page.id)),
    }


def test_a_whole_publication_leaves_nothing(site: Site, tmp_path: Path) -> None:
    """Neither a file nor a request more."""
    for _ in range(2):
        site.publisher(doubts=Doubts(tmp_path, site.run)).publish(site.page, RESULTS)

    assert leftovers(tmp_path) == []
    assert count(site) == {"texts": 4, "metadata": 2, "embeddings": 2}
    assert all(call.method == "POST" for call in site.emulator.ledger.calls()[:6])


@pytest.mark.parametrize("operation", ["CreateMetaData", "CreateEmbedding"])
def test_what_a_failed_publication_left_is_not_made_again(
    site: Site, tmp_path: Path, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By another process of the same run, later: what is there is found, the rest is sent."""
    site.emulator.faults.add(operation, Fault.answer(400), times=1)
    with pytest.raises(PublicationError):
        site.publisher(doubts=Doubts(tmp_path, site.run)).publish(site.page, RESULTS)
    assert len(leftovers(tmp_path)) == 1

    with caplog.at_level(logging.WARNING):
        site.publisher(doubts=Doubts(tmp_path, site.run)).publish(site.page, RESULTS)

    assert "was not completed; looking for what is already there" in caplog.text
    assert (leftovers(tmp_path), count(site)) == ([], {"texts": 2, "metadata": 1, "embeddings": 1})


def test_what_was_refused_as_a_whole_leaves_no_doubt(site: Site, tmp_path: Path) -> None:
    """Nothing of it can be there."""
    site.emulator.faults.add("CreateTranscriptions", Fault.answer(400), times=1)
    with pytest.raises(PublicationError):
        site.publisher(doubts=Doubts(tmp_path, site.run)).publish(site.page, RESULTS)

    assert leftovers(tmp_path) == []


def test_another_run_has_doubts_of_its_own(site: Site, tmp_path: Path) -> None:
    """What one worker run has on an element says nothing of another."""
    site.emulator.faults.add("CreateMetaData", Fault.answer(400), times=1)
    with pytest.raises(PublicationError):
        site.publisher(doubts=Doubts(tmp_path, "other")).publish(site.page, RESULTS)

    with Doubts(tmp_path, site.run).publishing(site.page.id) as doubt:
        assert doubt.since == 0.0


def test_a_publication_within_another_has_no_doubt(tmp_path: Path) -> None:
    """Two threads may publish on one element; the file is there while either does."""
    doubts = Doubts(tmp_path, "run")
    with doubts.publishing("page"):
        with doubts.publishing("page") as inner:
            assert inner.since == 0.0
        assert len(leftovers(tmp_path)) == 1

    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("failing", [0, 1])
def test_of_two_publications_at_once_both_must_come_to_their_end(tmp_path: Path, failing: int) -> None:
    """Whichever of them fails, whoever publishes next looks first."""
    doubts = Doubts(tmp_path, "run")
    blocks = [doubts.publishing("page"), doubts.publishing("page")]
    for block in blocks:
        block.__enter__()
    failure = PublicationError("refused", {"metadata": 1}, {}, {})

    for number, block in enumerate(blocks):
        block.__exit__(*((PublicationError, failure, None) if number == failing else (None, None, None)))

    assert len(leftovers(tmp_path)) == 1
    with doubts.publishing("page") as following:
        assert following.since > 0


def test_a_folder_that_cannot_be_written_keeps_no_doubts(tmp_path: Path) -> None:
    """The publication goes on."""
    with Doubts(tmp_path / "missing", "run").publishing("page") as doubt:
        doubt.note()
        assert doubt.since == 0.0


#: Three requests with texts, and one more.
MANY = """
from arkworker import Metadata, Transcription
texts = [Transcription(text=f"text {number}", confidence=1) for number in range(120)]
result = [*texts, Metadata(type="text", name="n", value="v")]
"""


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_list_that_was_killed_while_it_published_is_gone_on_with(tmp_path: Path, moment: int) -> None:
    """Whatever was accepted or in flight, later runs on the same element make nothing twice."""
    with trial(tmp_path, 1) as made:
        made.emulator.faults.add("Create*", Fault.delay(0.3, acted=True))
        flags = ["--element", *made.elements]
        process = made.start(*flags, HOOK=MANY)
        wait_until(lambda: len(writes(made)) >= moment)
        process.signal(signal.SIGKILL)
        process.wait()
        made.emulator.faults.clear()

        ended = [made.start(*flags, name=str(number), HOOK=MANY).wait() for number in range(2)]

        assert made.states["processed"] == 1, ended
        found = census(made.emulator)
        assert Counter(key[0] for key in found.elements()) == {"transcription": 120, "metadata": 1}, ended


def writes(made: Trial) -> list[str]:
    return [str(call.operation) for call in made.emulator.ledger.calls() if str(call.operation).startswith("Create")]
