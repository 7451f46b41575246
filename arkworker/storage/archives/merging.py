"""A directory into another one that has something already, so that it can be undone.

Each file is moved by one rename, and the name of what it replaces is kept by a link, so that at no moment a file is
missing or half there. What is about to be done is written down first (the journal), and what has been done is seen from
the files themselves; so the same function undoes a merge that failed and, in the next run, one that was killed.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOURNAL, BACKUP, TREE = "journal", "replaced", "tree"


@dataclass(frozen=True, slots=True)
class Move:
    """One name that goes from the upper directory to the lower: a file or a whole directory.

    Attributes:
        path: Below both directories.
        replaces: Whether it takes the place of a file.
    """

    path: str
    replaces: bool


def plan(upper: Path, lower: Path, path: str = "") -> Iterator[Move]:
    """What to move from the upper directory to the lower, sorted. Directories of one name become one.

    Raises:
        Refusal: A name is a directory in one and something else in the other.
        OSError: A directory cannot be read.
    """
    with os.scandir(upper / path) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        yield from _plan_one(upper, lower, f"{path}/{name}" if path else name)


def _plan_one(upper: Path, lower: Path, path: str) -> Iterator[Move]:
    try:
        below = (lower / path).lstat().st_mode
    except FileNotFoundError:
        yield Move(path, replaces=False)
        return
    above = (upper / path).lstat().st_mode
    if stat.S_ISDIR(above) and stat.S_ISDIR(below):
        yield from plan(upper, lower, path)
    elif stat.S_ISDIR(above) or not (stat.S_ISREG(below) or stat.S_ISLNK(below)):
        raise Refusal(f"is {_kind(above)}, and {_kind(below)} has that name already", os.fsencode(path))
    else:
        yield Move(path, replaces=True)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a file" if stat.S_ISREG(mode) else "a device, socket or FIFO"


def merge(staging: Path, target: Path) -> None:
    """Move what is in the tree of a staging directory into the target; all of it, or nothing.

    Raises:
        Refusal: Something in the target is in the way.
        OSError: It cannot be done; the target is as before.
    """
    tree = staging / TREE
    (staging / BACKUP).mkdir()
    _write_journal(staging, target, plan(tree, target))
    try:
        for number, move in enumerate(_read_journal(staging)):
            if move.replaces:
                _keep(target / move.path, staging / BACKUP / str(number))
            (tree / move.path).rename(target / move.path)
    except BaseException:
        undo(staging, target)
        raise
    (staging / JOURNAL).unlink()  # from here on there is nothing to undo


def is_under_way(staging: Path) -> bool:
    """Whether a merge was begun from this staging directory and neither finished nor undone."""
    return os.path.lexists(staging / JOURNAL)


def undo(staging: Path, target: Path) -> None:
    """Put the target back as it was before a merge; again and again, if need be. Merges to elsewhere are left alone."""
    if not is_under_way(staging) or _destination(staging) != _relative(staging, target):
        return
    tree = staging / TREE
    for number, move in enumerate(_read_journal(staging)):
        above, below = tree / move.path, target / move.path
        kept = staging / BACKUP / str(number)
        if os.path.lexists(kept) and not (os.path.lexists(above) and os.path.lexists(below)):
            kept.rename(below)
        elif not move.replaces and not os.path.lexists(above) and os.path.lexists(below):
            below.rename(above)
    (staging / JOURNAL).unlink()


def _keep(path: Path, backup: Path) -> None:
    try:
        os.link(path, backup, follow_symlinks=False)
    except OSError:  # no hard links on this file system
        path.rename(backup)


def _write_journal(staging: Path, target: Path, moves: Iterator[Move]) -> None:
    """Complete or absent: it gets its name when all is in it."""
    unfinished = staging / f"{JOURNAL}.unfinished"
    with unfinished.open("w", encoding="ascii") as file:
        file.write(json.dumps(_relative(staging, target)) + "\n")
        for move in moves:
            file.write(json.dumps([move.path, move.replaces]) + "\n")
    unfinished.rename(staging / JOURNAL)


def _relative(staging: Path, target: Path) -> str:
    """Where the target is, in words that stay true when the disk is mounted elsewhere."""
    return os.path.relpath(target, staging.parent)


def _destination(staging: Path) -> object:
    with (staging / JOURNAL).open(encoding="ascii") as file:
        return json.loads(file.readline())


def _read_journal(staging: Path) -> Iterator[Move]:
    with (staging / JOURNAL).open(encoding="ascii") as file:
        file.readline()
        for line in file:
            yield Move(*json.loads(line))
