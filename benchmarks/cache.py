"""The cache: arkworker, raw `sqlite3` and the published library, on the same work, in one run.

`python benchmarks/cache.py [ROUNDS]` merges 4 parents and 1 parent of 50,000 elements, 50,000 transcriptions and 20,000
classifications, writes 50,000 rows, reads 50,000 children, and reads the 49 children of each of 100 pages. It prints
the medians, the speed against raw `sqlite3` and the growth of memory. The subjects take turns, so that they meet the
same noise. The published library (0.5.1, the last with a cache) is there after `make compat`; it checks nothing.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.5.1" / "bin" / "python"
ROUNDS = 7
ELEMENTS, CLASSIFICATIONS, CHILDREN = 50_000, 20_000, 49

TIMED = """
import json, os, re, shutil, sqlite3, sys, time, uuid
from pathlib import Path
def most_memory():
    # Not ru_maxrss, which starts with that of the parent process.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
def measure(call):
    before, start = most_memory(), time.perf_counter()
    call()
    print(time.perf_counter() - start, most_memory() - before)
directory = Path(sys.argv[1])
output = directory / "output.sqlite"
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
connection = sqlite3.connect(output if "--write" in sys.argv else directory / "children.sqlite")
def read(condition="", parameters=()):
    found = connection.execute(f"SELECT {columns} FROM elements {condition}", parameters)
    return [(*row[:4], row[4] and json.loads(row[4]), *row[5:]) for row in found]
"""
OUR_ROWS = """
from sqlalchemy import insert, select
from arkworker.storage.cache import CachedElement, open_cache, session_scope
engine = open_cache(output if "--write" in sys.argv else directory / "children.sqlite", create=True)
"""
PEER_ROWS = """
from arkindex_worker import cache
from arkindex_worker.cache import CachedElement
cache.init_cache_db(output if "--write" in sys.argv else directory / "children.sqlite")
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
def write():
    with session_scope(engine) as session:
        for start in range(0, len(rows), 2000):
            session.execute(insert(CachedElement), rows[start : start + 2000])
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

# Per task, the script of each subject; raw sqlite3 is what the others are held against.
TASKS: dict[str, dict[str, str]] = {
    f"merge {name}": {
        "sqlite3": f"{RAW_MERGE}\nmeasure(lambda: merge({sources}))",
        "arkworker": f"{OUR_MERGE}\nmeasure(lambda: merge({sources}))",
        "published": f"{PEER_MERGE}\nmeasure(lambda: merge({sources}))",
    }
    for name, sources in (("4 parents", "parents"), ("1 parent", "parents[:1]"))
} | {
    "write 50,000 rows": {
        "sqlite3": f"{RAW_ROWS}{ROW}{RAW_WRITE}\nmeasure(write)",
        "arkworker": f"{OUR_ROWS}{ROW}{OUR_WRITE}\nmeasure(write)",
        "published": f"{PEER_ROWS}{ROW}{PEER_WRITE}\nmeasure(write)",
    },
    "read 50,000 children": {
        "sqlite3": f"{RAW_ROWS}\nmeasure(lambda: read('WHERE parent_id IS NOT NULL'))",
        "arkworker, objects": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read(children, True))",
        "arkworker, rows": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read(child_rows, False))",
        "published": f"{PEER_ROWS}{PEER_READ}\nmeasure(lambda: list(children))",
    },
    "read 100 pages": {
        "sqlite3": f"{RAW_ROWS}\nmeasure(lambda: {RAW_PAGES})",
        "arkworker, objects": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read_pages(True))",
        "arkworker, rows": f"{OUR_ROWS}{OUR_READ}\nmeasure(lambda: read_pages(False))",
        "published": f"{PEER_ROWS}\nmeasure(lambda: {PEER_PAGES})",
    },
}


@dataclass
class Figures:
    """What the rounds of one subject took."""

    seconds: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)


def make_cache(path: Path, seed: int) -> list[str]:
    """Write a cache as a task leaves it, and return the ids of its pages."""
    sys.path.insert(0, str(ROOT))
    from arkworker.storage.cache import merge

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


def run_once(python: Path, script: str, directory: Path, empty: Path, *, writes: bool) -> tuple[float, float]:
    """Run one subject; it times itself, without the start of Python. The growth is in MiB."""
    output = directory / "output.sqlite"
    output.unlink(missing_ok=True)
    if writes:
        output.write_bytes(empty.read_bytes())
    command = [str(python), "-c", TIMED + script, str(directory), *(["--write"] if writes else [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, growth = done.stdout.split()
    return float(seconds), float(growth) / 1024


def measure(task: str, directory: Path, rounds: int) -> dict[str, Figures]:
    """Let the subjects take turns at one task; the first round is for warming up."""
    subjects = {name: Figures() for name in TASKS[task] if name != "published" or PEER.exists()}
    for number in range(rounds + 1):
        for name, figures in subjects.items():
            python = PEER if name == "published" else Path(sys.executable)
            writes, empty = task.startswith("write"), directory / "empty.sqlite"
            seconds, growth = run_once(python, TASKS[task][name], directory, empty, writes=writes)
            if number:
                figures.seconds.append(seconds)
                figures.growth.append(growth)
    return subjects


def report(task: str, subjects: dict[str, Figures]) -> None:
    """Print one line for each subject: median time, raw sqlite3's time over it, growth of memory."""
    reference = statistics.median(subjects["sqlite3"].seconds)
    for name, figures in subjects.items():
        median, growth = statistics.median(figures.seconds), statistics.median(figures.growth)
        print(f"| {task:20} | {name:18} | {median:8.3f} | {reference / median:9.2f} | {growth:8.1f} |", flush=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="arkworker-benchmark-") as name:
        directory = Path(name)
        for number in range(4):
            make_cache(directory / f"parent-{number}.sqlite", number)
        pages = make_cache(directory / "children.sqlite", 9)
        (directory / "pages.json").write_text(json.dumps(pages[:100]))
        from arkworker.storage.cache import merge

        merge([], directory / "empty.sqlite")
        print("| task                 | subject            |  seconds | speed,    | MiB more |")
        print("|                      |                    |          | sqlite3=1 |          |")
        print("|----------------------|--------------------|----------|-----------|----------|")
        for task in TASKS:
            report(task, measure(task, directory, rounds))


if __name__ == "__main__":
    main()
