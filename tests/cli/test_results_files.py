"""Runs with --results FILE: what they record, what they leave to `publish`, and how they go on."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.emulator import Emulator, Fault
from arkworker.storage.cache import CachedElement, CachedImage, open_cache, session_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.cli.conftest import Result

WORKER = """
import json, multiprocessing, os
from arkworker import Child, Element, ElementsWorker, Transcription

def publish(context, element):
    context.publish(element, Transcription(text="elsewhere", confidence=1))

class W(ElementsWorker):
    creates = ("word",)
    uses_cache = bool(os.environ.get("USES_CACHE"))

    def setup(self, context):
        if "EARLY" in os.environ:
            publish(context, Element.model_validate({"id": "page", "type": "page"}))

    def process_element(self, element, context, cache):
        self.last = element
        if element.name in os.environ.get("BIG", "-").split(","):
            return Transcription(text="x" * 200_000, confidence=1)
        if element.name in os.environ.get("FAIL", "-").split(","):
            raise ValueError("boom")
        if method := os.environ.get("ELSEWHERE"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                pool.apply(publish, (context, element))
        if element.name in os.environ.get("MIDDLE", "-").split(","):
            context.publish(element, Transcription(text="middle", confidence=1))
        if element.name in os.environ.get("OUTSIDE", "-").split(","):
            return Child(type="word", polygon=[(0, 0), (0, 5000), (5, 5)])
        return [Child(type="word", polygon=[(0, 0), (0, 5), (5, 5)], results=[Transcription(text="é", confidence=1)])]

    def teardown(self, context):
        if "LATE" in os.environ:
            context.publish(self.last, Transcription(text="late", confidence=1))
"""


@dataclass
class Desk:
    """An emulated Arkindex with four pages, a worker, and command lines about them."""

    emulator: Emulator
    elements: list[str]
    run_id: str
    target: str
    folder: Path
    command: Callable[..., Result]

    @property
    def file(self) -> Path:
        return self.folder / "results.jsonl"

    def run(self, *flags: str, **environment: str) -> Result:
        known = self.emulator.environment(self.run_id, data_dir=self.folder / "data")
        return self.command("run", self.target, "--results", str(self.file), *flags, **known | environment)

    def publish(self, *flags: str) -> Result:
        known = {"ARKINDEX_API_URL": self.emulator.url, "ARKINDEX_API_TOKEN": self.emulator.token}
        return self.command("publish", str(self.file), *flags, **known)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def recorded(self) -> list[tuple[str, str]]:
        """Each element that is in the file and its state, in order."""
        return [(self.name(line["element"]["id"]), line["state"]) for line in self.lines()[1:]]

    def name(self, element_id: str) -> str:
        return f"page {self.elements.index(element_id) + 1}"

    def written(self) -> Counter[str]:
        """How often each operation that writes was called."""
        return Counter(str(call.operation) for call in self.emulator.ledger.calls() if call.method != "GET")

    def states(self) -> list[str]:
        return list(self.emulator.activity_states(self.run_id).values())


@pytest.fixture
def desk(tmp_path: Path, command: Callable[..., Result], write_worker: Callable[[str], str]) -> Iterator[Desk]:
    with Emulator() as emulator:
        emulator.add_corpus()
        elements = emulator.add_elements(4, image=(1000, 1400))
        run = emulator.add_worker_run()
        yield Desk(emulator, list(elements), run, write_worker(WORKER), tmp_path, command)


def listed(desk: Desk, elements: Sequence[str] | None = None) -> tuple[str, ...]:
    return "--element", *(desk.elements if elements is None else elements)


def test_a_list_touches_nothing(desk: Desk) -> None:
    """Nothing is written to Arkindex, and `publish` does all of it later, what the corpus lacks included."""
    ended = desk.run(*listed(desk), FAIL="page 2")

    assert (ended.code, desk.written(), desk.states()) == (0, {}, ["queued"] * 4), ended.err
    assert desk.recorded() == [(f"page {n}", "error" if n == 2 else "processed") for n in (1, 2, 3, 4)]
    assert desk.lines()[2]["reason"] == "ValueError: boom"
    assert desk.lines()[0]["creates"]["element_types"] == ["word"]
    published = desk.publish()
    assert (published.code, desk.states()) == (0, ["processed", "error", "processed", "processed"]), published.err
    assert desk.written()["CreateElementTranscriptions"] == 3
    assert desk.written()["CreateElementType"] == 1


def test_a_queue_is_claimed_and_not_ended(desk: Desk) -> None:
    """Elements are only to be had by claims; their ends wait in the file."""
    ended = desk.run(FAIL="page 2")

    assert (ended.code, desk.states()) == (0, ["started"] * 4), ended.err
    assert set(desk.written()) == {"StartWorkerActivity"}
    assert all(line["claimed"] for line in desk.lines()[1:])
    assert desk.publish().code == 0
    assert desk.states() == ["processed", "error", "processed", "processed"]


def test_a_run_goes_on_where_it_stopped(desk: Desk) -> None:
    """What is processed is left out, what failed is tried again; and a log line says so."""
    desk.run(*listed(desk, desk.elements[:3]), FAIL="page 2")

    again = desk.run(*listed(desk))

    assert "results.jsonl: 2 processed (skipped), 1 failed (retried)" in again.err
    assert desk.recorded()[3:] == [("page 2", "processed"), ("page 4", "processed")]
    assert desk.publish().code == 0
    assert desk.states() == ["processed"] * 4


def test_a_queue_that_is_empty_still_brings_what_failed(desk: Desk) -> None:
    """What this file's runs have claimed is theirs to end."""
    desk.run(FAIL="page 2,page 3")

    again = desk.run()

    assert again.code == 0, again.err
    assert sorted(desk.recorded()[4:]) == [("page 2", "processed"), ("page 3", "processed")]
    assert desk.publish().code == 0
    assert desk.states() == ["processed"] * 4


def test_what_is_published_in_the_middle_is_recorded(desk: Desk) -> None:
    """With the line of its element, also when that fails later."""
    ended = desk.run(*listed(desk, desk.elements[:2]), MIDDLE="page 1")

    assert desk.written() == {}
    assert [len(line.get("published", [])) for line in desk.lines()[1:]] == [1, 0], ended.err
    assert desk.publish().code == 0
    assert desk.written()["CreateTranscription"] == 1


def test_publishing_outside_of_elements_says_what_to_do(desk: Desk) -> None:
    """There is no line that it would belong to."""
    ended = desk.run(*listed(desk), LATE="1")

    assert "with --results, context.publish can only be called while an element is processed" in ended.err
    assert len(desk.recorded()) == 4


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_publishing_in_a_process_of_user_code_fails_there(desk: Desk, method: str) -> None:
    """What it says would not get into the file."""
    ended = desk.run(*listed(desk, desk.elements[:1]), ELSEWHERE=method)

    reason = "with --results, context.publish can only be called while an element is processed, in the worker's own"
    assert (desk.lines()[1]["state"], reason in desk.lines()[1]["reason"]) == ("error", True), ended.err


def test_publishing_before_the_first_element_is_refused(desk: Desk) -> None:
    """There is no line that it would belong to."""
    ended = desk.run(*listed(desk), EARLY="1")

    assert (ended.code, "with --results, context.publish can only be called while" in ended.err) == (1, True), ended.err


def test_results_that_cannot_be_published_fail_their_element(desk: Desk) -> None:
    """They are refused now, not by Arkindex later."""
    ended = desk.run(*listed(desk), OUTSIDE="page 3")

    assert (ended.code, desk.recorded()[2]) == (0, ("page 3", "error"))
    assert "extends beyond the image of 1000 by 1400 pixels" in desk.lines()[3]["reason"]


def test_an_element_that_cannot_be_had_is_recorded(desk: Desk) -> None:
    """As an error, with the reason."""
    desk.emulator.faults.add("RetrieveElement", Fault.answer(404), where=lambda call: desk.elements[1] in call.path)

    desk.run(*listed(desk))

    assert desk.recorded()[1] == ("page 2", "error")
    assert "RetrieveElement (status 404)" in desk.lines()[2]["reason"]


def test_a_missing_type_is_told_before_the_first_element(desk: Desk) -> None:
    """And none is created: that is for `publish`."""
    desk.run(*listed(desk))

    assert "CreateElementType" not in desk.written()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--summary", "{file}"), "same file as --summary"),
        (("--database", "{file}"), "same file as --database"),
    ],
)
def test_one_file_is_not_written_over_another(desk: Desk, flags: tuple[str, ...], reason: str) -> None:
    """The results of hours are not lost by a slip of the pen."""
    desk.run(*listed(desk))
    before = desk.file.read_bytes()

    ended = desk.run(*(flag.format(file=desk.file) for flag in flags), *listed(desk))

    assert (ended.code, desk.file.read_bytes()) == (78, before), ended.err
    assert reason in ended.err


