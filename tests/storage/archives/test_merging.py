"""What happens to the destination: one rename, or a merge that is complete, or undone."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ArchiveError
from arkworker.storage.archives import destination as merging, extract

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[[Path], dict[str, bytes | None]]

LEFTOVER = ".arkworker-staging-0123456789abcdef"


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def archive(make: Any) -> Path:
    """A file at the top, one in a directory that may exist, and a directory of its own."""
    path: Path = make(make.Entry(b"a", b"new"), make.Entry(b"d/b", b"new"), make.Entry(b"own/c", b"new"))
    return path


@pytest.fixture
def destination(place: Path) -> Path:
    """With files that the archive has too, and others."""
    path = place / "x"
    (path / "d").mkdir(parents=True)
    (path / "a").write_text("old")
    (path / "d" / "b").write_text("old")
    (path / "d" / "kept").write_text("old")
    return path


BEFORE = {"a": b"old", "d": None, "d/b": b"old", "d/kept": b"old"}
AFTER = {"a": b"new", "d": None, "d/b": b"new", "d/kept": b"old", "own": None, "own/c": b"new"}


def test_makes_the_destination_and_its_parents(archive: Path, place: Path, tree: Tree) -> None:
    """An absent destination appears, with nothing beside it."""
    extract(archive, place / "p" / "q" / "x")
    assert [path for path in tree(place) if "/x/" not in path] == ["p", "p/q", "p/q/x"]


def test_keeps_the_mode_of_an_empty_destination(archive: Path, place: Path) -> None:
    """A directory that was made private, as `mkdtemp` does, stays private."""
    (place / "x").mkdir(mode=0o700)
    extract(archive, place / "x")
    assert stat.S_IMODE((place / "x").stat().st_mode) == 0o700


def test_stays_the_working_directory(archive: Path, place: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree) -> None:
    """Who extracts to where he stands still stands there afterwards."""
    monkeypatch.chdir(place)
    extract(archive, Path())
    assert tree(Path.cwd()) == {"a": b"new", "d": None, "d/b": b"new", "own": None, "own/c": b"new"}


def test_replaces_files_and_keeps_others(archive: Path, destination: Path, tree: Tree) -> None:
    """What the archive does not have stays."""
    extract(archive, destination)
    assert (tree(destination), listing(destination.parent)) == (AFTER, ["x"])


def test_follows_a_link_to_the_destination_but_none_in_it(
    make: Any, place: Path, destination: Path, tmp_path: Path, tree: Tree
) -> None:
    """The destination may be a link, for its owner made it; below it no link is followed."""
    (place / "link").symlink_to("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (destination / "s").symlink_to(outside / "secret")
    extract(make(make.Entry(b"s", b"new")), place / "link")
    assert ((destination / "s").is_symlink(), (destination / "s").read_text()) == (False, "new")
    (destination / "out").symlink_to(outside)
    with pytest.raises(ArchiveError, match="is a directory, and a symbolic link has that name already"):
        extract(make(make.Entry(b"out/evil", b"new")), destination)
    assert tree(outside) == {"secret": b"secret"}


def test_a_hard_link_elsewhere_keeps_its_content(archive: Path, destination: Path, tmp_path: Path) -> None:
    """A file is replaced, never written into."""
    (tmp_path / "elsewhere").hardlink_to(destination / "a")
    extract(archive, destination)
    assert (tmp_path / "elsewhere").read_text() == "old"


@pytest.mark.parametrize("name", [b"d", b"a/f", b"pipe"])
def test_refuses_another_kind_in_the_way(name: bytes, make: Any, destination: Path, tree: Tree) -> None:
    """A directory is not replaced by a file, nor the reverse; and nothing else is moved either."""
    os.mkfifo(destination / "pipe")
    before = tree(destination)
    with pytest.raises(ArchiveError, match="has that name already"):
        extract(make(make.Entry(b"0", b"new"), make.Entry(name, b"new")), destination)
    assert (tree(destination), listing(destination.parent)) == (before, ["x"])


def test_refuses_a_destination_that_is_a_file(archive: Path, place: Path, tree: Tree) -> None:
    """One line, and the file stays."""
    (place / "x").write_text("old")
    with pytest.raises(ArchiveError, match="destination is not a directory"):
        extract(archive, place / "x")
    assert tree(place) == {"x": b"old"}


@pytest.mark.parametrize("failing", range(3))
def test_undoes_a_merge_that_fails(
    failing: int, archive: Path, destination: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever rename fails, the destination is as before."""
    rename, calls = Path.rename, []

    def fail(self: Path, target: Path) -> Path:
        if destination in target.parents and "tree" in self.parts:
            calls.append(target)
            if len(calls) == failing + 1:
                raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(ArchiveError, match="Input/output error"):
        extract(archive, destination)
    assert (tree(destination), listing(destination.parent)) == (BEFORE, ["x"])


