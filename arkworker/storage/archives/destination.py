"""The place where an archive is extracted to: what is made ready beside it, and the one moment in which it changes.

All is made in a private directory on the same file system, and moved in by renames. Where the destination has something
already, each file is moved by a rename of its own, and the name of what it replaces is kept by a link, so that at no
moment a file is missing or half there; what is about to be moved is written down first, in a journal, so that one
function undoes a merge that failed and one that was killed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from arkworker.storage import exclusive, files
from arkworker.storage.archives.refusal import STAGING_PREFIX, Refusal
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

logger = logging.getLogger("arkworker.archives")

_JOURNAL, _REPLACED, _TREE, _LAYER = "journal", "replaced", "tree", "layer"
_PREFIX = STAGING_PREFIX.decode()
_NAMED = 20  # replaced files that are named in the log; the others are counted


@contextlib.contextmanager
def prepare(destination: Path) -> Iterator[tuple[Path, Path]]:
    """The destination with its links resolved, and a staging directory on the same file system.

    Raises:
        Refusal: It is not a directory.
        OSError: It cannot be written to.
    """
    target = Path(os.path.realpath(destination))
    if target.exists() and not target.is_dir():
        raise Refusal("cannot be extracted: the destination is not a directory")
    missing = [path for path in target.parents if not path.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        base = _staging_base(target)
        exclusive.remove_leftovers(target, _PREFIX, must_stay=partial(_is_needed, target=target))
        with staging_directory(base, target) as staging:
            yield target, staging
    except BaseException:
        for directory in missing:
            with contextlib.suppress(OSError):
                directory.rmdir()
        raise


def commit(staging: Path, target: Path) -> None:
    """Move the tree of the staging directory to the target, in one rename where that is possible.

    Raises:
        Refusal: Something in the target is in the way.
        OSError: It cannot be done; the target is as before.
    """
    tree = staging / _TREE
    if not target.exists():
        tree.chmod(0o755)
        tree.rename(target)
    elif not _replace_empty(tree, target):
        merge(staging, target)


def _staging_base(target: Path) -> Path:
    """Beside the target, or in it when what is beside it cannot be written to or lies on another volume."""
    beside = target.parent
    if not target.exists():
        return beside
    writable = os.access(beside, os.W_OK | os.X_OK) and target.stat().st_dev == beside.stat().st_dev
    return beside if writable and not _crosses_mount(beside, target) else target


def _crosses_mount(source: Path, target: Path) -> bool:
    """Whether no rename leads from one directory to the other: one disk may be mounted twice."""
    absent = f"{_PREFIX}absent"
    try:
        (source / absent).rename(target / absent)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _replace_empty(tree: Path, target: Path) -> bool:
    """Put the tree in place of an empty directory, when the two cannot be told apart."""
    before, ours = target.stat(), tree.stat()
    attributes = os.listxattr(target) if hasattr(os, "listxattr") else []  # access lists, for one
    same_owner = (before.st_uid, before.st_gid) == (ours.st_uid, ours.st_gid)
    is_working_directory = os.path.samestat(before, Path().stat())
    if attributes or not same_owner or is_working_directory or any(target.iterdir()):
        return False
    tree.chmod(stat.S_IMODE(before.st_mode))
    try:
        tree.rename(target)
    except OSError:
        return False  # a mounted volume, or no longer empty
    return True


def staging_directory(base: Path, target: Path) -> AbstractContextManager[Path]:
    """A new directory in `base`, removed at the end; what killed runs left there is undone and removed first.

    Args:
        base: On the same file system as the target.
        target: What its content is moved to.

    Raises:
        OSError: It cannot be made.
    """
    return exclusive.private_directory(base, _PREFIX, must_stay=partial(_is_needed, target=target))


def _is_needed(staging: Path, target: Path) -> bool:
    """Whether it still holds what must go back to the target, once all is undone that can be."""
    with contextlib.suppress(OSError):
        undo(staging, target)
    return is_under_way(staging)


# Into a directory that has something already


class Move(NamedTuple):
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
    for name in sorted(entry.name for entry in (upper / path).iterdir()):
        below_path = f"{path}/{name}" if path else name
        try:
            below = (lower / below_path).lstat().st_mode
        except FileNotFoundError:
            yield Move(below_path, replaces=False)
            continue
        above = (upper / below_path).lstat().st_mode
        if stat.S_ISDIR(above) and stat.S_ISDIR(below):
            yield from plan(upper, lower, below_path)
        elif stat.S_ISDIR(above) or not (stat.S_ISREG(below) or stat.S_ISLNK(below)):
            reason = f"is {_kind(above)}, and {_kind(below)} has that name already"
            raise Refusal(reason, os.fsencode(below_path))
        else:
            yield Move(below_path, replaces=True)


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
    tree, replaced = staging / _TREE, staging / _REPLACED
    replaced.mkdir()
    moves = list(plan(tree, target))
    # Where the target is, in words that stay true when the disk is mounted elsewhere.
    journal = {"target": os.path.relpath(target, staging.parent), "moves": moves}
    files.replace(staging / _JOURNAL, json.dumps(journal).encode("ascii"))
    try:
        for number, move in enumerate(moves):
            if move.replaces:
                _keep(target / move.path, replaced / str(number))
            (tree / move.path).rename(target / move.path)
    except BaseException:
        undo(staging, target)
        raise
    (staging / _JOURNAL).unlink()  # from here on there is nothing to undo


def is_under_way(staging: Path) -> bool:
    """Whether a merge was begun from this staging directory and neither finished nor undone."""
    return os.path.lexists(staging / _JOURNAL)


def undo(staging: Path, target: Path) -> None:
    """Put the target back as it was before a merge; again and again, if need be. Merges to elsewhere are left alone.

    What has been done is seen from the files themselves.
    """
    if not is_under_way(staging):
        return
    journal = json.loads((staging / _JOURNAL).read_text(encoding="ascii"))
    if journal["target"] != os.path.relpath(target, staging.parent):
        return
    for number, (path, replaces) in enumerate(journal["moves"]):
        above, below, kept = staging / _TREE / path, target / path, staging / _REPLACED / str(number)
        if os.path.lexists(kept) and not (os.path.lexists(above) and os.path.lexists(below)):
            kept.rename(below)
        elif not replaces and not os.path.lexists(above) and os.path.lexists(below):
            below.rename(above)
    (staging / _JOURNAL).unlink()


def _keep(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # no hard links on this file system
        path.rename(kept)


class Overlay:
    """The tree of a staging directory, out of what several archives hold, the later over the earlier."""

    def __init__(self, staging: Path) -> None:
        self._tree, self._layer = staging / _TREE, staging / _LAYER
        self._owners: dict[str, Path] = {}

    def new_layer(self) -> Path:
        """A new, empty directory for what the next archive holds."""
        self._layer.mkdir()
        return self._layer

    def add_layer(self, archive: Path) -> None:
        """Move what is in the layer over all before, and warn of each file that replaces an earlier archive's.

        Args:
            archive: Where it came from, for the warnings.

        Raises:
            Refusal: A name is a directory in one and a file in another.
        """
        if not self._owners:
            self._layer.rename(self._tree)
            self._owners[""] = archive
            return
        replaced = 0
        for move in list(plan(self._layer, self._tree)):
            if move.replaces:
                replaced += 1
                if replaced <= _NAMED:
                    names = printable(move.path), _shown(archive), _shown(self._owner(move.path))
                    logger.warning("%s of %s replaces the one of %s", *names)
            (self._layer / move.path).rename(self._tree / move.path)
            self._owners[move.path] = archive
        shutil.rmtree(self._layer)
        if replaced > _NAMED:
            logger.warning("%s replaces %d more files of earlier archives", _shown(archive), replaced - _NAMED)

    def _owner(self, path: str) -> Path:
        """The archive that a file came from: the one that brought it, or the nearest directory above it."""
        while path not in self._owners:
            path = path.rpartition("/")[0]
        return self._owners[path]


def _shown(archive: Path) -> str:
    return printable(str(archive), limit=4096)
