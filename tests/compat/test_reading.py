"""The published library and ours read the same about the same elements, on Arkindex and in a cache."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from planted import TYPES, Planted, plant
from reading_runs import run_with

from arkworker import Worker, WorkerContext
from arkworker.emulator import Emulator
from arkworker.storage.cache import open_cache
from arkworker.transport.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reading_runs import Run

    from arkworker.testing import MakeContext

pytestmark = pytest.mark.compat

# Ours by the names of theirs.
METHODS = {
    "list_element_children": "children",
    "list_element_parents": "parents",
    "list_transcriptions": "transcriptions",
}

ON_ARKINDEX = """
import json
from arkindex_worker.models import Element, Transcription
from arkindex_worker.worker import ElementsWorker

class Peer(ElementsWorker):
    def process_element(self, element):
        found = [[item["id"] for item in getattr(self, method)(Element({"id": i}), **asked)]
                 for i in IDS for method, asked in QUERIES]
        elements = [Element({"id": i}) for i in IDS]
        found.append([[item["id"], item["name"]] for e in elements for item in self.list_element_metadata(e)])
        found += [[item["id"] for item in self.list_elements(**asked)] for asked in CORPUS_QUERIES]
        self.list_corpus_types()
        self.list_corpus_entity_types()
        self.load_corpus_classes()
        found.append(sorted([slug, item["id"], item["folder"]] for slug, item in self.corpus_types.items()))
        found.append(sorted(self.entity_types.items()))
        found.append(sorted(self.classes.items()))
        found.append([[item["type"]["name"], item["offset"]] for i in TEXTS
                      for item in self.list_transcription_entities(Transcription({"id": i}))])
        with open(OUTPUT, "w") as file:
            json.dump(found, file)

Peer().run()
"""

IN_A_CACHE = """
import json
from arkindex_worker import cache
from arkindex_worker.worker import ElementsWorker

cache.init_cache_db(DATABASE)
peer = ElementsWorker.__new__(ElementsWorker)
peer.use_cache = True
found = [[str(item.id) for item in getattr(peer, method)(cache.CachedElement.get_by_id(i), **asked)]
         for i in IDS for method, asked in QUERIES]
cache.db.close()
with open(OUTPUT, "w") as file:
    json.dump(found, file)
"""


class Nothing(Worker):
    """Does nothing."""

    def run(self, context: WorkerContext[Any], cache: Any) -> None:
        """Nothing."""


def queries(made: Planted, *, is_cached: bool) -> list[tuple[str, dict[str, Any]]]:
    """Everything that the published library can be asked; of a cache, it cannot be asked all."""
    kind = {"type": TYPES[0]}
    texts_of = {"element_type": TYPES[0]}
    asked: list[dict[str, Any]] = [{}, {"worker_run": made.runs[1]}, {"worker_run": False}]
    relatives = [*asked, kind]
    if not is_cached:
        relatives += [{"recursive": True}, {"name": "LINE"}, {"folder": False}, {"folder": True}]
        relatives += [{"transcription_worker_run": made.runs[1]}, {"transcription_worker_run": False}]
        with_all = ("with_classes", "with_metadata", "with_has_children", "with_corpus", "with_zone")
        relatives += [{name: value} for name in with_all for value in (True, False)]
    texts = [*asked, {"recursive": True}, texts_of, {**texts_of, "recursive": True}]
    lists = {"list_element_children": relatives, "list_element_parents": relatives, "list_transcriptions": texts}
    return [(method, query) for method, wanted in lists.items() for query in wanted]


def ask(python: Path, code: str, names: dict[str, Any], tmp_path: Path, environ: dict[str, str]) -> list[Any]:
    """What the published library answers."""
    output = tmp_path / "answers.json"
    values = "\n".join(f"{name} = {value!r}" for name, value in {**names, "OUTPUT": str(output)}.items())
    done = subprocess.run(
        [python, "-c", f"{values}\n{code}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert output.exists(), done.stderr
    found: list[Any] = json.loads(output.read_text())
    return found


def answers(run: Run, made: Planted, asked: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    """What ours does."""
    return [
        [item.id for item in getattr(run.element(identifier), METHODS[method])(**query)]
        for identifier in made.ids
        for method, query in asked
    ]


def of_corpus(context: WorkerContext[Any], asked: list[dict[str, Any]]) -> list[Any]:
    """What is asked of the corpus."""
    found: list[Any] = [[item.id for item in context.list_elements(**query)] for query in asked]
    found.append(sorted([slug, item.id, item.folder] for slug, item in context.corpus_types.items()))
    found.append(sorted([name, item] for name, item in context.corpus_entity_types.items()))
    found.append(sorted([name, item] for name, item in context.corpus_classes.items()))
    return found


def test_on_arkindex(peer: Callable[[str], Path], tmp_path: Path, make_context: MakeContext) -> None:
    """The same items in the same order, whatever is asked."""
    with Emulator() as emulator, run_with(emulator) as run:
        made = plant(emulator, tmp_path / "db.sqlite", seed=11, count=12)
        for number, identifier in enumerate(made.ids):
            client = run.access._api()
            client.request("CreateMetaData", {"type": "text", "name": f"{number}", "value": "x"}, id=identifier)
        worker_run = emulator.add_worker_run(elements=made.ids[:1])
        texts = [text["id"] for text in made.transcriptions]
        asked = queries(made, is_cached=False)
        lists: list[dict[str, Any]] = [
            {},
            {"top_level": True},
            {"type": TYPES[0], "with_zone": False},
            {"worker_run": False},
        ]
        names = {"IDS": made.ids, "TEXTS": texts, "QUERIES": asked, "CORPUS_QUERIES": lists}

        expected = ask(peer("base-worker-0.6.0"), ON_ARKINDEX, names, tmp_path, emulator.environment(worker_run))

        elements = [run.element(identifier) for identifier in made.ids]
        found: list[Any] = answers(run, made, asked)
        found.append([[item.id, item.name] for element in elements for item in element.metadata()])
        corpus = run.access.retrieve(made.ids[0]).corpus
        context = make_context(
            Nothing,
            corpus_id=corpus.id if corpus else None,
            connection=Connection(url=emulator.url, token=emulator.token),
        )
        context = dataclasses.replace(context)  # without what stands for Arkindex in tests
        found += of_corpus(context, lists)
        context.api.close()
        by_id = {text.id: text for element in elements for text in element.transcriptions()}
        found.append([[item.type, item.offset] for identifier in texts for item in by_id[identifier].entities()])
    assert found == expected
    assert sum(map(len, found)) > len(made.ids)


def test_in_a_cache(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """The same rows, as far as the published library can be asked; it gives no order."""
    path = tmp_path / "db.sqlite"
    with Emulator() as emulator:
        made = plant(emulator, path, seed=11, count=12)
    asked = queries(made, is_cached=True)

    expected = ask(
        peer("base-worker-0.5.1"), IN_A_CACHE, {"IDS": made.ids, "QUERIES": asked, "DATABASE": str(path)}, tmp_path, {}
    )

    engine = open_cache(path)
    with run_with(engine=engine) as run, run.sessions():
        found = answers(run, made, asked)
    engine.dispose()
    assert list(map(sorted, found)) == list(map(sorted, expected))
    assert sum(map(len, found)) > len(made.ids)
