"""The published packages, as they are, against the emulator."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from arkworker.emulator import Emulator, Fault
from arkworker.emulator.tables import Classification, Element, MetaData, Transcription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.compat

# An unmodified ElementsWorker that uses every kind of publication.
WORKER = """
import json, sys
from arkindex_worker.worker import ElementsWorker, MetaType

class Demo(ElementsWorker):
    def configure(self):
        super().configure()
        self.check_required_types(["text_line", "stain"], create_missing=True)
        self.check_required_entity_types(["place"])
        print(json.dumps({"config": self.config, "secrets": self.secrets}), flush=True)

    def process_element(self, element):
        width, height = element.open_image(max_width=200).size
        assert (width, height) == (200, 280), (width, height)
        line = [[0, 0], [0, 10], [100, 10], [100, 0]]
        self.create_elements(element, [{"type": "stain", "name": "s", "polygon": line, "confidence": 0.5}])
        self.create_transcription(element, "Paris", 0.9)
        found = self.create_element_transcriptions(
            element, "text_line", [{"polygon": line, "text": "Lyon", "confidence": 0.4}]
        )
        self.create_classification(element, "letter", 0.5)
        self.create_classification(element, "letter", 0.5)
        self.create_metadata(element, MetaType.Text, "name", "value")
        texts = [text["text"] for text in self.list_transcriptions(element, recursive=True)]
        assert sorted(texts) == ["Lyon", "Paris"], texts
        assert found[0]["created"]

Demo().run()
"""

# Nothing but the loop: claim, retrieve, report.
LOOP = """
from arkindex_worker.worker import ElementsWorker
class Loop(ElementsWorker):
    def process_element(self, element):
        print(element.id, flush=True)
Loop().run()
"""

MODERN = {
    "slug": "demo",
    "display_name": "Demo",
    "type": "demo",
    "configuration": [
        {"key": "threshold", "type": "float", "display_name": "T", "default": 0.5},
        {
            "key": "advanced",
            "type": "group",
            "display_name": "A",
            "children": [{"key": "size", "type": "int", "display_name": "S", "default": 3}],
        },
        {"key": "key", "type": "secret", "display_name": "K"},
    ],
}
LEGACY = {
    "name": "Demo",
    "slug": "demo",
    "type": "demo",
    "configuration": {"a": 1},
    "user_configuration": {"b": {"title": "B", "type": "int", "default": 2}},
    "secrets": ["key"],
}


SIGNED = (Classification, MetaData)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.add_corpus()
        emulator.add_secret("key", "sesame")
        yield emulator


def environment(emulator: Emulator, run: str, home: Path, chunk: int = 1) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), **emulator.environment(run, chunk=chunk)}


def work(python: Path, script: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-c", script], env=variables, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("release", "declaration", "values", "config"),
    [
        (
            "base-worker-0.6.0",
            MODERN,
            {"threshold": 0.7, "key": "key"},
            {"threshold": 0.7, "advanced.size": 3, "key": "sesame"},
        ),
        (
            "base-worker-0.5.1",
            MODERN,
            {"threshold": 0.7, "key": "key"},
            {"threshold": 0.7, "advanced.size": 3, "key": "sesame"},
        ),
        ("base-worker-0.5.1", LEGACY, {"b": 4}, {"a": 1, "b": 4}),
    ],
)
def test_an_unmodified_elements_worker_runs_from_end_to_end(
    peer: Callable[[str], Path],
    emulator: Emulator,
    tmp_path: Path,
    release: str,
    declaration: dict[str, Any],
    values: dict[str, Any],
    config: dict[str, Any],
) -> None:
    """It is configured, claims, retrieves, opens images, publishes and reports."""
    pages = emulator.add_elements(5, image=(1000, 1400))
    run = emulator.add_worker_run(declaration, values)

    done = work(peer(release), WORKER, environment(emulator, run, tmp_path))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["config"] == config
    assert emulator.activity_states(run) == dict.fromkeys(pages, "processed")
    assert {tuple(emulator.ledger.history(page)) for page in pages} == {("queued", "started", "processed")}
    refusals = [(call.operation, call.status) for call in emulator.ledger.calls() if (call.status or 0) >= 400]
    expected = [("CreateClassification", 400)] * 5 + [("StartWorkerActivity", 404)]
    assert sorted(item for item in refusals if item[0] != "RetrieveWorkerRunConfiguration") == expected
    with emulator.database.transaction() as session:
        transcriptions = session.scalars(select(Transcription)).all()
        children = session.scalars(select(Element).where(Element.worker_run_id == run)).all()
        signed = [session.scalar(select(func.count()).where(table.worker_run_id == run)) for table in SIGNED]
    assert Counter(row.text for row in transcriptions) == {"Paris": 5, "Lyon": 5}
    assert {row.worker_run_id for row in transcriptions} == {run}
    assert Counter(row.type.slug for row in children) == {"stain": 5, "text_line": 5}
    assert signed == [5, 5]


def test_community_gives_the_secret_itself(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """The published worker finds no RetrieveSecret in the document, and takes the value as it is."""
    with Emulator(edition="community") as emulator:
        emulator.add_corpus()
        emulator.add_elements(1, image=(1000, 1400))
        emulator.add_secret("key", "sesame")
        run = emulator.add_worker_run(MODERN, {"key": "key"})

        done = work(peer("base-worker-0.6.0"), WORKER, environment(emulator, run, tmp_path))

        assert json.loads(done.stdout.splitlines()[0])["secrets"] == {"key": "sesame"}


def test_two_published_workers_share_a_queue(peer: Callable[[str], Path], emulator: Emulator, tmp_path: Path) -> None:
    """Each element is worked on once, by one of them."""
    elements = emulator.add_elements(400)
    run = emulator.add_worker_run(chunks=2)
    python = peer("base-worker-0.6.0")
    workers = [
        subprocess.Popen(
            [python, "-c", LOOP],
            env=environment(emulator, run, tmp_path, chunk),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for chunk in (1, 2)
    ]
    found = [worker.communicate(timeout=240)[0].split() for worker in workers]

    assert Counter(found[0] + found[1]) == Counter(elements)
    assert min(map(len, found)) > 0
    assert set(emulator.activity_states(run).values()) == {"processed"}


def test_a_lost_answer_to_a_claim_loses_the_element(
    peer: Callable[[str], Path], emulator: Emulator, tmp_path: Path
) -> None:
    """What the ledger is for: the published worker ends well, and the server knows that an element is stuck."""
    pages = emulator.add_elements(3)
    run = emulator.add_worker_run()
    emulator.faults.add("StartWorkerActivity", Fault.answer(502, acted=True), times=1)

    done = work(peer("base-worker-0.6.0"), LOOP, environment(emulator, run, tmp_path))

    assert done.returncode == 0
    assert "2 completed, 0 failed" in done.stderr
    assert [emulator.ledger.history(page)[-1] for page in pages] == ["started", "processed", "processed"]
