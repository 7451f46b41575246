from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from arkworker.errors import ApiContentError, ConfigurationError, ExtrasDirNotFoundError
from arkworker.storage.archives import create, extract_parent_archives
from arkworker.storage.locating import find_extras_directory, find_parents_file_paths

TASK = "0a0a0a0a-0000-4000-8000-000000000001"
FIRST, SECOND = "b1", "b2"


def _find_extras(
    data: Path, *, task_id: str | None = TASK, model_dir: Path | None = None, configured: Path | None = None
) -> Path:
    return find_extras_directory(
        task_id=task_id, model_dir=model_dir, task_data_dir=data, work_dir=data / "current", configured=configured
    )


def _make(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_the_model_directory_comes_first(tmp_path: Path) -> None:
    """Newer agents say where the model is."""
    for name in ("extra_files", "current"):
        _make(tmp_path / name)
    model_dir = _make(tmp_path / "model")
    assert _find_extras(tmp_path, model_dir=model_dir) == model_dir


def test_extra_files_come_next(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model directory that does not exist is passed over with a warning."""
    for name in ("extra_files", "current"):
        _make(tmp_path / name)
    assert _find_extras(tmp_path, model_dir=tmp_path / "model") == tmp_path / "extra_files"
    assert caplog.messages == [f"ARKINDEX_MODEL_DIR is ignored: there is no directory {tmp_path}/model"]


def test_the_work_directory_comes_last(tmp_path: Path) -> None:
    """Older agents put the files beside the work."""
    _make(tmp_path / "current")
    assert _find_extras(tmp_path) == tmp_path / "current"


def test_a_task_without_any_directory_is_an_error(tmp_path: Path) -> None:
    """The message names where it was looked for and what to set; a file is not a directory."""
    (tmp_path / "extra_files").write_bytes(b"")
    with pytest.raises(
        ExtrasDirNotFoundError, match=r"extra_files, .*current exists: set ARKINDEX_MODEL_DIR or PONOS_DATA"
    ):
        _find_extras(tmp_path)


def test_a_task_ignores_the_flag(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in the published library, and said."""
    _make(tmp_path / "current")
    assert _find_extras(tmp_path, configured=_make(tmp_path / "given")) == tmp_path / "current"
    assert caplog.record_tuples[0][1:] == (
        logging.WARNING,
        "--extras-dir is ignored within a task: its agent provides the directory",
    )


@pytest.mark.parametrize("task_id", [None, ""])
def test_at_a_desk_a_person_says_where(tmp_path: Path, task_id: str | None) -> None:
    """Without a task only what was given counts."""
    _make(tmp_path / "extra_files")
    given = _make(tmp_path / "given")
    assert _find_extras(tmp_path, task_id=task_id, configured=given) == given


def test_at_a_desk_nothing_is_guessed(tmp_path: Path) -> None:
    """The message says how to give it."""
    _make(tmp_path / "extra_files")
    with pytest.raises(ExtrasDirNotFoundError, match="--extras-dir, or extras_dir in the configuration file"):
        _find_extras(tmp_path, task_id=None)


@pytest.mark.parametrize("name", ["absent", "file", "line\nbreak", "x" * 5000, "circle"])
def test_at_a_desk_the_directory_must_exist(tmp_path: Path, name: str) -> None:
    """What is not a directory is named on one line."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(ExtrasDirNotFoundError, match="there is no directory") as caught:
        _find_extras(tmp_path, task_id=None, configured=tmp_path / name)
    assert str(caught.value).isprintable()


def _touch(data: Path, *names: str) -> list[Path]:
    paths = [data / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return paths


def _find_parents(data: Path, filename: str | Path, *parents: str, chunk: str | None = None) -> list[Path]:
    return find_parents_file_paths(filename, parent_ids=parents, task_data_dir=data, chunk=chunk)


@pytest.mark.parametrize("chunk", [None, ""])
def test_finds_the_files_of_parents_in_order(tmp_path: Path, chunk: str | None) -> None:
    """One path for each parent that left the file; those that did not are passed over."""
    _touch(tmp_path, "b1/db.sqlite", "b2/db.sqlite", "b1/db_1.sqlite", "other/db.sqlite")
    found = _find_parents(tmp_path, "db.sqlite", SECOND, "b3", FIRST, chunk=chunk)
    assert found == [tmp_path / "b2/db.sqlite", tmp_path / "b1/db.sqlite"]


@pytest.mark.parametrize(
    ("filename", "with_chunk"),
    [
        ("db.sqlite", "db_1.sqlite"),
        ("data.tar.zst", "data.tar_1.zst"),
        ("a.b.a.b", "a.a_1.b"),
        ("plain", "plain_1"),
        (".hidden", ".hidden_1"),
        ("folder/db.sqlite", "db_1.sqlite"),
    ],
)
def test_finds_the_files_of_a_chunk(tmp_path: Path, filename: str, with_chunk: str) -> None:
    """The file of the chunk follows the one of all chunks, parent by parent, named as the published library does it."""
    expected = _touch(tmp_path, f"b1/{filename}", f"b1/{with_chunk}", f"b2/{with_chunk}")
    assert _find_parents(tmp_path, filename, FIRST, SECOND, chunk="1") == expected


def test_a_parent_counts_once(tmp_path: Path) -> None:
    """A parent that is named twice left its file once."""
    expected = _touch(tmp_path, "b1/db.sqlite")
    assert _find_parents(tmp_path, Path("db.sqlite"), FIRST, FIRST) == expected


def test_finds_only_regular_files(tmp_path: Path) -> None:
    """Directories, pipes, dangling links and links in a circle are not files; a link to a file is one."""
    [linked] = _touch(tmp_path, "elsewhere/db.sqlite")
    for parent in ("b1", "b2", "b3", "b4", "b5"):
        _make(tmp_path / parent)
    _make(tmp_path / "b1/db.sqlite")
    os.mkfifo(tmp_path / "b2/db.sqlite")
    (tmp_path / "b3/db.sqlite").symlink_to(tmp_path / "nothing")
    (tmp_path / "b4/db.sqlite").symlink_to(tmp_path / "b4/db.sqlite")
    (tmp_path / "b5/db.sqlite").symlink_to(linked)
    found = _find_parents(tmp_path, "db.sqlite", "b1", "b2", "b3", "b4", "b5")
    assert found == [tmp_path / "b5/db.sqlite"]


def test_no_parents_left_nothing(tmp_path: Path) -> None:
    """A first task has none."""
    assert _find_parents(tmp_path, "db.sqlite") == []


@pytest.mark.parametrize("parent", ["", ".", "..", "../other", "/etc", "a\0b", "a\nb", "x" * 256, "\udcff"])
def test_a_parent_id_that_leads_elsewhere_is_refused(tmp_path: Path, parent: str) -> None:
    """What the API sent is checked before it becomes a path."""
    with pytest.raises(ApiContentError, match=r"RetrieveTask: parents: .* is not the id of a task") as caught:
        _find_parents(tmp_path, "passwd", parent)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("filename", ["", ".", "/etc/passwd", "../db.sqlite", "a/../../b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, filename: str) -> None:
    """A mistake of the worker's author."""
    with pytest.raises(ValueError, match="is not a name relative to"):
        _find_parents(tmp_path, filename, FIRST)


@pytest.mark.parametrize("chunk", ["../1", "1/2", "1\n", "\0"])
def test_a_chunk_that_leads_elsewhere_is_refused(tmp_path: Path, chunk: str) -> None:
    """The variable is named, its value is not repeated."""
    with pytest.raises(ConfigurationError, match="ARKINDEX_TASK_CHUNK"):
        _find_parents(tmp_path, "db.sqlite", FIRST, chunk=chunk)


def test_the_archives_of_parents_become_one_directory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where two parents have the same path, the later one wins, and a warning names both."""
    for parent, files in ((FIRST, {"a": "1", "same": "1"}), (SECOND, {"b": "2", "same": "2"})):
        content = _make(tmp_path / parent / "content")
        for name, text in files.items():
            (content / name).write_text(text)
        create(content, tmp_path / parent / "model.tar.zst")
    archives = _find_parents(tmp_path, "model.tar.zst", FIRST, SECOND)
    extract_parent_archives(archives, tmp_path / "out")
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {"a": "1", "b": "2", "same": "2"}
    assert caplog.messages == [f"same of {archives[1]} replaces the one of {archives[0]}"]