def test_a_file_of_another_run_is_refused(desk: Desk) -> None:
    """Before anything is claimed."""
    desk.run(*listed(desk, desk.elements[:1]))
    other = desk.emulator.environment(desk.emulator.add_worker_run(), data_dir=desk.folder / "data")

    ended = desk.run(**other)

    assert (ended.code, desk.written()) == (78, {})
    assert f"results of the worker run {desk.run_id}, not" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("place", ["missing/results.jsonl", "", "/dev/full"])
def test_what_cannot_be_written_is_refused_before_a_claim(desk: Desk, place: str) -> None:
    """One line, exit code 78."""
    path = str(desk.folder / place) if place != "/dev/full" else place

    ended = desk.run("--results", path)

    assert (ended.code, desk.written()) == (78, {})
    assert "Traceback" not in ended.err


def test_a_disk_that_fills_up_ends_the_run(desk: Desk) -> None:
    """What was recorded stays whole; the rest does not count as a success, and the next run does it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        ended = desk.run(*listed(desk), "--prefetch", "0", BIG="page 2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (ended.code, desk.recorded()) == (78, [("page 1", "processed")]), ended.err
    assert "cannot be written: File too large" in ended.err
    assert "1 processed, 1 failed" in ended.err
    assert desk.run(*listed(desk), BIG="page 2").code == 0
    assert desk.recorded()[1:] == [(f"page {n}", "processed") for n in (2, 3, 4)]


SETS = """
from arkworker import DatasetWorker