class KilledError(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("hard_links", ["known", "unknown"])
@pytest.mark.parametrize("killed", range(8))
def test_the_next_run_undoes_a_merge_that_was_killed(
    killed: int,
    hard_links: str,
    make: Any,
    archive: Path,
    destination: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before any change of a merge, after any: the next run starts from what was there at first, also when it fails."""
    staging = destination.parent / LEFTOVER
    files = {"a": b"new", "d/b": b"new", "own/c": b"new"}
    for name, content in files.items():
        (staging / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / "tree" / name).write_bytes(content)
    changes: list[object] = []

    def count(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: Any, **options: Any) -> object:
            if len(changes) == killed:
                raise KilledError
            changes.append(arguments)
            return call(*arguments, **options)

        return counted

    def no_links(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", count(Path.rename))
        patch.setattr(Path, "unlink", count(Path.unlink))
        patch.setattr(os, "link", count(os.link) if hard_links == "known" else no_links)
        patch.setattr(merging, "undo", lambda *_: None)
        with pytest.raises(KilledError) if killed < 6 else pytest.raises((KilledError, StopIteration)):
            merging.merge(staging, destination)
            raise StopIteration
    finished = not merging.is_under_way(staging) and killed > 0
    with pytest.raises(ArchiveError):
        extract(make.compressed(b"garbage"), destination)
    assert (tree(destination), listing(destination.parent)) == (AFTER if finished else BEFORE, ["x"])
    extract(archive, destination)
    assert tree(destination) == AFTER


def test_removes_leftovers_of_killed_runs_only(archive: Path, place: Path) -> None:
    """A directory that another process has locked is not a leftover, and a name that is nearly ours is not ours."""
    for name in (LEFTOVER, f"{LEFTOVER[:-1]}0", f"{LEFTOVER}.old"):
        (place / name / "tree").mkdir(parents=True)
    held = os.open(place / f"{LEFTOVER[:-1]}0", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    extract(archive, place / "x")
    os.close(held)
    assert listing(place) == [f"{LEFTOVER[:-1]}0", f"{LEFTOVER}.old", "x"]


def test_leaves_a_half_merge_to_elsewhere_alone(archive: Path, place: Path, destination: Path) -> None:
    """It is undone by the next run to the same destination, and by no other."""
    staging = destination.parent / LEFTOVER
    (staging / "tree").mkdir(parents=True)
    (staging / "journal").write_text('{"target": "elsewhere", "moves": []}')
    extract(archive, destination)
    assert listing(place) == [LEFTOVER, "x"]


def test_follows_no_link_that_poses_as_a_leftover(archive: Path, place: Path, tmp_path: Path) -> None:
    """Who can write beside the destination cannot make us remove what lies elsewhere."""
    (tmp_path / "precious").mkdir()
    (place / LEFTOVER).symlink_to(tmp_path / "precious")
    extract(archive, place / "x")
    assert (tmp_path / "precious").is_dir()


def test_stages_within_a_volume_that_is_mounted(
    archive: Path, destination: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rename leads into a mounted volume, so all is made ready within it, and nothing of that is left."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if destination not in self.parents and destination in target.parents:
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    (destination / LEFTOVER).mkdir()
    extract(archive, destination)
    assert (tree(destination), listing(destination.parent)) == (AFTER, ["x"])
