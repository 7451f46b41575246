"""The cache: merging the parents, writing rows, reading them; the limit is raw `sqlite3`, with the same checks.

A parent has 50,000 elements, 50,000 transcriptions and 20,000 classifications. The published library is 0.5.1, the last
with a cache, which checks nothing.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
import uuid
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from arkworker.storage.cache import merge
from benchmarks.harness import LAST_WITH_CACHE, MOST_MEMORY, Case, Place, Row, execute, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.harness import Measure

ELEMENTS, CLASSIFICATIONS, CHILDREN = 50_000, 20_000, 49

TIMED = f"""
import json, os, shutil, sqlite3, sys, time, uuid
from pathlib import Path
{MOST_MEMORY}
def measure(call):
    before, start = most_memory(), time.perf_counter()
    call()
    print(time.perf_counter() - start, most_memory() - before)
directory = Path(sys.argv[1])
output = directory / "output.sqlite"
rows_file = directory / sys.argv[2]
parents = sorted(directory.glob("parent-*.sqlite"))
pages = json.loads((directory / "pages.json").read_text())
run = uuid.UUID(int=7)
columns = (
    "id, parent_id, type, image_id, polygon, rotation_angle, mirrored, initial, worker_version_id, worker_run_id, "
    "confidence"
)
"""
# As our own merge: the structure of the parents before, structure and references of the result after, and the disk.
RAW_MERGE = """
def check(path, *names):
    with sqlite3.connect(path) as connection:
        for name in names:
            assert connection.execute(f"PRAGMA {name}").fetchall() in ([("ok",)], [])
    connection.close()
def sync(path):
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
def merge(sources):
    for source in sources:
        check(source, "quick_check")
    if len(sources) == 1:
        shutil.copyfile(sources[0], output)
    else:
        attach(sources)
    check(output, "quick_check", "foreign_key_check")
    sync(output)
def attach(sources):
    connection = sqlite3.connect(output)
    with sqlite3.connect(sources[0]) as source:
        for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"):
            connection.execute(sql)
        tables = [name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.execute("PRAGMA synchronous=OFF")
    for path in sources:
        connection.execute("ATTACH ? AS source", (str(path),))
        for table in tables:
            names = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})"))
            connection.execute(f"REPLACE INTO main.{table} ({names}) SELECT {names} FROM source.{table}")
        connection.commit()
        connection.execute("DETACH source")
    connection.close()
"""
PEER_MERGE = """
from arkindex_worker import cache
def merge(sources):
    cache.init_cache_db(output)
    cache.create_version_table()
    cache.create_tables()
    cache.merge_parents_cache(sources, output)
"""
OUR_MERGE = """
import arkworker.storage.cache as cache
merge = lambda sources: cache.merge(sources, output)
"""
RAW_ROWS = """
connection = sqlite3.connect(rows_file)
def read(condition="", parameters=()):
    found = connection.execute(f"SELECT {columns} FROM elements {condition}", parameters)
    return [(*row[:4], row[4] and json.loads(row[4]), *row[5:]) for row in found]
"""
OUR_ROWS = """
from sqlalchemy import insert, select
from arkworker.storage.cache import CachedElement, open_cache, session_scope
engine = open_cache(rows_file, create=True)
"""
PEER_ROWS = """
from arkindex_worker import cache
from arkindex_worker.cache import CachedElement
cache.init_cache_db(rows_file)
"""
ROW = """
points = [[10, 20], [910, 20], [910, 80], [10, 80], [10, 20]]
row = lambda: dict(
    id=uuid.uuid4(), parent_id=run, type="text_line", image_id=None, polygon=points, rotation_angle=0, mirrored=False,
    initial=False, worker_version_id=None, worker_run_id=run, confidence=0.5,
)
rows = [row() for _ in range(50_000)]
"""
RAW_WRITE = """
def values(row):
    return (
        row["id"].hex, row["parent_id"].hex, row["type"], None, json.dumps(row["polygon"]), 0, False, False, None,
        row["worker_run_id"].hex, row["confidence"],
    )
