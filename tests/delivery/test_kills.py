"""Publications that are killed, or lose answers, at random moments: the server ends with each result exactly once."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from results_files import rich_results

from arkworker.elements.results import Child, Entity, Transcription
from arkworker.emulator import Fault

if TYPE_CHECKING:
    from results_files import Publish, ResultsFile

#: What happens to the answers of requests that were carried out, and of some that were not.
LOSSES = [
    Fault.reset(acted=True),
    Fault.close(acted=True),
    Fault.cut(),
    Fault.malformed(),
    Fault.answer(500, acted=True),
    Fault.answer(502),
    Fault.close(),
    Fault.answer(429, retry_after="1"),
]
OPERATIONS = (
    "Element",
    "Elements",
    "ElementTranscriptions",
    "Transcription",
    "Transcriptions",
    "TranscriptionEntity",
    "TranscriptionEntities",
    "Classification",
    "Classifications",
    "MetaData",
    "MetaDataBulk",
    "Embedding",
    "ElementChildren",
)
MERGED = ["element", "entity", "entity", "link", "transcription", "transcription"]
PAGES = 4  # with results
EXPECTED_TWICE = {("metadata", "page", "text", "same", "same"): 2, ("embedding", "page", "[0.1, 0.2]"): 2}
EXPECTED_KINDS = Counter(element=8, link=9, transcription=7, entity=5, classification=5, metadata=3, embedding=1)


def record(file: ResultsFile) -> None:
    file.record({page: rich_results(file.elements[5]) for page in file.elements[:PAGES]})


def lose(file: ResultsFile, rate: float, seed: int) -> None:
    """Let a share of the answers go astray."""
    for place, operations in enumerate(("Create*", "UpdateWorkerActivity", "PartialUpdateElement")):
        for number, fault in enumerate(LOSSES):
            dice = 1000 * seed + 100 * place + number
            file.emulator.faults.add(operations, fault, rate=rate / len(LOSSES), seed=dice)


def kill(file: ResultsFile, seconds: float) -> None:
    """Start a publication, and kill it so long after its first requests."""
    before = file.emulator.ledger.count
    process = file.start()
    while file.emulator.ledger.count <= before + 1 and process.poll() is None:
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.communicate()


def finish(publish: Publish, attempts: int = 20) -> str:
    """Publish again and again, as its last line says, until nothing keeps it from its end."""
    log = ""
    for _ in range(attempts):
        code, text, _ = publish()
        log += text
        if code == 0:
            return log
        assert code == 69, text
    pytest.fail(f"no end in sight\n{log}")


def judge(file: ResultsFile, log: str) -> None:
    """All pages have the same results, each of them as often as it was recorded."""
    found = file.census()
    pages = [of_page(found, page) for page in file.elements[:PAGES]]
    assert pages == [pages[0]] * PAGES, log
    assert {key: count for key, count in pages[0].items() if count > 1} == EXPECTED_TWICE, log
    assert Counter(key[0] for key in pages[0]) == EXPECTED_KINDS, log
    assert set(file.states().values()) == {"processed"}, log


def of_page(found: Counter[tuple[Any, ...]], page: str) -> Counter[tuple[Any, ...]]:
    """What lies on and below a page, without its id."""
    keys = {key: tuple("page" if part == page else part for part in key) for key in found if page in key}
    return Counter({short: found[key] for key, short in keys.items()})


def test_a_killed_publication_is_gone_on_with(file: ResultsFile) -> None:
    """Whatever was in flight each time, nothing is lost and nothing is there twice."""
    record(file)
    file.emulator.faults.add("*", Fault.delay(0.02, acted=True))
    for moment in (0.02, 0.15, 0.1):
        kill(file, moment)
    file.emulator.faults.clear()

    judge(file, finish(file.publish))


@pytest.mark.campaign
def test_lost_answers_are_looked_for(file: ResultsFile, publish_here: Publish) -> None:
    """What the server did although its answer was lost is found there, and not sent again."""
    record(file)
    lose(file, 0.4, seed=1)

    log = finish(publish_here)

    judge(file, log)
    assert "had been carried out" in log


def test_every_operation_is_found_again(file: ResultsFile, publish_here: Publish) -> None:
    """Once for each, the answer is lost: what was done is looked up, and its ids are those that follow."""
    rich, merged, single = file.elements[:3]
    entity = Entity(type="place", offset=0, length=1)
    text = Transcription(text="x", confidence=1, entities=[entity])
    line = Child(type="text_line", polygon=[(0, 0), (0, 9), (9, 9)], results=[text])
    file.record({rich: rich_results(file.elements[5]), merged: (line, text), single: (text,)})
    operations = [f"Create{name}" for name in OPERATIONS]
    for operation in operations:
        file.emulator.faults.add(operation, Fault.close(acted=True), times=2)

    log = finish(publish_here)

    found = file.census()
    assert {key: count for key, count in of_page(found, rich).items() if count > 1} == EXPECTED_TWICE, log
    assert Counter(key[0] for key in of_page(found, rich)) == EXPECTED_KINDS, log
    assert sorted(key[0] for key in of_page(found, merged).elements()) == MERGED, log
    assert sorted(key[0] for key in of_page(found, single).elements()) == ["entity", "transcription"], log
    assert {name for name in operations if f"{name} had been carried out" not in log} == set()


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(50))
def test_fifty_kills(file: ResultsFile, seed: int) -> None:
    """Killed at random moments of one publication, on a network that loses answers, too."""
    dice = random.Random(seed)
    record(file)
    file.emulator.faults.add("*", Fault.delay(0.02, acted=True))
    lose(file, dice.choice([0.0, 0.1, 0.4]), seed)
    for _ in range(dice.randint(1, 6)):
        kill(file, dice.random() ** 2 * 0.8)

    judge(file, finish(file.publish))
