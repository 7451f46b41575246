"""What a test reads of what a worker published: typed results, of a run in this process and of an emulated Arkindex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from arkworker import (
    Child,
    Classification,
    Element,
    ElementsWorker,
    Embedding,
    Entity,
    Metadata,
    On,
    Transcription,
    UserConfiguration,
    WorkerContext,
)
from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker import Result
    from arkworker.testing import Arkindex, Invoke

pytest_plugins = ["arkworker.testing.fixtures"]
PAGE = {"id": "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3", "type": "page", "name": "De rerum natura"}
OTHER = {**PAGE, "id": "1c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3", "name": "Liber secundus"}
SQUARE = ((0, 0), (0, 10), (10, 10), (10, 0))


class Options(UserConfiguration):
    fails: bool = False


class Reading(ElementsWorker[Options]):
    creates = ("line", "person")

    def process_element(self, element: Element, context: WorkerContext[Options], cache: Session) -> Iterator[Result]:
        del cache
        context.publish(element, Metadata(type="text", name="read", value="yes"))
        entity = Entity(type="person", offset=0, length=2)
        yield Child(
            type="line",
            polygon=None if context.is_read_only else SQUARE,
            results=[Transcription(text=element.name, confidence=1, entities=[entity])],
        )
        yield Classification(class_name="title", confidence=0.5)
        yield Embedding(value=[1.0, 2.0])
        if context.config.fails:
            raise ValueError


def test_what_a_run_published_is_typed(invoke: Invoke, arkindex: Arkindex) -> None:
    """By class, those on children and in texts included; of one element or of all; read-only, what it would have."""
    for page in (PAGE, OTHER):
        arkindex.expect("RetrieveElement", page, id=page["id"])

    done = invoke("run", Reading, "--element", PAGE["id"], OTHER["id"], "--dev")

    assert done.code == 0, done.err
    assert sorted(text.text for text in done.published(Transcription)) == [PAGE["name"], OTHER["name"]]
    assert [text.text for text in done.published(Transcription, element=OTHER["id"])] == [OTHER["name"]]
    assert [entity.type for entity in done.published(Entity)] == ["person", "person"]
    assert [item.value for item in done.published(Metadata, element=PAGE["id"])] == ["yes"]


@pytest.mark.parametrize("flags", [(), ("--results", "found.jsonl")])
def test_what_was_not_published_is_not_there(invoke: Invoke, arkindex: Arkindex, flags: tuple[str, ...]) -> None:
    """Of an element that failed, only what was published before; what is recorded counts."""
    arkindex.expect("RetrieveElement", PAGE, id=PAGE["id"])

    done = invoke("run", Reading, "--element", PAGE["id"], "--dev", "--config.fails", *flags)

    assert (done.published(Classification), len(done.published(Metadata))) == ([], 1)


READER = """
from arkworker import ElementsWorker, On, Transcription


class Reader(ElementsWorker):
    def process_element(self, element, context, cache):
        context.publish(element, Transcription(text=element.name, confidence=1))
        return On(element, [Transcription(text=element.name.upper(), confidence=1)])
"""


ENGINE = "from concurrent.futures import ProcessPoolExecutor"


@pytest.mark.parametrize("engine", [[], ["--executor", "engine.py:ProcessPoolExecutor"]], ids=["jobs", "executor"])
def test_what_several_processes_published_is_typed(invoke: Invoke, tmp_path: Path, engine: list[str]) -> None:
    """As of one process: in which of them an element was is of no interest."""
    for name in "abc":
        Image.new("RGB", (9, 9)).save(tmp_path / f"{name}.png")
    images = ["a.png", "b.png", "c.png"]

    files = {"reader.py": READER, "engine.py": ENGINE}

    done = invoke("run", "reader.py:Reader", "--image", *images, "--jobs", "2", *engine, files=files)

    assert done.code == 0, done.err
    assert sorted(text.text for text in done.published(Transcription)) == ["A", "B", "C", "a", "b", "c"]


def test_what_the_emulated_arkindex_got_is_typed(invoke: Invoke) -> None:
    """As it was accepted, by the worker run that signed it."""
    with Emulator() as arkindex:
        arkindex.add_corpus()
        first, second = arkindex.add_elements(2, image=(100, 100))
        arkindex.add_class("title")
        arkindex.add_transcription(first, "by hand")
        run = arkindex.add_worker_run()

        assert invoke("run", Reading, environ=arkindex.environment(run)).code == 0

        (line, other) = arkindex.published(run, Child)
        (text,) = arkindex.published(run, Classification, element=first)
        transcriptions = arkindex.published(run, Transcription)
        assert (line.type, other.type, line.polygon) == ("line", "line", other.polygon)
        assert line.polygon is not None
        assert {type(part) for part in (line.polygon, *line.polygon)} == {tuple}
        assert (text.class_name, text.confidence) == ("title", 0.5)
        assert [[entity.type for entity in each.entities] for each in transcriptions] == [["person"], ["person"]]
        assert arkindex.published(run, Metadata, element=second) == [Metadata(type="text", name="read", value="yes")]
        assert arkindex.published(run, Embedding, element=second) == [Embedding(value=[1.0, 2.0])]
        assert len(arkindex.published(run, Child, element=second)) == 1


class Naming(ElementsWorker):
    creates = ("person",)

    def process_element(self, element: Element, context: WorkerContext, cache: Session) -> Iterator[Result]:
        del context, cache
        for text in element.transcriptions():
            yield On(text, [Entity(type="person", offset=0, length=2)])


def test_entities_on_a_text_from_before_the_run_are_published(invoke: Invoke) -> None:
    """The text itself is not the run's."""
    with Emulator() as arkindex:
        arkindex.add_corpus()
        first, second = arkindex.add_elements(2, image=(100, 100))
        arkindex.add_transcription(first, "by hand")
        run = arkindex.add_worker_run()

        assert invoke("run", Naming, environ=arkindex.environment(run)).code == 0

        found = [Entity(type="person", offset=0, length=2)]
        assert arkindex.published(run, Entity) == arkindex.published(run, Entity, element=first) == found
        assert (arkindex.published(run, Entity, element=second), arkindex.published(run, Transcription)) == ([], [])


def test_published_of_what_is_not_there_is_an_error() -> None:
    """An empty list for a mistyped id would let a test pass that checks nothing."""
    with Emulator() as arkindex:
        arkindex.add_corpus()
        run = arkindex.add_worker_run()

        with pytest.raises(LookupError, match="no WorkerRun has the id 'run'"):
            arkindex.published("run", Transcription)
        with pytest.raises(LookupError, match="no Element has the id 'Page 1'"):
            arkindex.published(run, Transcription, element="Page 1")
        with pytest.raises(TypeError, match=r"one of Child, .*, not <class 'str'>"):
            arkindex.published(run, str)  # type: ignore[type-var]  # what is tried


def test_published_by_an_invocation_takes_a_class_of_results(invoke: Invoke) -> None:
    """Nothing else was published."""
    with pytest.raises(TypeError, match="a class of results, such as Transcription, not <class 'str'>"):
        invoke("--version").published(str)  # type: ignore[type-var]  # what is tried
