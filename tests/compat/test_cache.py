"""Caches go back and forth between this library and the published one, and merge to the same rows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError
from arkworker.storage.cache import (
    CachedClassification,
    CachedDataset,
    CachedDatasetElement,
    CachedElement,
    CachedImage,
    CachedTranscription,
    CachedTranscriptionEntity,
    merge,
    open_cache,
    session_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.compat

TABLES = ("images", "elements", "transcriptions", "classifications", "datasets", "dataset_elements")

# Writes one row of each table from a seed, through the models of the published library.
WRITE = """
import sys, uuid
from arkindex_worker import cache
path, seed = sys.argv[1], int(sys.argv[2])
cache.init_cache_db(path); cache.create_version_table(); cache.create_tables()
new = lambda number: uuid.UUID(int=seed * 1000 + number)
image = cache.CachedImage.create(id=new(1), width=10, height=20, url="https://iiif.test/é")
for number in range(2, 5):
    element = cache.CachedElement.create(
        id=uuid.UUID(int=number), type=f"page {seed}", image=image, polygon=[[0, 0], [seed, 5], [9, 9]], initial=True,
        worker_run_id=new(7), parent_id=new(8), confidence=0.25, rotation_angle=90, mirrored=bool(seed % 2),
    )
text = cache.CachedTranscription.create(id=new(9), element=element, text="ça", orientation="horizontal-lr")
cache.CachedClassification.create(id=new(10), element=element, class_name="a", confidence=1.0, state="pending")
dataset = cache.CachedDataset.create(id=new(11), name="d", state="open", sets="train")
cache.CachedDatasetElement.create(id=new(12), element=element, dataset=dataset, set_name="train")
if hasattr(cache, "CachedEntity"):
    entity = cache.CachedEntity.create(id=new(13), type="person", name="x")
    cache.CachedTranscriptionEntity.create(transcription=text, entity=entity, offset=1, length=2)
else:
    cache.CachedTranscriptionEntity.create(transcription=text, type="person", offset=1, length=2)
    # As the published library leaves an element that it has updated.
    cache.CachedElement.update(polygon=str([[1, 2], [3, 4]])).where(cache.CachedElement.id == element.id).execute()
cache.db.close()
"""
MERGE = """
import sys
from pathlib import Path
from arkindex_worker import cache
path = Path(sys.argv[1])
cache.init_cache_db(path); cache.create_version_table(); cache.create_tables()
cache.merge_parents_cache([Path(parent) for parent in sys.argv[2:]], path)
cache.db.close()
"""
READ = """
import json, sys
from playhouse.shortcuts import model_to_dict
from arkindex_worker import cache
cache.check_version(sys.argv[1])
cache.init_cache_db(sys.argv[1])
def rows_of(model):
    keys = model._meta.sorted_fields[:2]
    return [model_to_dict(row, recurse=False) for row in model.select().order_by(*keys)]
