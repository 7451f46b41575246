"""The cache of a run: in memory, named, merged from the parents; committed or rolled back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import worker_run
from sqlalchemy import select

from arkworker.storage.cache import CachedImage, open_cache, session_scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

TASK, PARENTS = "task-3", ["task-1", "task-2"]
WORKER = """
from sqlalchemy import select
from arkworker import Worker
from arkworker.storage.cache import CachedImage

class W(Worker):
    uses_cache = True

    def run(self, context, cache):
        print(context.use_cache, context.cache_path, sorted(image.url for image in cache.scalars(select(CachedImage))))
        cache.add(CachedImage(id="{0:032x}".format(9), width=1, height=1, url="new"))
        cache.flush()
        END
"""


def image(number: int, url: str) -> CachedImage:
    return CachedImage(id=f"{number:032x}", width=1, height=1, url=url)


def write(path: Path, *images: CachedImage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = open_cache(path, create=True)
    with session_scope(engine) as session:
        session.add_all(images)
    engine.dispose()


def urls(path: Path) -> list[str]:
    engine = open_cache(path)
    with session_scope(engine) as session:
        found = sorted(session.scalars(select(CachedImage.url)))
    engine.dispose()
    return found


@pytest.fixture
def run(command: Callable[..., Result], write_worker: Callable[[str], str]) -> Callable[..., Result]:
    """Runs the worker, which ends as it is told."""

    def run(*flags: str, end: str = "pass", verb: str = "run", **environment: str) -> Result:
        return command(verb, write_worker(WORKER.replace("END", end)), *flags, **environment)

    return run


@pytest.fixture
def task(arkindex: Stub, tmp_path: Path) -> dict[str, Any]:
    """The environment of a task with two parents."""
    arkindex.serve_run(worker_run(), [])
    arkindex.answers[f"/api/v1/task/{TASK}/"] = (200, {"id": TASK, "parents": PARENTS})
    return {**arkindex.environment, "PONOS_TASK": TASK, "PONOS_DATA": str(tmp_path / "ponos")}


def test_in_memory(run: Callable[..., Result]) -> None:
    """Where nothing is named, there is a real one all the same."""
    result = run()

    assert (result.code, result.out) == (0, "True None []\n")


def test_named_cache_is_committed_after_success(run: Callable[..., Result], tmp_path: Path) -> None:
    """`-d` is honoured at a desk."""
    file = tmp_path / "db.sqlite"
    write(file, image(1, "old"))

    result = run("-d", str(file))

    assert (result.code, result.out, urls(file)) == (0, f"True {file} ['old']\n", ["new", "old"])


@pytest.mark.parametrize(
    "end", ["raise ValueError", "raise SystemExit(0)", "raise KeyboardInterrupt", "context.corpus_id"]
)
def test_named_cache_is_rolled_back_after_failure(end: str, run: Callable[..., Result], tmp_path: Path) -> None:
    """Whatever ended user code."""
    file = tmp_path / "db.sqlite"
    write(file, image(1, "old"))

    result = run("-d", str(file), end=end)

    assert (result.code != 0, urls(file)) == (True, ["old"])


def test_rows_that_the_database_refuses(run: Callable[..., Result], tmp_path: Path) -> None:
    """Found at the commit: a failure of user code, whose rows they are."""
    file = tmp_path / "db.sqlite"
    write(file)
    end = "cache.add(CachedImage(id='1' * 32, width=None, height=1, url='x'))"

    result = run("-d", str(file), end=end)

    assert (result.code, urls(file), "the worker failed: IntegrityError" in result.err) == (1, [], True)


def test_first_cache_is_made_at_a_desk(run: Callable[..., Result], tmp_path: Path) -> None:
    """By a run, where there is no file of that name; `check` does not create one."""
    file = tmp_path / "new.sqlite"

    checked = run("-d", str(file), verb="check")
    assert (checked.code, file.exists()) == (0, False)

    result = run("-d", str(file))

    assert (result.code, result.out, urls(file)) == (0, f"True {file} []\n", ["new"])
    assert f"There is no cache {file}: it is created" in result.err


def test_first_cache_in_no_directory(run: Callable[..., Result], tmp_path: Path) -> None:
    """One line, before user code."""
    results = [run("-d", str(tmp_path / "absent" / "new.sqlite"), verb=verb) for verb in ("run", "check")]

    assert [(result.code, "its directory does not exist" in result.err, result.out) for result in results] == [
        (78, True, ""),
        (78, True, ""),
    ]


def test_cache_of_a_worker_run_must_exist(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """What a task is given is there, or its name is misspelt."""
    result = run("-d", str(tmp_path / "new.sqlite"), **task)

    assert (result.code, "does not exist" in result.err, (tmp_path / "new.sqlite").exists()) == (78, True, False)


def test_cache_that_can_only_be_read(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used by way of a copy, which is told before user code; the file stays as it is, and no copy is left."""
    file = tmp_path / "lent" / "db.sqlite"
    write(file, image(1, "old"))
    before, access = file.read_bytes(), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK or (file != path and access(path, mode)))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    result = run("-d", str(file))

    assert (result.code, result.out) == (0, f"True {file} ['old']\n")
    assert "is read-only: a copy is used" in result.err
    assert (file.read_bytes(), list((tmp_path / "temporary").iterdir())) == (before, [])


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_cache_that_cannot_be_opened(content: bytes, run: Callable[..., Result], tmp_path: Path) -> None:
    """One line that names the file, before user code."""
    file = tmp_path / "db.sqlite"
    file.write_bytes(content)

    results = [run("-d", str(file), verb=verb) for verb in ("run", "check")]

    for result in results:
        assert (result.code, "Traceback" in result.err, result.out) == (78, False, "")
        assert str(file) in result.err.splitlines()[-1]
    assert file.read_bytes() == content