def write():
    connection.executemany(f"INSERT INTO elements ({columns}) VALUES ({', '.join('?' * 11)})", map(values, rows))
    connection.commit()
"""
OUR_WRITE = """
def write(target):
    with session_scope(engine) as session:
        for start in range(0, len(rows), 2000):
            session.execute(insert(target), rows[start : start + 2000])
"""
PEER_WRITE = """
from peewee import chunked
for each in rows:
    each["image"] = each.pop("image_id")
def write():
    with cache.db.atomic():
        for batch in chunked(rows, 2000):
            CachedElement.insert_many(batch).execute()
"""
OUR_READ = """
def read(statement, objects):
    with session_scope(engine) as session:
        return session.scalars(statement).all() if objects else session.execute(statement).all()
table = CachedElement.__table__
children = select(CachedElement).where(CachedElement.parent_id.is_not(None))
child_rows = select(table).where(table.c.parent_id.is_not(None))
def read_pages(objects):
    with session_scope(engine) as session:
        for page in pages:
            if objects:
                session.scalars(select(CachedElement).where(CachedElement.parent_id == page)).all()
            else:
                session.execute(select(table).where(table.c.parent_id == page)).all()
"""
PEER_READ = "children = CachedElement.select().where(CachedElement.parent_id.is_null(False))\n"
PEER_PAGES = "[list(CachedElement.select().where(CachedElement.parent_id == page)) for page in pages]"
RAW_PAGES = "[read('WHERE parent_id = ?', (page,)) for page in pages]"

# Per case: how many rows, which file they are in, and the script of each subject.
SUBJECTS: dict[str, tuple[int, str, dict[str, str]]] = {
    name: (
        count * (2 * ELEMENTS + CLASSIFICATIONS + ELEMENTS // (CHILDREN + 1)),
        "output.sqlite",
        {
            "limit": f"{RAW_MERGE}\nmeasure(lambda: merge({sources}))",
            "arkworker": f"{OUR_MERGE}\nmeasure(lambda: merge({sources}))",
            "published": f"{PEER_MERGE}\nmeasure(lambda: merge({sources}))",
        },
    )
    for name, count, sources in (("merge-four", 4, "parents"), ("merge-one", 1, "parents[:1]"))
} | {
    "write-rows": (
        50_000,
        "output.sqlite",
        {
            "limit": f"{RAW_ROWS}{ROW}{RAW_WRITE}\nmeasure(write)",
            "objects": f"{OUR_ROWS}{ROW}{OUR_WRITE}\nmeasure(lambda: write(CachedElement))",
            "rows": f"{OUR_ROWS}{ROW}{OUR_WRITE}\nmeasure(lambda: write(CachedElement.__table__))",
            "published": f"{PEER_ROWS}{ROW}{PEER_WRITE}\nmeasure(write)",
        },
    ),
    "read-rows": (
        ELEMENTS // (CHILDREN + 1) * CHILDREN,
        "children.sqlite",
        {
            "limit": f"{RAW_ROWS}\nmeasure(lambda: read('WHERE parent_id IS NOT NULL'))",
            "objects": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read(children, True))",
            "rows": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read(child_rows, False))",
            "published": f"{PEER_ROWS}{PEER_READ}\nmeasure(lambda: list(children))",
        },
    ),
    "read-pages": (
        100 * CHILDREN,
        "children.sqlite",
        {
            "limit": f"{RAW_ROWS}\nmeasure(lambda: {RAW_PAGES})",
            "objects": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read_pages(True))",
            "rows": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read_pages(False))",
            "published": f"{PEER_ROWS}\nmeasure(lambda: {PEER_PAGES})",
        },
    ),
}


def make_caches(folder: Path) -> None:
    """Four parents, one that is read from, and an empty one."""
    for number in range(4):
        make_cache(folder / f"parent-{number}.sqlite", number)
    pages = make_cache(folder / "children.sqlite", 9)
    (folder / "pages.json").write_text(json.dumps(pages[:100]))
    merge([], folder / "empty.sqlite")


def make_cache(path: Path, seed: int) -> list[str]:
    """Write a cache as a task leaves it, and return the ids of its pages."""
    merge([], path)
    rng = random.Random(seed)
    images = [new_id(rng) for _ in range(ELEMENTS // (CHILDREN + 1))]
    pages = {new_id(rng): image for image in images}
    elements = [row for page, image in pages.items() for row in make_page(rng, page, image)]
    with closing(sqlite3.connect(path)) as connection:
        fill(connection, "images", [(image, 2000, 3000, f"https://iiif.test/{image}", 2) for image in images])
        fill(connection, "elements", elements)
        text, run = "Le dix-neuvième jour du mois de mai mil huit cent", new_id(rng)
        texts = [(new_id(rng), row[0], text, rng.random(), "horizontal-lr", None, run) for row in elements]
        fill(connection, "transcriptions", texts)
        classes = [(new_id(rng), row[0], "handwritten", rng.random(), "pending", run) for row in elements]
        fill(connection, "classifications", classes[:CLASSIFICATIONS])
        connection.commit()
    return list(pages)


def make_page(rng: random.Random, page: str, image: str) -> list[tuple[Any, ...]]:
    """A page and its lines, as rows."""
    rows: list[tuple[Any, ...]] = [(page, None, "page", image, box(0, 0, 2000, 3000), 0, 0, 1, None, None, None)]
    for _ in range(CHILDREN):
        x, y = rng.randrange(1000), rng.randrange(2900)
        line = box(x, y, x + 900, y + 60)
        rows.append((new_id(rng), page, "text_line", image, line, 0, 0, 0, None, page, rng.random()))
    return rows


def box(left: int, top: int, right: int, bottom: int) -> str:
    return json.dumps([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])


def new_id(rng: random.Random) -> str:
    return uuid.UUID(int=rng.getrandbits(128)).hex


def fill(connection: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def work(python: str, script: str, count: int, file: str, caches: Path) -> tuple[float, float]:
    """Thousands of rows a second, and growth of memory in MiB; the start of Python is left out."""
    output = caches / "output.sqlite"
    output.unlink(missing_ok=True)
    if "def write" in script:
        shutil.copyfile(caches / "empty.sqlite", output)
    seconds, growth = numbers(execute([python, "-c", TIMED + script, str(caches), file], caches))
    return count / 1000 / seconds, growth


def prepare(place: Place, case: str) -> Mapping[str, Measure]:
    """The caches, which all cases share, and the subjects of one case."""
    caches = place.once("caches", make_caches)
    count, file, scripts = SUBJECTS[case]
    return {
        name: partial(
            work, str(LAST_WITH_CACHE) if name == "published" else sys.executable, script, count, file, caches
        )
        for name, script in scripts.items()
    }


def both(
    title: str, unit: str, goals: tuple[str, str], ways: tuple[str, str] = ("as objects", "as rows")
) -> tuple[Row, Row]:
    """Through the class of the elements and through its table, beside the same limit."""
    return (
        Row(f"{title}, {ways[0]}", unit, "limit", goals[0], ours="objects"),
        Row(f"{title}, {ways[1]}", unit, "limit", goals[1], ours="rows"),
    )


UNIT = "1000 rows/s"
CASES = [
    Case(name, rows, partial(prepare, case=name))
    for name, rows in {
        "merge-four": (Row("merge 4 parents", UNIT, goal="1.30"),),
        "merge-one": (Row("take 1 parent", UNIT, goal="1.00"),),
        "write-rows": both("write 50,000 rows", UNIT, ("0.70", "0.70"), ("by class", "by table")),
        "read-rows": both("read 49,000 children", UNIT, ("0.50", "0.80")),
        "read-pages": both("read the children of 100 pages", UNIT, ("0.50", "0.80")),
    }.items()
]
