"""Parents that are damaged, hostile or of another kind: one line with the path and the reason, and nothing changes."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError
from arkworker.storage.cache import merge, open_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refused(parent: str | os.PathLike[str], output: Path) -> str:
    """The reason for which a parent is refused; the output is as before, and nothing is left beside it."""
    output.parent.mkdir(exist_ok=True)
    output.write_bytes(b"the old cache")
    with pytest.raises(CacheError) as caught:
        merge([parent], output)
    assert output.read_bytes() == b"the old cache"
    assert list(output.parent.iterdir()) == [output]
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "task" / "db.sqlite"


def test_an_absent_parent_is_refused(tmp_path: Path, output: Path) -> None:
    """A path that leads nowhere."""
    assert refused(tmp_path / "none.sqlite", output) == "No such file or directory"


@pytest.mark.parametrize("name", ["", ":memory:", "file::memory:", "\0", "a\0b"])
def test_names_with_a_meaning_are_plain(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name is the name of a file, and there is none of these."""
    monkeypatch.chdir(tmp_path)
    assert refused(name, output)


@pytest.mark.parametrize("name", ["a?mode=rwc", "a#b", "100%41.sqlite", "it's", 'a"b', "a\nb", "a;b", ":memory:", "é"])
def test_names_with_special_characters_are_read(
    write_cache: Any, rows: Any, output: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL and URI see a plain name, relative or not."""
    parent = write_cache(name, rows.element(1))
    monkeypatch.chdir(parent.parent)
    output.parent.mkdir()
    assert merge([parent, name], output).rows["elements"] == 1


def test_a_newline_in_a_name_stays_on_one_line(tmp_path: Path, output: Path) -> None:
    """What a terminal would obey is escaped."""
    path = tmp_path / "a\n\x1b[31mb"
    path.write_text("x")
    with pytest.raises(CacheError, match=r"a\\n\\x1b\[31mb: is not an SQLite database"):
        merge([path], tmp_path / "out.sqlite")
    assert refused(path, output)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))


def make_directory(path: Path) -> None:
    path.mkdir()


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [make_pipe, make_socket, make_directory, make_device, make_loop])
def test_what_is_no_file_is_refused(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    """Nothing blocks on a pipe or reads a device for ever."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "p")
    assert refused("p", output)


def test_a_symbolic_link_is_followed(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A data directory may be made of links."""
    (tmp_path / "link").symlink_to(write_cache("1.sqlite", rows.element(1)))
    assert merge([tmp_path / "link"], tmp_path / "out.sqlite").rows["elements"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"SQLite format 3\0", "is not an SQLite database"),
        (b"\x17" * 8192, "is not an SQLite database"),
        (b"<html>502 Bad Gateway</html>" * 99, "is not an SQLite database"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, output: Path, content: bytes, reason: str) -> None:
    """Empty, cut, encrypted, or an error page."""
    (tmp_path / "p.sqlite").write_bytes(content)
    assert refused(tmp_path / "p.sqlite", output).startswith(reason)


@pytest.mark.parametrize("size", [100, 512, 4096, 5000, 8192, 40960])
def test_a_cut_file_is_refused(write_cache: Any, rows: Any, output: Path, size: int) -> None:
    """Whatever its length."""
    parent = write_cache("1.sqlite", *(rows.element(number) for number in range(500)))
    os.truncate(parent, size)
    assert refused(parent, output)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (1, "is of version 1, which arkindex-base-worker 0.2.4 reads; expected version 3 or 4 or 5"),
        (2, "is of version 2, which arkindex-base-worker 0.3.3 reads; expected version 3 or 4 or 5"),
        (6, "is of version 6; expected version 3 or 4 or 5"),
        (-(2**63), f"is of version {-(2**63)}; expected version 3 or 4 or 5"),
    ],
)
def test_other_versions_are_refused(write_cache: Any, output: Path, version: int, reason: str) -> None:
    """The message says what was found, what is expected, and who reads it."""
    parent = write_cache("1.sqlite", extra=f"UPDATE version SET version = {version};")
    assert refused(parent, output) == reason


@pytest.mark.parametrize(
    "extra",
    [
        "DELETE FROM version;",
        "INSERT INTO version VALUES (4);",
        "DROP TABLE version;",
        "DROP TABLE version; CREATE TABLE version (version); INSERT INTO version VALUES ('5');",
        "DROP TABLE version; CREATE TABLE version (version); INSERT INTO version VALUES (5.5);",
        "DROP TABLE version; CREATE TABLE version (version); INSERT INTO version VALUES (NULL);",
        "DROP TABLE version; CREATE TABLE version (a, version); INSERT INTO version VALUES (5, 5);",
        "DROP TABLE version; CREATE VIEW version AS SELECT 5 AS version;",
        "UPDATE version SET version = 3;",
        "UPDATE version SET version = 4;",
    ],
)
def test_a_version_that_is_not_one_row_is_refused(write_cache: Any, output: Path, extra: str) -> None:
    """None, two, of another type, in another table, or one that its tables contradict."""
    assert refused(write_cache("1.sqlite", extra=extra), output)


def replaced(table: str, columns: str, kind: str = "TABLE", options: str = "") -> str:
    return f'DROP TABLE "{table}"; CREATE {kind} "{table}" {columns} {options};'


IMAGES = '("id" TEXT PRIMARY KEY, "width" INTEGER, "height" INTEGER, "url" TEXT, "version" INTEGER{0})'


@pytest.mark.parametrize(
    "extra",
    [
        "DROP TABLE dataset_elements;",
        replaced("images", IMAGES.format(', "more" TEXT')),
        replaced("images", IMAGES.format(""), options="WITHOUT ROWID"),
        replaced("images", IMAGES.format(', "area" AS (width * height)')),
        replaced("images", '("id" TEXT, "width" INTEGER, "height" INTEGER, "url" TEXT)'),
        replaced("images", '("id" TEXT, "width" INTEGER, "height" AS (width), "url" TEXT, "version" INTEGER)'),
        replaced("images", '("ID" TEXT, "width" INTEGER, "height" INTEGER, "url" TEXT, "version" INTEGER)'),
        replaced("images", "AS SELECT 'a' AS id, 1 AS width, 1 AS height, 'u' AS url, 2 AS version", kind="VIEW"),
        replaced("images", "USING fts5(id, width, height, url, version)", kind="VIRTUAL TABLE"),
        replaced("images", IMAGES.format(", UNIQUE (url COLLATE nocase)")) + "CREATE INDEX i ON images (lower(url));",
        replaced("images", IMAGES.format("")) + "CREATE INDEX i ON images (url) WHERE url GLOB '*a*a*a*a*b';",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'CREATE TABLE images (x' WHERE name = 'images';",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = 3 WHERE name = 'elements';",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = 0 WHERE name = 'elements';",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'elements';",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET name = x'ff' WHERE name = 'elements';",
        "PRAGMA writable_schema=ON; DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_elements%';",
    ],
)
def test_other_tables_are_refused(write_cache: Any, rows: Any, output: Path, extra: str) -> None:
    """Every table must be a plain one with exactly the expected columns."""
    assert refused(write_cache("1.sqlite", rows.element(1), extra=extra), output)


def test_functions_of_a_parent_never_run(write_cache: Any, rows: Any, output: Path) -> None:
    """A check that would take for ever is not evaluated, and the row comes out."""
    endless = 'CHECK (length(printf("%.*c", 999999999, "x")) > 0 OR url GLOB "*a*a*a*a*a*a*a*a*a*b")'
    extra = "PRAGMA ignore_check_constraints=ON;" + replaced("images", IMAGES.format(f", {endless}"))
    extra += f"INSERT INTO images VALUES ('{1:032x}', 1, 1, '{'a' * 50000}', 2);"
    parent = write_cache("1.sqlite", rows.element(1), extra=extra)
    output.parent.mkdir()
    assert merge([parent], output).rows["images"] == 1


@pytest.mark.parametrize(
    "schema",
    [
        "BEGIN;" + "".join(f"CREATE TABLE t{number} (x);" for number in range(1200)) + "COMMIT;",
        f"CREATE TABLE t ({', '.join(f'column_{number:0900}' for number in range(1500))});",
    ],
)
def test_a_huge_schema_is_refused_unread(write_cache: Any, output: Path, schema: str) -> None:
    """SQLite would keep all of it in memory."""
    assert refused(write_cache("1.sqlite", schema=schema), output).startswith("has a schema of more than")


def test_a_schema_that_leads_in_circles_is_refused(write_cache: Any, output: Path) -> None:
    """A page of the schema that has itself as a child."""
    parent = write_cache("1.sqlite")
    content = bytearray(parent.read_bytes())
    content[100:112] = struct.pack(">BHHHBI", 5, 0, 0, 4096 - 100, 0, 1)
    parent.write_bytes(content)
    assert refused(parent, output)


def test_another_encoding_is_refused(write_cache: Any, output: Path) -> None:
    """SQLite attaches no file of another encoding."""
    schema = "PRAGMA encoding='UTF-16'; CREATE TABLE version (version);"
    assert refused(write_cache("1.sqlite", schema=schema), output) == "is encoded in UTF-16, not in UTF-8"


def leave_log(parent: Path, left: Path, row: tuple[str, dict[str, Any]], *, commit: bool = True) -> Path:
    """Copy a parent as a killed writer would leave it: with what it wrote last in its write-ahead log."""
    left.mkdir()
    table, values = row
    with closing(sqlite3.connect(parent, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("BEGIN")
        names = ", ".join(values)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", [*values.values()])
        if commit:
            connection.execute("COMMIT")
        for path in parent.parent.glob(f"{parent.name}*"):
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, left / path.name.replace(parent.name, "db.sqlite"))
    return left / "db.sqlite"


@pytest.mark.parametrize("read_only", [False, True])
def test_a_write_ahead_log_is_included(
    write_cache: Any, rows: Any, tmp_path: Path, output: Path, read_cache: Any, *, read_only: bool
) -> None:
    """The committed rows are in the result, from a directory where nothing may be written too."""
    parent = leave_log(write_cache("1.sqlite", rows.element(1)), tmp_path / "left", rows.element(2))
    before = {path.name: path.read_bytes() for path in parent.parent.iterdir()}
    assert set(before) == {"db.sqlite", "db.sqlite-wal"}
    output.parent.mkdir()
    if read_only:
        parent.parent.chmod(0o555)
    assert merge([parent], output).rows["elements"] == 2
    parent.parent.chmod(0o755)
    assert {path.name: path.read_bytes() for path in parent.parent.iterdir()} == before
    with closing(sqlite3.connect(output)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert len(read_cache(output)["elements"]) == 2


def test_a_log_that_was_taken_over_is_nothing(write_cache: Any, rows: Any, output: Path) -> None:
    """A parent in write-ahead mode that was closed in good order is read without its log."""
    parent = write_cache("1.sqlite", rows.element(1), extra="PRAGMA journal_mode=WAL;")
    output.parent.mkdir()
    assert merge([parent, write_cache("2.sqlite", rows.element(2))], output).rows["elements"] == 2
    assert not parent.with_name("1.sqlite-shm").exists()


@pytest.mark.parametrize("position", [0, 7, 8, 16, 20, 24, 31, 32, 36, 40, 44, 48, 60, 3000])
def test_a_damaged_log_is_refused(write_cache: Any, rows: Any, tmp_path: Path, output: Path, position: int) -> None:
    """SQLite itself would leave its rows out in silence."""
    parent = leave_log(write_cache("1.sqlite", rows.element(1)), tmp_path / "left", rows.element(2))
    log = parent.with_name("db.sqlite-wal")
    content = bytearray(log.read_bytes())
    content[position] ^= 4
    log.write_bytes(content)
    assert "write-ahead log" in refused(parent, output)


@pytest.mark.parametrize("missing", [1, 100, 4096])
def test_a_cut_log_is_refused(write_cache: Any, rows: Any, tmp_path: Path, output: Path, missing: int) -> None:
    """The end of a committed transaction is missing."""
    parent = leave_log(write_cache("1.sqlite", rows.element(1)), tmp_path / "left", rows.element(2))
    log = parent.with_name("db.sqlite-wal")
    os.truncate(log, log.stat().st_size - missing)
    assert "write-ahead log" in refused(parent, output)


@pytest.mark.parametrize("content", [b"not a log" * 999, b"\0" * 40, b"\x37\x7f\x06\x82" + bytes(28), b"x"])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_what_is_no_log_is_refused(write_cache: Any, rows: Any, output: Path, mode: str, content: bytes) -> None:
    """A file of that name with anything else in it; one with no frame at all has nothing to leave out."""
    parent = write_cache("1.sqlite", rows.element(1), extra=f"PRAGMA journal_mode={mode};")
    parent.with_name("1.sqlite-wal").write_bytes(content)
    output.parent.mkdir()
    if len(content) == 32:
        assert merge([parent], output).rows["elements"] == 1
    else:
        assert "write-ahead log" in refused(parent, output)


def test_a_rollback_journal_is_refused(write_cache: Any, rows: Any, output: Path) -> None:
    """The parent is in the middle of a write that was never finished."""
    parent = write_cache("1.sqlite", rows.element(1))
    parent.with_name("1.sqlite-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    assert refused(parent, output) == "has a rollback journal: its last writer was interrupted; run its task again"


@pytest.mark.parametrize("suffix", ["journal", "wal"])
def test_a_journal_that_is_a_pipe_is_not_waited_for(suffix: str, write_cache: Any, rows: Any, output: Path) -> None:
    """Nor is that of a cache that is opened, or replaced."""
    parent = write_cache("1.sqlite", rows.element(1))
    os.mkfifo(parent.with_name(f"1.sqlite-{suffix}"))

    assert refused(parent, output) == "has a journal that is not a regular file"
    with pytest.raises(CacheError, match="has a journal that is not a regular file"):
        open_cache(parent)
    with pytest.raises(CacheError, match="has a journal that is not a regular file"):
        merge([], parent)


def test_a_finished_journal_is_nothing(write_cache: Any, rows: Any, output: Path) -> None:
    """A journal that SQLite kept, with its header cleared, or empty."""
    for name, content in (("1.sqlite", bytes(512)), ("2.sqlite", b"")):
        parent = write_cache(name, rows.element(1))
        parent.with_name(f"{name}-journal").write_bytes(content)
        output.parent.mkdir(exist_ok=True)
        assert merge([parent], output).rows["elements"] == 1


def test_a_damaged_free_list_does_not_reach_the_result(write_cache: Any, rows: Any, output: Path) -> None:
    """A copy would overwrite a page in use later: it is refused, or rebuilt."""
    parent = write_cache("1.sqlite", *(rows.element(number) for number in range(400)), extra="DELETE FROM elements;")
    content = bytearray(parent.read_bytes())
    (trunk,) = struct.unpack_from(">I", content, 32)
    struct.pack_into(">I", content, (trunk - 1) * 4096 + 8, 2)
    parent.write_bytes(content)
    assert refused(parent, output)
