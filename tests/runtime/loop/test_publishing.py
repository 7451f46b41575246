"""Whole runs of a worker that finds something, against an emulated Arkindex."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from arkworker.runtime.client import Client, Connection
from arkworker.testing.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKER = """
from arkworker import Child, Element, Transcription
from arkworker.runtime.elements_worker import ElementsWorker

class Finder(ElementsWorker):
    creates = ("stain",)

    def process_element(self, element: Element, context, cache):
        text = Transcription(text=element.name, confidence=1)
        yield text
        if element.name == "fails":
            raise RuntimeError("half of it was yielded")
        if element.name == "invalid":
            yield Transcription(text="x", confidence=1.2)
        if element.name == "unknown":
            yield Child(type="scribble", polygon=[(0, 0), (0, 9), (9, 9)])
        yield Child(type="stain", polygon=[(0, 0), (0, 9), (9, 9)], results=[text])
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.add_corpus()
        yield emulator


def work(directory: Path, variables: dict[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    (directory / "finder.py").write_text(WORKER, "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(directory), **variables}
    return subprocess.run(
        [sys.executable, "-m", "arkworker", "run", "finder:Finder", *flags],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def texts(emulator: Emulator, page: str) -> list[str]:
    """The texts on a page and below it."""
    client = Client(Connection(url=emulator.url, token=emulator.token))
    found = [item["text"] for item in client.paginate("ListTranscriptions", id=page, recursive=True)]
    client.close()
    return found


def test_results_are_published_and_failures_are_not(emulator: Emulator, tmp_path: Path) -> None:
    """Nothing of an element that failed half-way or has an invalid result; the others go on."""
    names = ("good", "fails", "invalid", "unknown", "last")
    pages = {name: emulator.add_element("page", name, image=(1000, 1400)) for name in names}
    run = emulator.add_worker_run(elements=list(pages.values()))

    done = work(tmp_path, emulator.environment(run))

    states = emulator.activity_states(run)
    assert {name: states[page] for name, page in pages.items()} == {
        "good": "processed",
        "fails": "error",
        "invalid": "error",
        "unknown": "error",
        "last": "processed",
    }, done.stderr
    assert {name: texts(emulator, page) for name, page in pages.items()} == {
        "good": ["good", "good"],
        "fails": [],
        "invalid": [],
        "unknown": [],
        "last": ["last", "last"],
    }
    assert "Transcription.confidence: Input should be less than or equal to 1" in done.stderr
    assert "results.1.type: the corpus has no element type 'scribble'" in done.stderr


def test_a_publication_that_is_not_accepted_is_an_error(emulator: Emulator, tmp_path: Path) -> None:
    """The log says what was accepted and what was not."""
    page = emulator.add_element("page", "good", image=(1000, 1400))
    run = emulator.add_worker_run(elements=[page])
    emulator.faults.add("CreateTranscription", Fault.answer(400))

    done = work(tmp_path, emulator.environment(run))

    assert emulator.activity_states(run) == {page: "error"}
    assert "accepted: 1 stain, 1 transcriptions; not accepted: 1 transcriptions; CreateTranscription" in done.stderr
    assert done.returncode == 1


def test_a_read_only_run_publishes_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """It says what it would have published."""
    page = emulator.add_element("page", "good", image=(1000, 1400))
    variables = {"ARKINDEX_API_URL": emulator.url, "ARKINDEX_API_TOKEN": emulator.token}

    done = work(tmp_path, variables, "--dev", "--element", page)

    assert done.returncode == 0, done.stderr
    assert "1 stain, 2 transcriptions, not published: this run is read-only" in done.stderr
    assert texts(emulator, page) == []
