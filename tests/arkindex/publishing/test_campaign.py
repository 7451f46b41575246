"""Lost answers over results on what exists: 1,000 elements, nothing there twice, nothing lost unreported."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import FAULTS, trial
from sqlalchemy import select

from arkworker.emulator import tables

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Trial

pytestmark = pytest.mark.campaign

ELEMENTS = int(os.environ.get("CAMPAIGN_ELEMENTS", "1000"))
LINES = 2
#: Each way that an answer can be lost, after the request was carried out or in its place.
LOSSES = ("500", "503", "reset", "close", "cut", "malformed")
OPERATIONS = (
    "CreateTranscriptions",
    "CreateTranscriptionEntity",
    "CreateTranscriptionEntities",
    "CreateClassification",
    "CreateMetaData",
)
#: Texts on the lines of a page, entities in their stored texts, a class and metadata on the first of them.
WORK = """
from arkworker import Classification, Entity, Metadata, On, Transcription
lines = list(element.children(type="text_line"))
result = [On(line, Transcription(text=line.name, confidence=0.5)) for line in lines]
result += [On(lines[0], [Classification(class_name="a", confidence=1), Metadata(type="text", name="n", value="v")])]
stored = sorted(element.transcriptions(recursive=True, worker_run=False), key=lambda text: text.text)
one = Entity(type="place", offset=0, length=1)
result += [On(stored[0], one), On(stored[1], [one, Entity(type="date", offset=1, length=1)])]
"""


def arrange(made: Trial) -> dict[str, str]:
    """Lines below each page, with a text on each that a person has written; the page of each line."""
    pages = {}
    for page in made.elements:
        for number in range(LINES):
            line = made.emulator.add_element("text_line", f"line {number}", parent=page)
            made.emulator.add_transcription(line, f"stored {number}")
            pages[line] = page
    return pages


def census(made: Trial, pages: dict[str, str]) -> dict[str, Counter[str]]:
    """What the worker run has put on the lines of each page, and in their texts."""
    found: dict[str, Counter[str]] = {page: Counter() for page in made.elements}
    with made.emulator.database.transaction() as session:
        texts = {row.id: row for row in session.scalars(select(tables.Transcription))}
        for text in texts.values():
            if text.worker_run_id is not None:
                found[pages[text.element_id]][f"{text.text} on {text.element_id}"] += 1
        for entity in session.scalars(select(tables.TranscriptionEntity)):
            owner = texts[entity.transcription_id]
            found[pages[owner.element_id]][f"{entity.type.name} in {owner.text}"] += 1
        for kind in (tables.Classification, tables.MetaData):
            rows: Any = session.scalars(select(kind))
            for row in rows:
                found[pages[row.element_id]][kind.__name__] += 1
    return found


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_nothing_on_what_exists_is_there_twice(tmp_path: Path, rate: float) -> None:
    """Of an element that is processed, all is there once; of one that is not, it is told, and nothing is doubled."""
    with trial(tmp_path, ELEMENTS) as made:
        pages = arrange(made)
        for place, operation in enumerate(OPERATIONS):
            for number, kind in enumerate(LOSSES):
                for acted in (False, True):
                    seed = 1000 * place + 10 * number + acted
                    made.emulator.faults.add(operation, FAULTS[kind](acted), rate=rate / len(LOSSES) / 2, seed=seed)

        ended = made.start(HOOK=WORK).wait(1800)

        states = made.emulator.activity_states(made.run)
        found = census(made, pages)
    assert [page for page, kinds in found.items() if max(kinds.values(), default=0) > 1] == [], ended
    whole = LINES + 3 + 2
    assert [page for page, kinds in found.items() if states[page] == "processed" and len(kinds) < whole] == [], ended
    not_processed = ended.summary["failed"] + ended.summary["uncertain"]
    assert Counter(states.values()) == Counter(processed=ended.summary["processed"], error=not_processed)
    assert ended.summary["processed"] + not_processed == ELEMENTS
    assert not_processed <= ELEMENTS * rate / 10, ended  # five losses in a row are rare
