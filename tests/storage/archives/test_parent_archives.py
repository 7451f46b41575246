"""Several archives into one destination: the later wins, and says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import ArchiveError
from arkworker.storage.archives import extract_parent_archives

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tree = Callable[[Path], dict[str, bytes | None]]


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_later_parent_wins_and_a_warning_names_both(
    make: Any, place: Path, tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    """Each replaced file is told once for each time, with the archive that it came from."""
    first = make(make.Entry(b"d/a", b"1"), make.Entry(b"d/b", b"1"))
    second = make(make.Entry(b"d/b", b"2"), make.Entry(b"e/c", b"2"))
    third = make(make.Entry(b"d/b", b"3"), make.Entry(b"e/c", b"3"), make.Entry(b"d/a", b"3"))
    with caplog.at_level(logging.WARNING, "arkworker"):
        extract_parent_archives([first, second, third], place / "x")
    assert tree(place / "x") == {"d": None, "d/a": b"3", "d/b": b"3", "e": None, "e/c": b"3"}
    assert caplog.messages == [
        f"d/b of {second} replaces the one of {first}",
        f"d/a of {third} replaces the one of {first}",
        f"d/b of {third} replaces the one of {second}",
        f"e/c of {third} replaces the one of {second}",
    ]


def test_many_replaced_files_are_counted(make: Any, place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A log is for people: twenty names, then a number."""
    archives = [make(*[make.Entry(b"%03d" % number) for number in range(100)]) for _ in range(2)]
    extract_parent_archives(archives, place / "x")
    assert (len(caplog.messages), caplog.messages[-1]) == (
        21,
        f"{archives[1]} replaces 80 more files of earlier archives",
    )


def test_one_bad_parent_spoils_all(make: Any, place: Path) -> None:
    """Nothing of the good ones is left either, and the error names the bad one."""
    good, bad = make(make.Entry(b"a")), make(make.Entry(b"../b"))
    with pytest.raises(ArchiveError) as caught:
        extract_parent_archives([good, bad, good], place / "x")
    assert (caught.value.archive, listing(place)) == (str(bad), [])


def test_a_directory_against_a_file_is_refused(make: Any, place: Path) -> None:
    """Nobody can tell what was meant; the error names the archive and the member."""
    archives = [make(make.Entry(b"a/b")), make(make.Entry(b"a")), make(make.Entry(b"c"))]
    with pytest.raises(ArchiveError) as caught:
        extract_parent_archives(archives, place / "x")
    assert (caught.value.archive, caught.value.member, listing(place)) == (str(archives[1]), "a", [])


def test_limits_hold_for_all_together(make: Any, place: Path) -> None:
    """Two archives of four bytes do not fit in seven."""
    archives = [make(make.Entry(b"a", b"text")), make(make.Entry(b"b", b"text"))]
    with pytest.raises(ArchiveError, match="limit of 7 bytes"):
        extract_parent_archives(archives, place / "x", max_bytes=7)
    extract_parent_archives(archives, place / "x", max_bytes=8)
    assert listing(place / "x") == ["a", "b"]


def test_no_parents_change_nothing(place: Path) -> None:
    """Not even an empty directory is made."""
    extract_parent_archives([], place / "x")
    assert listing(place) == []
