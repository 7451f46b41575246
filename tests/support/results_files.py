"""Results files for tests, and what a server must hold once one is published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select

from arkworker.elements.recorded import ImageSize, RecordedElement
from arkworker.elements.results import (
    Child,
    Classification,
    Embedding,
    Entity,
    Link,
    Metadata,
    Transcription,
    Update,
)
from arkworker.emulator import tables
from arkworker.storage.recording.lines import Entry, Header, RecordedCreates
from arkworker.storage.recording.writing import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from arkworker.emulator import Emulator

#: Publishes a file: exit code, log, summary.
Publish: TypeAlias = Callable[..., tuple[int, str, dict[str, Any]]]
ROOT = Path(__file__).parents[2]
#: The verb in a process whose waits between attempts are short.
PUBLISH = """
import os, sys
sys.path.insert(0, {root!r})
from arkworker.clock import SystemClock
whole = SystemClock.sleep
SystemClock.sleep = lambda self, seconds: whole(self, seconds * float(os.environ.get("WAITS", "0.01")))
from arkworker.cli import main
main(["publish", *sys.argv[1:]])
"""
CREATES = RecordedCreates(element_types=("word",))


def square(number: int, size: int = 20) -> list[tuple[int, int]]:
    """A box of its own."""
    x, y = 25 * (number % 30), 25 * (number // 30)
    return [(x, y), (x, y + size), (x + size, y + size), (x + size, y)]


def rich_results(other: str, count: int = 3) -> tuple[Any, ...]:
    """Every kind of result, single and in bulk, with equal ones among them."""
    entity = Entity(type="place", offset=0, length=2)
    lines = [
        Child(
            type="text_line",
            polygon=square(number),
            results=[
                Transcription(text=f"line {number}", confidence=0.5, entities=[entity]),
                Transcription(text="other reading", confidence=0.25),
                Classification(class_name="clean", confidence=1),
            ],
        )
        for number in range(count)
    ]
    words = [
        Child(type="word", name=f"w{number}", polygon=square(number + 100), confidence=0.5) for number in range(count)
    ]
    return (
        *lines,
        *words,
        Child(type="paragraph", results=[Metadata(type="text", name="note", value="no image")]),
        Child(type="paragraph"),
        Transcription(text="the page", confidence=1, entities=[entity, Entity(type="date", offset=4, length=4)]),
        Classification(class_name="clean", confidence=0.5),
        Classification(class_name="scan", confidence=0.5),
        Metadata(type="text", name="same", value="same"),
        Metadata(type="text", name="same", value="same"),
        Metadata(type="numeric", name="number", value="3"),
        Embedding(value=[0.1, 0.2]),
        Embedding(value=[0.1, 0.2]),
        Link(children=[other]),
        Update(name="renamed", confidence=0.5),
    )


@dataclass
class ResultsFile:
    """A results file for an emulator, and processes that publish it."""

    emulator: Emulator
    path: Path
    run: str
    corpus: str
    elements: list[str] = field(default_factory=list)

    def record(self, results: dict[str, Sequence[Any]], *, failed: Sequence[str] = (), **values: Any) -> None:
        """Write lines for elements: processed with results, or failed."""
        known = {"worker_run_id": self.run, "corpus_id": self.corpus, "creates": CREATES} | values.pop("header", {})
        recorder = Recorder(str(self.path), Header(id="recording", worker="w.py:W", arkworker="1", **known))
        for name, found in results.items():
            element = RecordedElement(
                id=name, type="page", corpus_id=self.corpus, image=ImageSize(width=1000, height=1400)
            )
            state = "error" if name in failed else "processed"
            reason = "ValueError: boom" if name in failed else ""
            recorder.write(Entry(element=element, state=state, reason=reason, results=tuple(found), **values))
        recorder.close()

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return kept | {"ARKINDEX_API_URL": f"{self.emulator.url}/api/v1/", "ARKINDEX_API_TOKEN": self.emulator.token}

    def start(self, *flags: str, **variables: str) -> subprocess.Popen[str]:
        """A process that publishes the file."""
        script = PUBLISH.format(root=str(ROOT))
        return subprocess.Popen(
            [sys.executable, "-c", script, str(self.path), *flags],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish(self, *flags: str, **variables: str) -> tuple[int, str, dict[str, Any]]:
        """Publish to the end: exit code, log, summary."""
        summary = self.path.with_suffix(".summary")
        process = self.start("--summary", str(summary), *flags, **variables)
        _, log = process.communicate(timeout=120)
        return process.returncode, log, json.loads(summary.read_text()) if summary.exists() else {}

    def states(self) -> dict[str, str]:
        return self.emulator.activity_states(self.run)

    def census(self) -> Counter[tuple[Any, ...]]:
        """All that the worker run has on the server, by content: how often each is there."""
        return census(self.emulator)


def census(emulator: Emulator) -> Counter[tuple[Any, ...]]:
    """All results on a server, by what they say and where: how often each is there."""
    with emulator.database.transaction() as session:
        return Counter(_results(session))


def _results(session: Session) -> Iterator[tuple[Any, ...]]:
    place = _Places(session).of
    for row in session.scalars(select(tables.Element).where(tables.Element.worker_run_id.is_not(None))):
        yield "element", *place(row.id), row.confidence
    for link in session.scalars(select(tables.ElementLink)):
        yield "link", *place(link.parent_id), *place(link.child_id)
    texts = {row.id: row for row in session.scalars(select(tables.Transcription))}
    for text in texts.values():
        yield "transcription", *place(text.element_id), text.text, text.confidence
    for entity in session.scalars(select(tables.TranscriptionEntity)):
        text = texts[entity.transcription_id]
        yield "entity", *place(text.element_id), text.text, entity.type.name, entity.offset, entity.length
    for label in session.scalars(select(tables.Classification)):
        yield "classification", *place(label.element_id), label.ml_class.name
    for item in session.scalars(select(tables.MetaData)):
        yield "metadata", *place(item.element_id), item.type, item.name, item.value
    for vector in session.scalars(select(tables.Embedding)):
        yield "embedding", *place(vector.element_id), str(vector.value)


class _Places:
    """Where elements are, in words that are the same in every run: below which page, of which type, name, outline."""

    def __init__(self, session: Session) -> None:
        self._elements = {row.id: row for row in session.scalars(select(tables.Element))}
        self._parents = {row.child_id: row.parent_id for row in session.scalars(select(tables.ElementLink))}

    def of(self, element_id: str) -> tuple[Any, ...]:
        row = self._elements[element_id]
        if row.worker_run_id is None:
            return (element_id,)
        return (*self.of(self._parents[element_id]), row.type.slug, row.name, str(row.polygon))
