"""The place where an archive is extracted to: what is made ready before, and the one moment in which it changes."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from .merging import TREE, merge
from .names import STAGING_PREFIX
from .refusal import Refusal
from .staging import remove_leftovers, staging_directory

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def prepare(destination: Path) -> Iterator[tuple[Path, Path]]:
    """The destination with its links resolved, and a staging directory on the same file system.

    Raises:
        Refusal: It is no directory.
        OSError: It cannot be written to.
    """
    target = Path(os.path.realpath(destination))
    if target.exists() and not target.is_dir():
        raise Refusal("cannot be extracted: the destination is no directory")
    missing = [path for path in target.parents if not path.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        base = _staging_base(target)
        for place in {base, target}:
            remove_leftovers(place, target)
        with staging_directory(base) as staging:
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
    tree = staging / TREE
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
    absent = f"{STAGING_PREFIX.decode()}absent"
    try:
        (source / absent).rename(target / absent)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _replace_empty(tree: Path, target: Path) -> bool:
    """Put the tree in the place of an empty directory, when nobody can tell it from the new one."""
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
