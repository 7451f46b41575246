"""The cache and the API answer alike about the same elements."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from planted import TYPES, Planted, plant
from reading_runs import run_with

from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reading_runs import Run

    from arkworker.elements.model import Element
    from arkworker.emulator import Emulator


@pytest.fixture(scope="module")
def planted(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Planted, Run]]:
    """Elements on the emulator and in a cache, and a run that knows both."""
    path: Path = tmp_path_factory.mktemp("caches") / "db.sqlite"
    made = plant(emulator, path, seed=11, count=10)
    engine = open_cache(path)
    with run_with(emulator, engine) as run:
        yield made, run
    engine.dispose()


def comparable(element: Element) -> dict[str, Any]:
    """What the cache has of an element."""
    zone = element.zone.model_dump(include={"polygon": True, "image": {"id", "url", "width", "height"}})  # type: ignore[union-attr]
    names = ("id", "type", "rotation_angle", "mirrored", "confidence", "worker_run_id")
    return {**{name: getattr(element, name) for name in names}, "zone": zone}


def assert_alike(planted: tuple[Planted, Run], read: Callable[..., Iterator[Any]]) -> int:
    """Compare what both sources say about every element; how much it was."""
    made, run = planted
    found = 0
    for element_id in made.ids:
        element = run.element(element_id)
        from_api, from_cache = list(read(element, source="api")), list(read(element, source="cache"))
        assert from_cache == from_api
        found += len(from_api)
    return found


QUERIES = [
    {"recursive": recursive, "worker_run": run, "type": kind}
    for recursive, (run, kind) in product((False, True), ((None, None), (0, None), (1, TYPES[1])))
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("way", ["children", "parents"])
def test_relatives(planted: tuple[Planted, Run], way: str, query: dict[str, Any]) -> None:
    """The same elements in the same order, whatever is asked."""

    def read(element: Element, source: str) -> Iterator[Any]:
        asked = {**query, "worker_run": run_of(planted[0], query)}
        return map(comparable, getattr(element, way)(**asked, source=source))

    assert assert_alike(planted, read) > 0


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_transcriptions(planted: tuple[Planted, Run], query: dict[str, Any]) -> None:
    """The same texts, with the elements that they are on."""

    def read(element: Element, source: Any) -> Iterator[Any]:
        run = run_of(planted[0], query)
        return element.transcriptions(
            recursive=query["recursive"], worker_run=run, element_type=query["type"], source=source
        )

    assert assert_alike(planted, read) > 0


@pytest.mark.parametrize("run", [None, 0, 1])
def test_classifications_and_entities(planted: tuple[Planted, Run], run: int | None) -> None:
    """The same classes, and the same entities in every text."""
    made = planted[0]
    signed = run_of(made, {"worker_run": run})

    def entities(element: Element, source: Any) -> Iterator[Any]:
        for text in element.transcriptions(source=source):
            yield text, list(text.entities(worker_run=signed, source=source))

    assert assert_alike(planted, lambda element, source: element.classifications(worker_run=signed, source=source)) > 0
    assert assert_alike(planted, entities) == len(made.transcriptions)


def run_of(made: Planted, query: dict[str, Any]) -> Any:
    """The worker run that a query means: the first of them is a person."""
    number = query["worker_run"]
    return None if number is None else made.runs[number] or False
