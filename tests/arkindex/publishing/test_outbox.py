"""Accepted results in a real cache, with the ids that an emulated Arkindex gave."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from arkworker.arkindex.publishing.outbox import Outbox
from arkworker.arkindex.publishing.publisher import SummarizingPublisher
from arkworker.elements.model import Element
from arkworker.elements.results import Child, Classification, Entity, Metadata, On, Transcription, Update
from arkworker.elements.stored import StoredTranscription
from arkworker.emulator import Fault
from arkworker.errors import PublicationError
from arkworker.storage.cache import find_parent_caches, merge, open_cache, session_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.arkindex.publishing.conftest import Site

SQUARE = [(0, 0), (0, 10), (10, 10)]
ENTITIES = [
    Entity(type="place", offset=0, length=5, confidence=0.5),
    Entity(type="place", offset=1, length=2),
    Entity(type="person", offset=1, length=2),
]
TEXT = Transcription(text="Paris", confidence=0.25, orientation="vertical-lr", entities=ENTITIES)
ALL = [
    TEXT,
    Classification(class_name="letter", confidence=0.5),
    Metadata(type="text", name="a", value="b"),
    Child(
        type="text_line",
        polygon=SQUARE,
        confidence=0.75,
        results=[TEXT, *(Classification(class_name=name, confidence=0.5) for name in "ab")],
    ),
    Child(type="paragraph", name="x", polygon=SQUARE, results=[Child(type="text_line", polygon=SQUARE)]),
    Child(type="paragraph", name="plain"),
    Update(rotation_angle=90, type="paragraph"),
]


class Cache:
    """A file, and its rows as SQLite has them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = open_cache(path, create=True)
        self.sessions = partial(session_scope, self.engine)
        self.outbox = Outbox(self.sessions)

    def rows(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]

    def counts(self) -> dict[str, int]:
        tables = ("images", "elements", "transcriptions", "classifications", "transcription_entities")
        return {table: len(self.rows(table)) for table in tables}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(tmp_path / "db.sqlite")
    yield made
    made.engine.dispose()


def test_what_arkindex_accepted_is_in_the_cache_under_its_ids(site: Site, cache: Cache) -> None:
    """The element and its image too, since the others refer to them."""
    site.publisher(outbox=cache.outbox).publish(site.page, ALL)

    failures = cache.outbox.flush()

    children = {UUID(child["id"]).hex for child in site.get("ListElementChildren", id=site.page.id, recursive=True)}
    texts = {UUID(text["id"]).hex for text in site.get("ListTranscriptions", id=site.page.id, recursive=True)}
    classes = site.client.request("RetrieveElement", id=site.page.id)["classifications"]
    assert failures == {}
    assert {row["id"] for row in cache.rows("elements")} == {UUID(site.page.id).hex, *children}
    assert {row["id"] for row in cache.rows("transcriptions")} == texts
    assert UUID(classes[0]["id"]).hex in {row["id"] for row in cache.rows("classifications")}
    assert cache.counts() == {
        "images": 1,
        "elements": 5,
        "transcriptions": 2,
        "classifications": 3,
        "transcription_entities": 4,
    }


def test_rows_are_signed_and_placed(site: Site, cache: Cache) -> None:
    """Below their parent, on its image, signed by the worker run, and never initial."""
    site.publisher(outbox=cache.outbox).publish(site.page, ALL)

    cache.outbox.flush()

    page, *below = cache.rows("elements")
    (line,) = (row for row in below if row["confidence"] == 0.75)
    image = site.page.image.id
    assert image is not None
    assert line == {
        "id": line["id"],
        "parent_id": page["id"],
        "type": "text_line",
        "image_id": UUID(image).hex,
        "polygon": "[[0, 0], [0, 10], [10, 10]]",
        "rotation_angle": 0,
        "mirrored": 0,
        "initial": 0,
        "worker_version_id": None,
        "worker_run_id": UUID(site.run).hex,
        "confidence": 0.75,
    }
    assert (page["type"], page["rotation_angle"], page["initial"], page["worker_run_id"]) == ("paragraph", 90, 0, None)
    assert [row["image_id"] for row in below].count(None) == 1  # the child without an outline


