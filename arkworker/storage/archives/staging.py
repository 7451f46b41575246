"""A private directory beside the destination, in which all is made before it is moved in.

Whoever works in one holds a lock on it, which ends with its process, however that ends: a directory without its lock is
the leftover of a killed run, and the next run removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING

from . import merging
from .names import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("arkworker.archives")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(re.escape(STAGING_PREFIX.decode()) + "[0-9a-f]{16}")


@contextlib.contextmanager
def staging_directory(base: Path) -> Iterator[Path]:
    """A new directory in `base`, which is removed at the end with all that is still in it.

    Raises:
        OSError: It cannot be made.
    """
    path, lock = _make(base)
    try:
        yield path
    finally:
        _remove(path)
        os.close(lock)


def remove_leftovers(base: Path, target: Path) -> None:
    """Remove what killed runs left in `base`, and undo what they had half moved to `target`."""
    if not base.is_dir():
        return
    with os.scandir(base) as entries:
        names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
    for name in names:
        with contextlib.suppress(OSError):  # it is being removed, or is not ours
            _remove_leftover(base / name, target)


def _make(base: Path) -> tuple[Path, int]:
    while True:
        path = base / f"{STAGING_PREFIX.decode()}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        lock = os.open(path, _DIRECTORY)
        # Another run may have taken it for a leftover before it was locked.
        if _lock(lock) is not False and _is_at(lock, path):
            return path, lock
        os.close(lock)


def _lock(directory: int) -> bool | None:
    """Whether the lock was free; None where the file system has no locks."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(directory: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(directory), path.lstat())
    except FileNotFoundError:
        return False


def _remove_leftover(path: Path, target: Path) -> None:
    directory = os.open(path, _DIRECTORY)
    try:
        # Without locks nobody can tell a leftover from a run under way: it stays.
        if os.fstat(directory).st_uid != os.geteuid() or not _lock(directory):
            return
        merging.undo(path, target)
        _remove(path)
    finally:
        os.close(directory)


def _remove(path: Path) -> None:
    if merging.is_under_way(path):
        return  # it holds what must go back to the destination
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        logger.warning("A temporary directory could not be removed: %s", path)
