"""The cache gets the rows that the published library writes for the same results, and a child task of it reads them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.publishing.outbox import Outbox
from arkworker.arkindex.publishing.publisher import ArkindexPublisher
from arkworker.elements.model import Element
from arkworker.elements.results import Child, Classification, Entity, Transcription, Update
from arkworker.emulator import Emulator
from arkworker.storage.cache import CachedElement, CachedImage, open_cache, session_scope
from arkworker.storage.cache.models import read_points

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.compat

PAGE = "00000000-0000-0000-0000-00000000beef"
TABLES = ("images", "elements", "transcriptions", "classifications", "transcription_entities")

WORKER = """
from arkindex_worker.models import Transcription
from arkindex_worker.worker import ElementsWorker
from arkindex_worker.worker.transcription import TextOrientation

square = lambda number: [[number, 0], [number, 10], [number + 10, 10]]

class Peer(ElementsWorker):
    def process_element(self, element):
        self.create_elements(element, [
            dict(type="text_line", name=str(n), polygon=square(n), confidence=0.5) for n in range(2)])
        made = self.create_element_transcriptions(element, "paragraph", [
            dict(polygon=square(n), text="Paris", confidence=1.0, element_confidence=0.25) for n in range(3)])
        text = self.create_transcription(element, "Lyon", 0.5, TextOrientation.VerticalLeftToRight)
        self.check_required_entity_types(["place"])
        self.create_transcription_entity(Transcription(text), self.entity_types["place"], 1, 2, 0.5)
        self.create_classifications(element, [dict(ml_class=name, confidence=0.5) for name in "ab"])
        self.partial_update_element(element, type="paragraph", polygon=square(7), rotation_angle=90, mirrored=True,
            confidence=0.125)

Peer(support_cache=True).run()
"""
READ = """
import json, sys
from arkindex_worker import cache
cache.init_cache_db(sys.argv[2])
cache.create_version_table(); cache.create_tables()
cache.merge_parents_cache([__import__("pathlib").Path(sys.argv[1])], __import__("pathlib").Path(sys.argv[2]))
page = cache.CachedElement.get_by_id(sys.argv[3])
print(json.dumps([
    page.type,
    sorted(str(child.type) for child in cache.CachedElement.select().where(cache.CachedElement.parent_id == page.id)),
    [[text.text, text.orientation] for text in page.transcriptions],
    [[entity.type, entity.offset, entity.length] for text in page.transcriptions
     for entity in text.transcription_entities],
    sorted(label.class_name for label in page.classifications),
]))
"""


def square(number: int) -> list[tuple[int, int]]:
    return [(number, 0), (number, 10), (number + 10, 10)]


RESULTS = [
    *(Child(type="text_line", name=str(n), polygon=square(n), confidence=0.5) for n in range(2)),
    *(
        Child(
            type="paragraph",
            polygon=square(n),
            confidence=0.25,
            results=[Transcription(text="Paris", confidence=1)],
        )
        for n in range(3)
    ),
    Transcription(
        text="Lyon",
        confidence=0.5,
        orientation="vertical-lr",
        entities=[Entity(type="place", offset=1, length=2, confidence=0.5)],
    ),
    *(Classification(class_name=name, confidence=0.5) for name in "ab"),
    Update(type="paragraph", polygon=square(7), rotation_angle=90, mirrored=True, confidence=0.125),
]


class Twin:
    """An emulator with one page, which a cache has as an initial element, and a worker run."""

    def __init__(self, emulator: Emulator, path: Path) -> None:
        self.emulator = emulator
        self.corpus = emulator.add_corpus()
        emulator.add_element("page", "Page", id=PAGE, image=(1000, 1400))
        self.run = emulator.add_worker_run(elements=[PAGE], activity_state="disabled")
        self.client = Client(Connection(url=emulator.url, token=emulator.token))
        self.page = Element.from_api(self.client.request("RetrieveElement", id=PAGE))
        self.path = path
        engine = open_cache(path, create=True)
        with session_scope(engine) as session:
            image = self.page.image
            values = {"id": image.id, "width": image.width, "height": image.height, "url": "https://iiif.test/page"}
            session.add(CachedImage(**values))
            session.flush()
            polygon = [list(point) for point in self.page.polygon]
            session.add(CachedElement(id=PAGE, type="page", image_id=image.id, polygon=polygon, initial=True))
        engine.dispose()

    def rows(self) -> list[Any]:
        """All rows, with the run and the things that Arkindex made named by what they are."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            found = {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in TABLES}
        names = {UUID(self.run).hex: "run", UUID(PAGE).hex: "page"}
        for row in found["elements"]:
            row["polygon"] = read_points(row["polygon"])
            names.setdefault(row["id"], f"{row['type']} {row['polygon']}")
        names |= {row["id"]: "image" for row in found["images"]}
        names |= {row["id"]: f"{row['text']} on {names[row['element_id']]}" for row in found["transcriptions"]}
        names |= {row["id"]: row["class_name"] for row in found["classifications"]}
        return sorted(
            json.dumps([table, {key: names.get(str(value), value) for key, value in row.items()}])
            for table, rows in found.items()
            for row in rows
        )


def run(python: Path, code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [python, "-c", code, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "local cache" not in done.stderr
    return done.stdout


def publish(twin: Twin) -> None:
    engine = open_cache(twin.path)
    outbox = Outbox(partial(session_scope, engine))
    publisher = ArkindexPublisher(twin.client, worker_run_id=twin.run, corpus_id=twin.corpus, outbox=outbox)
    publisher.publish(twin.page, RESULTS)
    assert outbox.flush() == {}
    engine.dispose()
    twin.client.close()


def test_the_same_results_make_the_same_rows(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """In every table and column, but for the ids, which are those of each Arkindex."""
    with Emulator() as theirs, Emulator() as ours:
        published, own = Twin(theirs, tmp_path / "theirs.sqlite"), Twin(ours, tmp_path / "ours.sqlite")
        environment = theirs.environment(published.run) | {"HOME": str(tmp_path)}
        environment.pop("PONOS_TASK")  # the cache is given
        environment["PONOS_DATA"] = str(tmp_path)
        (tmp_path / "current").mkdir()

        run(peer("base-worker-0.5.1"), WORKER, "--database", str(published.path), **environment)
        publish(own)

        published.client.close()
    assert own.rows() == published.rows()


def test_a_child_task_of_the_published_library_sees_the_results(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """It merges the file, and its models read every row."""
    with Emulator() as emulator:
        twin = Twin(emulator, tmp_path / "db.sqlite")
        publish(twin)
    parent = tmp_path / "parent.sqlite"
    shutil.copy(twin.path, parent)

    seen = run(peer("base-worker-0.5.1"), READ, str(parent), str(tmp_path / "child.sqlite"), PAGE, HOME=str(tmp_path))

    assert json.loads(seen) == [
        "paragraph",
        ["paragraph"] * 3 + ["text_line"] * 2,
        [["Lyon", "vertical-lr"]],
        [["place", 1, 2]],
        ["a", "b"],
    ]