def test_an_image_of_its_own_is_not_in_the_cache(site: Site, cache: Cache) -> None:
    """All that is known of it is its id, and the schema wants more; its outline is kept."""
    image = site.emulator.add_image((50, 50))
    child = Child(type="page", image=image, polygon=SQUARE, results=[Child(type="text_line", polygon=SQUARE)])
    site.publisher(outbox=cache.outbox).publish(site.page, [child])

    failures = cache.outbox.flush()

    assert failures == {}
    assert [(row["image_id"], row["polygon"]) for row in cache.rows("elements")[1:]] == [
        (None, "[[0, 0], [0, 10], [10, 10]]")
    ] * 2


def test_one_entity_of_each_type_is_kept(site: Site, cache: Cache) -> None:
    """The schema has no room for more; the first stays."""
    site.publisher(outbox=cache.outbox).publish(site.page, [TEXT])

    cache.outbox.flush()

    kept = [(row["type"], row["offset"], row["length"]) for row in cache.rows("transcription_entities")]
    assert kept == [("place", 0, 5), ("person", 1, 2)]


def test_what_is_in_the_cache_stays_as_it_is(site: Site, cache: Cache) -> None:
    """An element that the task was started on is still one after results are published on it."""
    with cache.sessions() as session:
        from arkworker.storage.cache import CachedElement

        session.add(CachedElement(id=site.page.id, type="page", initial=True))
    site.publisher(outbox=cache.outbox).publish(site.page, [TEXT])

    cache.outbox.flush()

    assert [(row["id"], row["initial"]) for row in cache.rows("elements")] == [(UUID(site.page.id).hex, 1)]


def test_after_a_failure_the_cache_has_what_was_accepted(site: Site, cache: Cache) -> None:
    """No more and no less."""
    site.emulator.faults.add("CreateClassification", Fault.answer(400))
    results = [Child(type="text_line", polygon=SQUARE, results=[TEXT]), Classification(class_name="a", confidence=1)]

    with pytest.raises(PublicationError):
        site.publisher(outbox=cache.outbox).publish(site.page, [*results, Update(type="paragraph")])
    cache.outbox.flush()

    assert cache.counts() == {
        "images": 1,
        "elements": 2,
        "transcriptions": 1,
        "classifications": 0,
        "transcription_entities": 2,
    }
    assert cache.rows("elements")[0]["type"] == "page"


def test_a_classification_that_was_there_needs_no_row(site: Site, cache: Cache) -> None:
    """The others of its request are made one by one, and have theirs."""
    labels = [Classification(class_name=name, confidence=1) for name in "abc"]
    site.publisher().publish(site.page, labels[1:2])

    site.publisher(outbox=cache.outbox).publish(site.page, labels)
    cache.outbox.flush()

    assert [row["class_name"] for row in cache.rows("classifications")] == ["a", "c"]


def test_results_that_do_not_fit_say_that_they_are_published(site: Site, cache: Cache) -> None:
    """That element fails; the rows of others are written."""
    lost = site.page.model_copy(update={"id": "no-uuid"})
    publisher = SummarizingPublisher(cache.outbox)
    publisher.publish(lost, [TEXT])
    publisher.publish(site.page, [TEXT])

    failures = cache.outbox.flush()

    assert {key: str(error) for key, error in failures.items()} == {
        "no-uuid": "its results are on Arkindex, but could not be written to the cache: "
        "badly formed hexadecimal UUID string"
    }
    assert [row["id"] for row in cache.rows("elements")] == [UUID(site.page.id).hex]


def test_the_results_of_an_element_are_one_transaction(site: Site, cache: Cache) -> None:
    """A locked database keeps out all of them, and says why."""
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON transcription_entities BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
    site.publisher(outbox=cache.outbox).publish(site.page, ALL)

    failures = cache.outbox.flush()

    assert str(failures[site.page.id]).endswith("could not be written to the cache: full")
    assert sum(cache.counts().values()) == 0


