"""Opening, creating, and the rule of the session: committed after success, rolled back after anything else."""

from __future__ import annotations

import gc
import os
import sqlite3
import struct
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from arkworker.errors import CacheError
from arkworker.storage.cache import (
    CachedDataset,
    CachedElement,
    CachedImage,
    CachedTranscription,
    engine as engines,
    merge,
    open_cache,
    schema,
    session_scope,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine


def image(**values: Any) -> CachedImage:
    return CachedImage(**{"id": uuid.uuid4(), "width": 1, "height": 2, "url": "https://iiif.test/1", **values})


@pytest.fixture(params=["file", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "db.sqlite" if request.param == "file" else None
    opened = open_cache(path, create=True)
    yield opened
    opened.dispose()
    assert [path.name for path in tmp_path.iterdir()] == (["db.sqlite"] if path else [])


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with an image that cannot be written to."""
    path = tmp_path / "db.sqlite"
    engine = open_cache(path, create=True)
    with session_scope(engine) as session:
        session.add(image())
    engine.dispose()
    monkeypatch.setattr(os, "access", lambda name, mode: mode == os.R_OK or not path.samefile(name))
    return path


def test_a_cache_that_cannot_be_written_is_copied(copied: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is added to the copy goes with it."""
    engine = open_cache(copied)
    with session_scope(engine) as session:
        session.add(image())
    copy = Path(str(engine.url.database))

    assert (count(engine), copy == copied) == (2, False)
    assert "is read-only: a copy is used" in caplog.text
    engine.dispose()
    assert not copy.parent.exists()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_the_copy_to_its_parent(copied: Path) -> None:
    """SQLAlchemy wants each child to dispose of the engine that it inherits."""
    engine = open_cache(copied)

    pid = os.fork()
    if pid == 0:
        engine.dispose(close=False)
        os._exit(0)
    os.waitpid(pid, 0)

    assert count(engine) == 1
    engine.dispose()


def count(engine: Engine) -> int:
    with session_scope(engine) as session:
        return session.query(CachedImage).count()


def test_success_is_committed(engine: Engine) -> None:
    """What a block added is there for the next one."""
    with session_scope(engine) as session:
        session.add(image())
    assert count(engine) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit])
def test_failure_is_rolled_back(engine: Engine, error: type[BaseException]) -> None:
    """Whatever leaves the block, it leaves nothing in the cache, and it is not hidden."""

    def fail() -> None:
        with session_scope(engine) as session:
            session.add(image())
            session.flush()
            raise error

    with pytest.raises(error):
        fail()
    assert count(engine) == 0


def test_a_savepoint_commits_nothing_by_itself(engine: Engine) -> None:
    """Rows kept in a nested transaction go with the outer one."""

    def fail() -> None:
        with session_scope(engine) as session:
            with session.begin_nested():
                session.add(image())
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        fail()
    assert count(engine) == 0


def test_a_failed_savepoint_keeps_the_rest(engine: Engine) -> None:
    """An author may try a row and go on without it."""
    with session_scope(engine) as session:
        first = image()
        session.add(first)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text("INSERT INTO images SELECT * FROM images"))
    assert count(engine) == 1


def test_objects_stay_readable(engine: Engine) -> None:
    """After the commit too, without a session."""
    with session_scope(engine) as session:
        kept = image(version=3)
        session.add(kept)
    assert (kept.width, kept.version) == (1, 3)


def test_foreign_keys_are_enforced(engine: Engine) -> None:
    """A transcription of no element is refused when it is written."""
    orphan = CachedTranscription(id=uuid.uuid4(), element_id=uuid.uuid4(), text="x", orientation="horizontal-lr")
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        session.add(orphan)


