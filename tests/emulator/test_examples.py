"""The examples, each run by `serve` as its first line says: lines, texts on lines, entities, training; and batches."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from arkworker.emulator import serve

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = [sys.executable, "-m", "arkworker", "run"]
BATCHES = '''
from arkworker import ElementsWorker, Transcription

class Batches(ElementsWorker):
    """Works on several elements at a time."""

    batch_size = 3

    def process_elements(self, elements, context, cache):
        return [[Transcription(text=f"one of {len(elements)}", confidence=0.5)] for _ in elements]
'''


def count(database: Path, table: str) -> int:
    """How many rows the worker run has left; those of people are not counted."""
    with closing(sqlite3.connect(database)) as file:
        found = file.execute(f"SELECT count(*) FROM {table} WHERE worker_run_id IS NOT NULL")
        return int(found.fetchone()[0])


@pytest.mark.parametrize(
    ("project", "target", "table", "least"),
    [
        ("page_lines/demo.yml", "page_lines/worker.py:PageLines", "transcriptions", 20),
        ("line_texts/project.yml", "line_texts/line_texts.py:LineTexts", "transcriptions", 3),
        ("named_entities/project.yml", "named_entities/named_entities.py:NamedEntities", "transcription_entities", 4),
    ],
)
def test_an_example_runs_on_its_project(tmp_path: Path, project: str, target: str, table: str, least: int) -> None:
    """The worker ends with 0, and what it found is there."""
    lines: list[str] = []
    kept = tmp_path / "kept.sqlite"
    command = [*RUN, str(EXAMPLES / target)]

    code = serve(EXAMPLES / project, port=0, once=True, command=command, database=kept, announce=lines.append)

    assert (code, lines[-1]) == (0, "worker 1 ended with exit code 0")
    assert count(kept, table) >= least


def test_a_training_runs_on_its_project(tmp_path: Path) -> None:
    """The project has the sets and the name of the model, which gets a version with an archive; a report is left."""
    kept = tmp_path / "kept.sqlite"
    command = [*RUN, str(EXAMPLES / "page_kinds/page_kinds.py:PageKinds")]

    code = serve(
        EXAMPLES / "page_kinds/project.yml", port=0, once=True, command=command, database=kept, announce=lambda _: None
    )

    with closing(sqlite3.connect(kept)) as file:
        states = [row[0] for row in file.execute("SELECT state FROM model_versions ORDER BY position")]
        artifacts = [row[0] for row in file.execute("SELECT path FROM artifacts")]
    assert (code, states) == (0, ["created", "available"])
    assert "report.json" in artifacts


def test_batches_are_worked_on(tmp_path: Path) -> None:
    """Several elements at a time are claimed, worked on and reported, by a worker whose code the project names."""
    (tmp_path / "batches.py").write_text(BATCHES)
    project = tmp_path / "p.yml"
    project.write_text("elements: [{name: a, size: [9, 9], count: 7}]\nworkers: [{worker: 'batches.py:Batches'}]")
    kept = tmp_path / "kept.sqlite"

    code = serve(project, port=0, once=True, database=kept, announce=lambda _: None)

    with closing(sqlite3.connect(kept)) as file:
        texts = [row[0] for row in file.execute("SELECT text FROM transcriptions")]
        states = {row[0] for row in file.execute("SELECT state FROM activities")}
    assert (code, len(texts), states) == (0, 7, {"processed"})
    assert "one of 3" in texts
