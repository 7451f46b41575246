"""Reading in whole runs, by elements workers and plain ones, with a cache and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from planted import Planted, plant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from arkworker.emulator import Emulator

WORKER = """
import json
from pathlib import Path
from uuid import uuid4

from arkworker import ElementsWorker, Worker
from arkworker.storage.cache import CachedElement

def describe(element):
    return {
        "children": [child.id for child in element.children(recursive=True)],
        "texts": [text.text for child in element.children() for text in child.transcriptions()],
        "parents": [parent.id for parent in element.parents()],
        "classes": [item.class_name for item in element.classifications()],
    }

class Reader(ElementsWorker):
    uses_cache = True

    def process_element(self, element, context, cache):
        before = describe(element)
        cache.add(CachedElement(id=uuid4(), parent_id=element.id, type="word"))
        after = describe(element)
        assert len(after["children"]) == len(before["children"]) + 1, (before, after)
        cache.rollback()
        with Path("found.jsonl").open("a") as file:
            print(json.dumps({element.id: before}), file=file)

class Online(Reader):
    uses_cache = False

    def process_element(self, element, context, cache):
        with Path("found.jsonl").open("a") as file:
            print(json.dumps({element.id: describe(element)}), file=file)

class Plain(Worker):
    uses_cache = True

    def setup(self, context):
        self.first = context.retrieve_element(Path("ids").read_text().split()[0])
        assert list(self.first.children())

    def run(self, context, cache):
        with Path("found.jsonl").open("a") as file:
            for line in Path("ids").read_text().split():
                print(json.dumps({line: describe(context.retrieve_element(line))}), file=file)

    def teardown(self, context):
        assert list(self.first.children())
"""


@pytest.fixture(scope="module")
def planted(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, Path]:
    path = tmp_path_factory.mktemp("caches") / "db.sqlite"
    return plant(emulator, path, seed=11, count=10), path


def work(directory: Path, target: str, made: Planted, *flags: str, **variables: str) -> dict[str, Any]:
    """What a worker found, by element."""
    (directory / "reader.py").write_text(WORKER, "utf-8")
    (directory / "ids").write_text("\n".join(made.ids))
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PONOS_DATA": str(directory), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "arkworker", "run", f"reader.py:{target}", *flags],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found: dict[str, Any] = {}
    for line in (directory / "found.jsonl").read_text().splitlines():
        found |= json.loads(line)
    return found


@pytest.fixture
def expected(planted: tuple[Planted, Path]) -> dict[str, Any]:
    """The same out of the rows themselves."""
    made = planted[0]

    def below(identifier: str) -> Iterator[str]:
        for row in made.elements:
            if row["parent_id"] == identifier:
                yield row["id"]
                yield from below(row["id"])

    found = {}
    for row in made.elements:
        children = [child["id"] for child in made.elements if child["parent_id"] == row["id"]]
        found[row["id"]] = {
            "children": sorted(below(row["id"]), key=made.ids.index),
            "texts": [
                text["text"] for child in children for text in made.transcriptions if text["element_id"] == child
            ],
            "parents": [row["parent_id"]] if row["parent_id"] else [],
            "classes": [item["class_name"] for item in made.classifications if item["element_id"] == row["id"]],
        }
    return found


@pytest.mark.parametrize("target", ["Reader", "Plain"])
def test_at_a_desk_with_a_cache_alone(
    planted: tuple[Planted, Path], expected: dict[str, Any], tmp_path: Path, target: str
) -> None:
    """No address is known, and none is needed."""
    made, cache = planted
    flags = ["--element", *made.ids] if target == "Reader" else []

    assert work(tmp_path, target, made, "--dev", "-d", str(cache), *flags) == expected


def test_in_a_worker_run(
    emulator: Emulator, planted: tuple[Planted, Path], expected: dict[str, Any], tmp_path: Path
) -> None:
    """Without a cache, everything comes from the API."""
    made = planted[0]
    run = emulator.add_worker_run(elements=made.ids)

    assert work(tmp_path, "Online", made, **emulator.environment(run, data_dir=tmp_path)) == expected