rows = {model._meta.table_name: rows_of(model) for model in cache.MODELS}
cache.CachedElement.update(mirrored=True).execute()
cache.db.close()
print(json.dumps(rows, default=str))
"""


def run(python: Path, script: str, *arguments: object) -> str:
    command = [str(python), "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rows_of(path: Path, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables}


def test_a_published_cache_opens_here(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """Every row is read by the typed models, an updated polygon too."""
    path = tmp_path / "db.sqlite"
    run(peer("base-worker-0.5.1"), WRITE, path, 1)
    engine = open_cache(path)
    with session_scope(engine) as session:
        elements = session.query(CachedElement).order_by(CachedElement.id).all()
        assert [element.polygon for element in elements] == [[[0, 0], [1, 5], [9, 9]]] * 2 + [[[1, 2], [3, 4]]]
        assert elements[0].image == session.query(CachedImage).one()
        assert elements[2].transcriptions[0].transcription_entities[0].type == "person"
        assert elements[2].classifications == session.query(CachedClassification).all()
        assert session.query(CachedDatasetElement).one().dataset == session.query(CachedDataset).one()
        session.add(CachedImage(id=uuid.uuid4(), width=1, height=2, url="u"))
    engine.dispose()


def test_a_cache_of_ours_opens_there(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """The published library checks its version, reads every row with its models, and writes to it."""
    path, identity = tmp_path / "db.sqlite", uuid.uuid4()
    engine = open_cache(path, create=True)
    with session_scope(engine) as session:
        image = CachedImage(id=uuid.uuid4(), width=1, height=2, url="u")
        element = CachedElement(id=identity, type="page", image=image, polygon=[[0, 0], [1, 2.5]], initial=True)
        text = CachedTranscription(id=uuid.uuid4(), element=element, text="ç", orientation="horizontal-lr")
        session.add(CachedTranscriptionEntity(transcription=text, type="person", offset=0, length=1))
    engine.dispose()
    found = json.loads(run(peer("base-worker-0.5.1"), READ, path))
    assert (found["elements"][0]["id"], found["elements"][0]["polygon"]) == (str(identity), [[0, 0], [1, 2.5]])
    assert (found["elements"][0]["initial"], found["elements"][0]["mirrored"]) == (True, False)
    assert (found["images"][0]["version"], found["transcriptions"][0]["text"]) == (2, "ç")
    engine = open_cache(path)
    with session_scope(engine) as session:
        assert session.query(CachedElement).one().mirrored is True
    engine.dispose()


def test_both_merge_to_the_same_rows(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """Same parents, same order, same rows, byte by byte, where ids meet too."""
    python = peer("base-worker-0.5.1")
    parents = [tmp_path / f"{seed}.sqlite" for seed in (1, 2, 3)]
    for seed, parent in enumerate(parents, 1):
        run(python, WRITE, parent, seed)
    report = merge(parents, tmp_path / "ours.sqlite")
    run(python, MERGE, tmp_path / "theirs.sqlite", *parents)
    tables = (*TABLES, "transcription_entities")
    assert rows_of(tmp_path / "ours.sqlite", *tables) == rows_of(tmp_path / "theirs.sqlite", *tables)
    assert report.conflicts == 6
    merge([tmp_path / "theirs.sqlite"], tmp_path / "again.sqlite")
    assert rows_of(tmp_path / "again.sqlite", *tables) == rows_of(tmp_path / "theirs.sqlite", *tables)


def test_a_merge_of_ours_is_read_there(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """And taken as a parent by the published library."""
    python = peer("base-worker-0.5.1")
    run(python, WRITE, tmp_path / "1.sqlite", 1)
    merge([tmp_path / "1.sqlite"], tmp_path / "ours.sqlite")
    run(python, MERGE, tmp_path / "theirs.sqlite", tmp_path / "ours.sqlite")
    assert rows_of(tmp_path / "theirs.sqlite", *TABLES) == rows_of(tmp_path / "ours.sqlite", *TABLES)


def test_version_3_merges_to_the_rows_of_its_own_library(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """With the version of the image protocol added, and the type of the entity in place of its id."""
    python = peer("base-worker-0.3.7")
    parents = [tmp_path / f"{seed}.sqlite" for seed in (1, 2)]
    for seed, parent in enumerate(parents, 1):
        run(python, WRITE, parent, seed)
    merge(parents, tmp_path / "ours.sqlite")
    run(python, MERGE, tmp_path / "theirs.sqlite", *parents)
    ours, theirs = (rows_of(tmp_path / name, *TABLES) for name in ("ours.sqlite", "theirs.sqlite"))
    theirs["images"] = [(*row, 2) for row in theirs["images"]]
    assert ours == theirs
    entities = rows_of(tmp_path / "ours.sqlite", "transcription_entities")["transcription_entities"]
    assert [row[1:4] for row in entities] == [("person", 1, 2)] * 2


def test_version_3_is_refused_where_it_cannot_be_opened(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """`-d` takes version 5 only, as the published library does; its 0.5.1 does not even merge version 3."""
    run(peer("base-worker-0.3.7"), WRITE, tmp_path / "3.sqlite", 1)
    with pytest.raises(CacheError, match="is of version 3"):
        open_cache(tmp_path / "3.sqlite")
    with pytest.raises(subprocess.CalledProcessError):
        run(peer("base-worker-0.5.1"), MERGE, tmp_path / "out.sqlite", tmp_path / "3.sqlite")