def test_parents_are_merged(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """In their order, into the task's own file; theirs stay as they are."""
    root = tmp_path / "ponos"
    write(root / PARENTS[0] / "db.sqlite", image(1, "first"), image(2, "both, first"))
    write(root / PARENTS[1] / "db.sqlite", image(2, "both, second"))

    result = run(**task)

    own = root / TASK / "db.sqlite"
    assert (result.code, result.out) == (0, f"True {own} ['both, second', 'first']\n")
    assert urls(own) == ["both, second", "first", "new"]
    assert urls(root / PARENTS[0] / "db.sqlite") == ["both, first", "first"]


def test_failure_leaves_what_was_merged(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """Nothing of user code that failed is in it."""
    write(tmp_path / "ponos" / PARENTS[0] / "db.sqlite", image(1, "first"))

    result = run(end="raise ValueError", **task)

    assert (result.code, urls(tmp_path / "ponos" / TASK / "db.sqlite")) == (1, ["first"])


def test_chunk(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """A parent may have left one for each chunk."""
    write(tmp_path / "ponos" / PARENTS[0] / "db_2.sqlite", image(1, "chunk"))

    assert run(**task, ARKINDEX_TASK_CHUNK="2").out.endswith("['chunk']\n")


def test_no_parent_has_one(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """Then it is in memory, and leaves no file."""
    result = run(**task)

    assert (result.out, list(tmp_path.rglob("*.sqlite"))) == ("True None []\n", [])


def test_damaged_parent(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """Named, before user code; the task has no cache of its own then."""
    damaged = tmp_path / "ponos" / PARENTS[0] / "db.sqlite"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no database")

    result = run(**task)

    assert (result.code, str(damaged) in result.err.splitlines()[-1]) == (78, True)
    assert not (tmp_path / "ponos" / TASK / "db.sqlite").exists()


@pytest.mark.parametrize("parents", [None, "task-1", [3], [""], [None]])
def test_broken_list_of_parents(parents: Any, run: Callable[..., Result], task: dict[str, Any], arkindex: Stub) -> None:
    """An error of the API, with its operation."""
    arkindex.answers[f"/api/v1/task/{TASK}/"] = (200, {"parents": parents})

    result = run("--json", **task)

    assert (result.code, result.data["problems"][0]["location"]) == (69, "RetrieveTask")


@pytest.mark.parametrize("parent", ["../other", "/etc", "a/b", ".."])
def test_parent_that_leads_elsewhere(
    parent: str, run: Callable[..., Result], task: dict[str, Any], arkindex: Stub
) -> None:
    """An id is checked before it becomes a path; it is an error of the API, as a list that is broken is."""
    arkindex.answers[f"/api/v1/task/{TASK}/"] = (200, {"parents": [parent]})

    result = run("--json", **task)

    assert [problem["location"] for problem in result.data["problems"]] == ["RetrieveTask"]
    assert result.code == 69


def test_directory_that_cannot_be_made(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """One line that names it."""
    write(tmp_path / "ponos" / PARENTS[0] / "db.sqlite")
    (tmp_path / "ponos" / TASK).write_text("a file")

    result = run(**task)

    assert (result.code, "Traceback" in result.err) == (78, False)


def test_explain_merges_nothing(run: Callable[..., Result], task: dict[str, Any], tmp_path: Path) -> None:
    """It makes no file, nor any directory."""
    write(tmp_path / "ponos" / PARENTS[0] / "db.sqlite")

    result = run("--json", verb="explain", **task)

    assert (result.code, (tmp_path / "ponos" / TASK).exists(), (tmp_path / "ponos" / "current").exists()) == (
        0,
        False,
        False,
    )


def test_stand_in(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """A worker without a cache that touches it is told what to write."""
    source = "from arkworker import Worker\nclass W(Worker):\n    def run(self, context, cache): cache.add(1)"

    result = command("run", write_worker(source))

    assert (result.code, result.err.splitlines()[-1]) == (
        1,
        "arkworker: this worker has no cache: set uses_cache = True on its class",
    )
