"""Where the parents' caches are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from arkworker.errors import ApiContentError, ConfigurationError
from arkworker.storage.cache import find_parent_caches

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_parents_keep_their_order(tmp_path: Path) -> None:
    """The order of the ids is the order of the merge; parents without a cache are left out."""
    touch(tmp_path, "b/db.sqlite", "a/db.sqlite", "c/other")
    found = find_parent_caches(tmp_path, ["b", "missing", "c", "a"], None)
    assert found == [tmp_path / "b" / "db.sqlite", tmp_path / "a" / "db.sqlite"]


def test_a_chunk_adds_its_own_file(tmp_path: Path) -> None:
    """Beside the common one of each parent, and after it."""
    touch(tmp_path, "a/db.sqlite", "a/db_3.sqlite", "a/db_4.sqlite", "b/db_3.sqlite")
    found = [str(path.relative_to(tmp_path)) for path in find_parent_caches(tmp_path, ["a", "b"], "3")]
    assert found == ["a/db.sqlite", "a/db_3.sqlite", "b/db_3.sqlite"]


@pytest.mark.parametrize("chunk", [None, ""])
def test_no_chunk_is_no_file(tmp_path: Path, chunk: str | None) -> None:
    """An empty chunk is an absent one."""
    touch(tmp_path, "a/db_.sqlite", "a/db_None.sqlite")
    assert find_parent_caches(tmp_path, ["a"], chunk) == []


def test_only_files_count(tmp_path: Path) -> None:
    """A directory of that name is not a cache."""
    (tmp_path / "a" / "db.sqlite").mkdir(parents=True)
    assert find_parent_caches(tmp_path, ["a"]) == []


@pytest.mark.parametrize(
    ("parent", "chunk"), [("..", None), ("a/../../b", None), ("", None), ("a", "/../x"), ("a\0", "1")]
)
def test_no_way_leads_out(tmp_path: Path, parent: str, chunk: str | None) -> None:
    """Ids and chunks are names, not paths."""
    with pytest.raises((ApiContentError, ConfigurationError)):
        find_parent_caches(tmp_path, [parent], chunk)