def test_the_settings_are_sound(tmp_path: Path) -> None:
    """A journal that works on network file systems, waits for locks, checks of references and of structure."""
    engine = open_cache(tmp_path / "db.sqlite", create=True)
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema", "cell_size_check")
    with engine.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}
    engine.dispose()
    assert settings == {
        "journal_mode": "delete",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 30000,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    """Unless it may be created; nothing is left behind."""
    with pytest.raises(CacheError, match=r"none\.sqlite: does not exist"):
        open_cache(tmp_path / "none.sqlite")
    with pytest.raises(CacheError, match="its directory does not exist"):
        open_cache(tmp_path / "none" / "db.sqlite", create=True)
    assert list(tmp_path.iterdir()) == []


def test_a_present_file_is_kept(tmp_path: Path) -> None:
    """Creating is for a file that is not there."""
    for expected in (1, 2):
        engine = open_cache(tmp_path / "db.sqlite", create=True)
        with session_scope(engine) as session:
            session.add(image())
        assert count(engine) == expected
        engine.dispose()


@pytest.mark.parametrize("version", [3, 4, 6])
def test_another_version_is_refused(write_cache: Any, version: int) -> None:
    """Only version 5 can be opened; the message says which release reads what was found."""
    schema = version if version < 6 else 5
    path = write_cache("1.sqlite", version=schema, extra=f"UPDATE version SET version = {version};")
    with pytest.raises(CacheError, match=f"is of version {version}.*; expected version 5"):
        open_cache(path)


@pytest.mark.parametrize("version", [3, 4])
def test_an_older_version_says_how_it_is_converted(write_cache: Any, version: int) -> None:
    """And that conversion works, from a file without the tables that its first releases did not have, too."""
    path = write_cache("old.sqlite", version=version, extra="DROP TABLE dataset_elements; DROP TABLE datasets;")
    with pytest.raises(CacheError, match=r"convert it with arkworker\.storage\.cache\.merge\(\[OLD\], NEW\)"):
        open_cache(path)
    merge([path], path.with_name("new.sqlite"))
    open_cache(path.with_name("new.sqlite")).dispose()


VERSION_ALONE = "CREATE TABLE version (version INTEGER NOT NULL PRIMARY KEY); INSERT INTO version VALUES ({});"


@pytest.mark.parametrize("has_pages", [True, False])
def test_missing_tables_are_made(write_cache: Any, rows: Any, *, has_pages: bool) -> None:
    """As the published library does: all of them where there is but the version, else those of datasets."""
    path = write_cache("1.sqlite", rows.element(1), extra="DROP TABLE dataset_elements; DROP TABLE datasets;")
    if not has_pages:
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(VERSION_ALONE.format(5))
    opened = open_cache(path)
    with session_scope(opened) as session:
        session.add(image())
        assert (session.query(CachedDataset).count(), session.query(CachedElement).count()) == (0, has_pages)
    opened.dispose()

    open_cache(path).dispose()
    merge([path], path.with_name("new.sqlite"))


def test_tables_that_another_process_adds_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that open the file at once both get it."""
    path = tmp_path / "1.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_ALONE.format(5))
    lacking = schema.completing_statements

    def add_meanwhile(present: Any) -> Any:
        monkeypatch.setattr(engines, "completing_statements", lacking)
        open_cache(path).dispose()
        return lacking(present)

    monkeypatch.setattr(engines, "completing_statements", add_meanwhile)
    opened = open_cache(path)
    assert count(opened) == 0
    opened.dispose()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_a_parent_without_tables_is_empty(tmp_path: Path, version: int) -> None:
    """Its task had nothing to keep."""
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(VERSION_ALONE.format(version))

    assert set(merge([tmp_path / "old.sqlite"], tmp_path / "new.sqlite").rows.values()) == {0}


@pytest.mark.parametrize(
    "extra",
    [
        "CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM images; END;",
        "CREATE VIEW v AS SELECT * FROM images;",
        "DROP TABLE images;",
        "DROP TABLE datasets; DROP TABLE images;",
    ],
)
def test_a_hostile_file_is_refused(write_cache: Any, rows: Any, extra: str) -> None:
    """Nothing of the file runs when user code writes to it, and its tables are whole."""
    path = write_cache("1.sqlite", rows.element(1), extra=extra)
    before = path.read_bytes()
    with pytest.raises(CacheError, match=r"1\.sqlite: "):
        open_cache(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"<html>" * 999])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty file too: it has no version row."""
    (tmp_path / "db.sqlite").write_bytes(content)
    with pytest.raises(CacheError):
        open_cache(tmp_path / "db.sqlite", create=True)
    assert (tmp_path / "db.sqlite").read_bytes() == content


def test_a_damaged_free_page_is_refused(write_cache: Any, rows: Any) -> None:
    """The next row would overwrite a page in use."""
    content = [rows.image(number) for number in range(400)]
    path = write_cache("1.sqlite", *content, extra="DELETE FROM images;")
    damaged = bytearray(path.read_bytes())
    (trunk,) = struct.unpack_from(">I", damaged, 32)
    struct.pack_into(">I", damaged, (trunk - 1) * 4096 + 8, 2)
    path.write_bytes(damaged)
    with pytest.raises(CacheError, match=r"1\.sqlite: is damaged"):
        open_cache(path)


def test_a_write_ahead_log_is_taken_over(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A cache in another journal mode gets ours."""
    path = write_cache("db.sqlite", rows.image(1), extra="PRAGMA journal_mode=WAL;")
    engine = open_cache(path)
    assert count(engine) == 1
    engine.dispose()
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_that_names_other_files_is_refused(write_cache: Any, rows: Any) -> None:
    """SQLite would delete a file that such a journal names."""
    path = write_cache("db.sqlite", rows.image(1))
    path.with_name("db.sqlite-journal").write_bytes(bytes(512) + bytes.fromhex("d9d505f920a163d7"))
    with pytest.raises(CacheError, match="rollback journal of several databases"):
        open_cache(path)


def test_threads_have_connections_of_their_own(tmp_path: Path) -> None:
    """A session in another thread sees what was committed."""
    engine = open_cache(tmp_path / "db.sqlite", create=True)
    with session_scope(engine) as session:
        session.add(image())
    counts: list[int] = []
    thread = threading.Thread(target=lambda: counts.append(count(engine)))
    thread.start()
    thread.join()
    engine.dispose()
    assert counts == [1]


def test_a_locked_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails for a reason outside the rows names the file."""
    monkeypatch.setattr("arkworker.storage.cache.engine._BUSY_SECONDS", 0.0)
    engine = open_cache(tmp_path / "db.sqlite", create=True)
    with closing(sqlite3.connect(tmp_path / "db.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM version").fetchall()
        with pytest.raises(CacheError, match=r"db\.sqlite: cannot be written: "), session_scope(engine) as session:
            session.add(image())
    engine.dispose()


def test_elements_of_a_page_are_found_by_an_index(tmp_path: Path) -> None:
    """Reading the children of an element does not read all elements."""
    engine = open_cache(tmp_path / "db.sqlite", create=True)
    with engine.connect() as connection:
        statement = select(CachedElement).where(CachedElement.parent_id == uuid.uuid4())
        compiled = statement.compile(engine, compile_kwargs={"literal_binds": False})
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("x",)).fetchall()
    engine.dispose()
    assert "cachedelement_parent_id" in str(plan)


def test_nothing_is_created_when_a_full_disk_refuses(tmp_path: Path) -> None:
    """One line, no file."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from arkworker.storage.cache import open_cache\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "open_cache(Path(sys.argv[1]), create=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "db.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"CacheError: {tmp_path / 'db.sqlite'}: " in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([{}, {}], id="alike"),
        pytest.param([{}, {"version": 3}], id="of other columns"),
        pytest.param([{"version": 3}, {}], id="of fewer columns"),
        pytest.param([{"version": None}, {"version": 3}], id="left to the default"),
    ],
)
def test_rows_of_a_class_are_inserted(engine: Engine, changes: list[dict[str, Any]]) -> None:
    """Each row has what it gives, and the defaults for the rest, whatever the others give."""
    rows = [{"id": uuid.uuid4(), "width": 1, "height": 2, "url": "https://iiif.test/1", **change} for change in changes]
    with session_scope(engine) as session:
        session.execute(insert(CachedImage), rows)
    with session_scope(engine) as session:
        found = {one.id: one.version for one in session.scalars(select(CachedImage))}
    assert {row["id"]: row.get("version") or 2 for row in rows} == found


def test_inserted_objects_are_returned(engine: Engine) -> None:
    """Where the objects are asked for, they come, and belong to the session."""
    rows = [{"id": uuid.uuid4(), "width": 1, "height": 2, "url": f"https://iiif.test/{n}"} for n in range(2)]
    with session_scope(engine) as session:
        found = session.scalars(insert(CachedImage).returning(CachedImage), rows).all()
        executed = session.execute(insert(CachedImage).returning(CachedImage), [rows[0] | {"id": uuid.uuid4()}])
        assert [row["url"] for row in rows] == [one.url for one in found]
        assert executed.scalar_one() in session


@pytest.mark.parametrize(("young", "expected"), [(700, 10_000), (20_000, 20_000), (0, 0)])
def test_the_garbage_collector_looks_less_often(young: int, expected: int) -> None:
    """Reading many rows is not held up by it; what a person has set to more, or off, stays."""
    before = gc.get_threshold()
    try:
        gc.set_threshold(young, *before[1:])
        open_cache(None).dispose()
        assert (expected, *before[1:]) == gc.get_threshold()
    finally:
        gc.set_threshold(*before)
