"""Extracting: zstd to tar to disk in one stream, all or nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from arkworker.text import printable

from .destination import commit, prepare
from .frames import decompress
from .limits import DEFAULT_MAX_MEMBERS, DEFAULT_MAX_MEMORY, Budget, free_space
from .members import Stream
from .merging import TREE
from .names import MAX_PATH
from .overlay import Overlay
from .refusal import Refusal, blaming, check_path
from .unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER = "layer"  # one archive, before it joins the others


def extract(
    archive: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    max_bytes: int | None = None,
    max_members: int = DEFAULT_MAX_MEMBERS,
    max_memory: int = DEFAULT_MAX_MEMORY,
) -> None:
    """Extract a `.tar.zst` archive; nothing is changed outside the destination, and on an error nothing at all.

    Regular files, directories, and links to regular files of the same archive are extracted (links as hard links);
    anything else is refused. An absent or empty destination is complete after one rename. What is in it already stays,
    but for the files that the archive has too.

    Args:
        archive: A regular file.
        destination: A directory; it and its parents are made when absent.
        max_bytes: The most that the files may take in all; by default the free space of the disk less 1 GiB.
        max_members: The most members that there may be.
        max_memory: What the process may need in all, in bytes; half of it bounds the window of zstd.

    Raises:
        ArchiveError: The archive is absent, damaged, hostile or too large, or the destination cannot be written to.
    """
    extract_parent_archives([archive], destination, max_bytes=max_bytes, max_members=max_members, max_memory=max_memory)


def extract_parent_archives(
    archives: Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    max_bytes: int | None = None,
    max_members: int = DEFAULT_MAX_MEMBERS,
    max_memory: int = DEFAULT_MAX_MEMORY,
) -> None:
    """Extract several archives into one destination, all of them or none.

    Where two of them have the same file, the later one wins, and a warning names both. The limits, and the rest, are as
    for `extract`; they hold for the archives together.

    Args:
        archives: In the order of the parents; none at all changes nothing.
        destination: A directory; it and its parents are made when absent.
        max_bytes: The most that the files may take in all; by default the free space of the disk less 1 GiB.
        max_members: The most members that there may be.
        max_memory: What the process may need in all, in bytes; half of it bounds the window of zstd.

    Raises:
        ArchiveError: One of them cannot be extracted, or a name is a directory in one and a file in another.
    """
    paths = [Path(archive) for archive in archives]
    if not paths:
        return
    for path in paths:
        with blaming(path):
            check_path(path)
            check_path(destination)
    failing = f"cannot be extracted to {printable(os.fspath(destination), limit=4096)}"
    with blaming(paths[-1], failing), prepare(Path(destination)) as (target, staging):
        limit = free_space(staging) if max_bytes is None else max_bytes
        budget = Budget(limit, max_members, max_memory)
        overlay = Overlay(staging / TREE)
        for path in paths:
            with blaming(path):
                _unpack(path, staging / LAYER, target, budget)
                overlay.add(staging / LAYER, path)
        commit(staging, target)


def _unpack(archive: Path, directory: Path, target: Path, budget: Budget) -> None:
    directory.mkdir()
    longest_path = MAX_PATH - len(os.fsencode(target)) - 1
    with _open(archive) as file, contextlib.closing(decompress(file, budget.max_window)) as contents:
        unpack(Stream(contents), os.fsencode(directory), longest_path, budget)


def _open(archive: Path) -> BinaryIO:
    """Without waiting, which a FIFO would do."""
    try:
        file = os.open(archive, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refusal("there is no such archive") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Refusal("is no regular file")
    return os.fdopen(file, "rb", buffering=2**16)
