"""Whole runs of a worker that finds something, against an emulated Arkindex."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_RESULT = "should be a result, such as Transcription or Child, not"
# Code of a result, and what is said of the element then.
INVALID = {
    "Child(type='stain', polygon=[(0, 0), (0, 9)])": "Child.polygon: a polygon needs at least three different points",
    "Transcription(text='x', confidence=1.2)": "Transcription.confidence: Input should be less than or equal to 1",
    "Transcription(text='x', confidence=float('nan'))": "Transcription.confidence: Input should be a finite number",
    "Transcription(text='x', confidence=True)": "Transcription.confidence: Input should be a valid number",
    "Transcription(text=' ', confidence=1)": "Transcription.text: should not be empty",
    "Child(type='stain', polygon=square, results=[text.model_copy(update=dict(confidence=1.2))])": (
        "results.3.results.0.confidence: Input should be less than or equal to 1"
    ),
    "Child(type='text_lin', polygon=square)": "results.3.type: the corpus has no element type 'text_lin'; did you mean",
    "Entity(type='place', offset=0, length=1)": "results.3 is an Entity, which belongs in a text",
    "[text]": f"results.3 {NO_RESULT} list",
    "'text'": f"results.3 {NO_RESULT} str",
}
RETURNED = {
    "'text'": f"results.0 {NO_RESULT} str",
    "{'text': 'x'}": f"results.0 {NO_RESULT} dict",
    "3": f"results.0 {NO_RESULT} int",
    "[[text]]": f"results.0 {NO_RESULT} list",
    "Transcription": f"results.0 {NO_RESULT} the class Transcription",
}

WORKER = """
from arkworker import Child, Entity, Element, Transcription
from arkworker.runtime.worker import ElementsWorker

INVALID = {invalid}
text = Transcription(text="x", confidence=1)
square = [(0, 0), (0, 9), (9, 9)]

class Returning(ElementsWorker):
    def process_element(self, element, context, cache):
        return eval(element.name)

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
        if element.name in INVALID:
            yield from (text, text, eval(INVALID[element.name]))
        yield Child(type="stain", polygon=[(0, 0), (0, 9), (9, 9)], results=[text])
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        emulator.add_corpus()
        yield emulator


def work(
    directory: Path, variables: dict[str, str], *flags: str, worker: str = "Finder"
) -> subprocess.CompletedProcess[str]:
    (directory / "finder.py").write_text(WORKER.replace("{invalid}", repr({code: code for code in INVALID})), "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(directory), **variables}
    return subprocess.run(
        [sys.executable, "-m", "arkworker", "run", f"finder:{worker}", *flags],
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


@pytest.mark.parametrize(("worker", "cases"), [("Finder", INVALID), ("Returning", RETURNED)])
def test_each_invalid_result_fails_its_element_alone(
    emulator: Emulator, tmp_path: Path, worker: str, cases: dict[str, str]
) -> None:
    """With a message that names the place and the field; nothing of it is published, and the next one goes on."""
    last = "good" if worker == "Finder" else "text"
    pages = {name: emulator.add_element("page", name, image=(1000, 1400)) for name in [*cases, last]}
    run = emulator.add_worker_run(elements=list(pages.values()))

    done = work(tmp_path, emulator.environment(run), worker=worker)

    states = emulator.activity_states(run)
    assert {name for name, page in pages.items() if states[page] == "processed"} == {last}, done.stderr
    told = {name: next(line for line in done.stderr.splitlines() if pages[name] in line) for name in cases}
    assert {name: message for name, message in cases.items() if message not in told[name]} == {}, done.stderr
    assert [texts(emulator, pages[name]) for name in cases] == [[]] * len(cases)
    assert texts(emulator, pages[last]) != []


def test_a_publication_that_is_not_accepted_is_an_error(emulator: Emulator, tmp_path: Path) -> None:
    """The log says what was accepted and what was not."""
    page = emulator.add_element("page", "good", image=(1000, 1400))
    run = emulator.add_worker_run(elements=[page])
    emulator.faults.add("CreateTranscription", Fault.answer(400))

    done = work(tmp_path, emulator.environment(run))

    assert emulator.activity_states(run) == {page: "error"}
    assert "accepted: 1 stain, 1 transcription; not accepted: 1 transcription; CreateTranscription" in done.stderr
    assert done.returncode == 1


def test_a_read_only_run_publishes_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """It says what it would have published."""
    page = emulator.add_element("page", "good", image=(1000, 1400))
    variables = {"ARKINDEX_API_URL": emulator.url, "ARKINDEX_API_TOKEN": emulator.token}

    done = work(tmp_path, variables, "--dev", "--element", page)

    assert done.returncode == 0, done.stderr
    assert "1 stain, 2 transcriptions, not published: this run is read-only" in done.stderr
    assert texts(emulator, page) == []
