"""A kill at any moment leaves the old cache or the new one, and the next merge cleans up."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError
from arkworker.storage.cache import Limits, merge, merging, open_cache, session_scope
from arkworker.storage.cache.database import reading, refusing
from arkworker.storage.cache.models import CachedImage
from arkworker.storage.exclusive import private_directory

if TYPE_CHECKING:
    from pathlib import Path

MERGE = """
import sys
from arkworker.storage.cache import merge
print("ready", flush=True)
sys.stdin.readline()
merge(sys.argv[2:], sys.argv[1])
"""


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(connection.execute("SELECT count(*) FROM elements").fetchone()[0])


def kill_after(seconds: float, output: Path, parents: list[Path]) -> None:
    command = [sys.executable, "-c", MERGE, str(output), *map(str, parents)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"\n")
        process.stdin.flush()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def check_kills(write_cache: Any, rows: Any, directory: Path, times: int) -> None:
    old = write_cache("old.sqlite", rows.element(0))
    parents = [
        write_cache(f"{n}.sqlite", *(rows.element(n * 10**6 + number) for number in range(3000))) for n in (1, 2)
    ]
    output = directory / "task" / "db.sqlite"
    output.parent.mkdir()
    for moment in (random.Random(7).uniform(0, 0.25) for _ in range(times)):
        shutil.copyfile(old, output)
        kill_after(moment, output, parents)
        assert count(output) in (1, 6000)
        merge(parents, output)
        assert count(output) == 6000
        assert list(output.parent.iterdir()) == [output]


def test_a_kill_leaves_the_old_cache_or_the_new_one(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Whenever it comes; what it leaves behind is gone after the next merge."""
    check_kills(write_cache, rows, tmp_path, 4)


@pytest.mark.campaign
def test_many_kills(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """The same, a hundred times."""
    check_kills(write_cache, rows, tmp_path, 100)


def test_a_merge_under_way_is_left_alone(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Only the directories of killed merges are removed, not that of one that still runs."""
    with private_directory(tmp_path, ".arkworker-merge-") as scratch:
        merge([write_cache("1.sqlite", rows.element(1))], tmp_path / "out.sqlite")
        assert scratch.is_dir()
    assert not scratch.exists()


@pytest.mark.parametrize("moment", ["copy", "check_pages", "_add", "_check_references", "_count", "_settle"])
def test_a_merge_that_is_given_up_changes_nothing(
    write_cache: Any, rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whenever a signal comes, up to the last step: one line, the old cache, and nothing beside it."""
    limits, step = Limits(), getattr(merging, moment)

    def cancel(*arguments: Any, **options: Any) -> Any:
        if moment != "_settle":
            limits.cancel()
        return step(*arguments, **options)

    monkeypatch.setattr(merging, moment, cancel)
    parents = [write_cache(f"{n}.sqlite", *(rows.element(n * 10**6 + k) for k in range(2000))) for n in (1, 2)]
    output = tmp_path / "task" / "db.sqlite"
    output.parent.mkdir()
    shutil.copyfile(write_cache("old.sqlite", rows.element(0)), output)
    if moment == "_settle":  # nothing is left to be given up
        merge(parents, output, limits=limits)
        assert count(output) == 4000
    else:
        with pytest.raises(CacheError, match="stopped by a signal before it was done"):
            merge(parents, output, limits=limits)
        assert count(output) == 1
    assert list(output.parent.iterdir()) == [output]


def test_a_statement_under_way_is_ended_from_another_thread(write_cache: Any) -> None:
    """Also one that looks at no page for long; the thread that waits for it goes on at once."""
    limits = Limits()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with reading(write_cache("1.sqlite"), limits) as connection:
        thread = threading.Thread(target=limits.cancel)
        connection.create_function("start", 0, thread.start)
        with pytest.raises(CacheError, match="stopped by a signal"), refusing("1.sqlite", limits):
            connection.execute(f"SELECT start(), ({endless})").fetchall()
        thread.join()


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_journal_of_the_old_cache_never_reaches_the_new_one(
    write_cache: Any, rows: Any, tmp_path: Path, mode: str
) -> None:
    """A run that was killed while it wrote leaves a journal: it belongs to the file that is replaced."""
    old = write_cache("old.sqlite", *(rows.element(number) for number in range(2000)))
    output = tmp_path / "task" / "db.sqlite"
    output.parent.mkdir()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA cache_size=1")
        connection.execute("PRAGMA cache_spill=1")
        connection.execute("BEGIN")
        connection.execute("UPDATE elements SET type = 'changed' || id")
        for path in tmp_path.glob("old.sqlite*"):
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, output.parent / path.name.replace("old.sqlite", "db.sqlite"))
    assert len(list(output.parent.iterdir())) == 2
    merge([write_cache("1.sqlite", rows.element(1))], output)
    assert list(output.parent.iterdir()) == [output]
    assert count(output) == 1


def test_a_killed_run_is_opened_again(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """What was not committed when a run was killed is rolled back when its cache is opened."""
    old = write_cache("old.sqlite", *(rows.image(number) for number in range(2000)))
    killed = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM images")
        shutil.copyfile(old, killed)
        shutil.copyfile(tmp_path / "old.sqlite-journal", tmp_path / "db.sqlite-journal")
    engine = open_cache(killed)
    with session_scope(engine) as session:
        assert session.query(CachedImage).count() == 2000
    engine.dispose()
    assert not (tmp_path / "db.sqlite-journal").exists()