def test_in_developer_mode_the_cache_gets_ids_of_its_own(
    site: Site, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    """The next worker at the desk sees the results; the log says that Arkindex does not."""
    with caplog.at_level(logging.INFO):
        SummarizingPublisher(cache.outbox).publish(site.page, ALL)
    cache.outbox.flush()

    assert cache.counts()["transcriptions"] == 2
    assert all(row["worker_run_id"] is None for row in cache.rows("transcriptions"))
    assert "the cache gets them, with ids that Arkindex does not know" in caplog.text
    assert site.calls() == {}


def test_a_child_task_takes_the_rows_over(site: Site, cache: Cache, tmp_path: Path) -> None:
    """The file passes every check of a merge."""
    site.publisher(outbox=cache.outbox).publish(site.page, ALL)
    cache.outbox.flush()
    cache.engine.dispose()
    parent = tmp_path / "tasks" / "parent"
    parent.mkdir(parents=True)
    cache.path.rename(parent / "db.sqlite")

    merge(find_parent_caches(tmp_path / "tasks", ["parent"], None), tmp_path / "db.sqlite")

    assert cache.counts()["transcription_entities"] == 4


def test_another_process_is_told_that_nothing_is_cached(
    site: Site, cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was forked from the worker's; what it publishes is on Arkindex nevertheless."""
    publisher = site.publisher(outbox=cache.outbox)
    monkeypatch.setattr(os, "getpid", lambda: 1)

    publisher.publish(site.page, [TEXT])
    cache.outbox.flush()

    assert cache.counts()["transcriptions"] == 0
    assert "the cache does not get results that are published outside of the worker's own process" in caplog.text


def test_an_abandoned_outbox_says_so() -> None:
    """Where user code does not come back, nothing can be written any more."""
    outbox = Outbox(lambda: pytest.fail("no session is made"))
    page = Element.model_validate({"id": str(uuid4()), "type": "page"})
    SummarizingPublisher(outbox).publish(page, [TEXT])

    failures = outbox.abandon()

    assert str(failures[page.id]).endswith("the run ended first")
    assert outbox.flush() == {}


def stored_text(site: Site, element_id: str) -> StoredTranscription:
    body = {"text": "Paris", "confidence": 1.0, "orientation": "horizontal-lr"}
    answer = site.client.request("CreateTranscription", body, id=element_id)
    return StoredTranscription(id=answer["id"], text="Paris", confidence=1.0, element_id=element_id)


def test_what_is_on_other_elements_is_in_the_cache(site: Site, cache: Cache) -> None:
    """With these elements, which others refer to, and with what changed of them."""
    line = Element(id=site.emulator.add_element("text_line", "1", parent=site.page.id), type="text_line")
    bare = Element(id=site.emulator.add_element("text_line", "2", parent=site.page.id), type="text_line")
    note = Metadata(type="text", name="a", value="b")

    site.publisher(outbox=cache.outbox).publish(
        site.page, [On(line, [TEXT, Update(rotation_angle=90)]), On(bare, note)]
    )

    assert cache.outbox.flush() == {}
    assert {row["id"]: row["rotation_angle"] for row in cache.rows("elements")} == {
        UUID(site.page.id).hex: 0,
        UUID(line.id).hex: 90,
    }
    assert [row["element_id"] for row in cache.rows("transcriptions")] == [UUID(line.id).hex]
    assert len(cache.rows("transcription_entities")) == 2


def test_entities_of_stored_texts_are_in_a_cache_that_has_the_text(site: Site, cache: Cache) -> None:
    """One on the processed element gets there with it; one on an element that the cache does not have is left out."""
    other = site.emulator.add_element("page", "Other")
    texts = [stored_text(site, site.page.id), stored_text(site, other)]

    site.publisher(outbox=cache.outbox).publish(site.page, [On(text, ENTITIES) for text in texts])

    assert cache.outbox.flush() == {}
    assert {row["id"] for row in cache.rows("transcriptions")} == {UUID(texts[0].id).hex}
    assert {row["transcription_id"] for row in cache.rows("transcription_entities")} == {UUID(texts[0].id).hex}