class W(DatasetWorker):
    def process_set(self, dataset_set, export, context, cache): ...
"""


def test_workers_on_sets_find_no_results(desk: Desk, write_worker: Callable[[str], str]) -> None:
    """They are told so at once."""
    ended = desk.command("run", write_worker(SETS), "--results", str(desk.file), "--dev")

    assert (ended.code, desk.file.exists()) == (78, False)
    assert "has no results to record" in ended.err


def cache_of(desk: Desk) -> Path:
    """A cache with two of the pages, as a node without network has it."""
    path = desk.folder / "cache.sqlite"
    engine = open_cache(path, create=True)
    with session_scope(engine) as session:
        image = CachedImage(id=uuid.uuid4(), width=1000, height=1400, url="picture.jpg")
        session.add(image)
        session.flush()
        for name in desk.elements[:2]:
            polygon = [[0, 0], [0, 9], [9, 9], [0, 0]]
            session.add(
                CachedElement(
                    id=uuid.UUID(name),
                    type="page",
                    image_id=image.id,
                    polygon=polygon,
                    initial=True,
                    rotation_angle=0,
                    mirrored=False,
                )
            )
    engine.dispose()
    return path


def test_a_node_without_network(desk: Desk) -> None:
    """Developer mode with a cache needs no server; the person who publishes names the worker run."""
    database = str(cache_of(desk))
    ended = desk.command(
        "run", desk.target, "-d", database, "--results", str(desk.file), USES_CACHE="1", PONOS_DATA=str(desk.folder)
    )

    assert (ended.code, desk.emulator.ledger.count) == (0, 0), ended.err
    assert "1 word, 1 transcription" in ended.err
    assert desk.lines()[0]["worker_run_id"] is None
    published = desk.publish("--worker-run-id", desk.run_id)
    assert published.code == 0, published.err
    assert desk.states() == ["processed", "processed", "queued", "queued"], f"{ended.err}{published.err}"
    assert desk.written()["CreateElementTranscriptions"] == 2
