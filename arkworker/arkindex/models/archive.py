"""The archive of a model, and the parts that it is sent in."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from arkworker.storage.archives import create
from arkworker.storage.archives.destination import staging_directory
from arkworker.storage.exclusive import blaming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MIB = 2**20
#: An archive goes in five parts, of 5 to 50 MiB each; a larger one in more parts, as many as a storage takes.
PARTS, SMALLEST, LARGEST, MOST_PARTS = 5, 5 * MIB, 50 * MIB, 10_000
_NAME = "model.tar.zst"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an archive; `number` counts from 1, `offset` and `length` are bytes."""

    number: int
    offset: int
    length: int
    md5: bytes


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """An archive on the disk; `size` is in bytes, `md5` hexadecimal."""

    path: Path
    size: int
    md5: str
    parts: tuple[Part, ...]


@contextmanager
def archive_of(files: Path | tuple[Path, ...], work_dir: Path) -> Iterator[ModelArchive]:
    """The archive of a directory's content, or of some files, while the block lasts.

    Args:
        files: A directory, or regular files of different names.
        work_dir: Where the archive lies meanwhile; must have room for it.

    Raises:
        ArchiveError: The archive cannot be made.
        ArkworkerError: The working directory cannot be used.
    """
    with ExitStack() as stack:
        with blaming(work_dir, ": the archive of the model cannot be created there"):
            work_dir.mkdir(parents=True, exist_ok=True)
            staging = stack.enter_context(staging_directory(work_dir, work_dir / _NAME))
            source = files if isinstance(files, Path) else _gather(files, staging / "files")
            create(source, staging / _NAME, leaving_out=[staging] if source is files else [])
            archive = describe(staging / _NAME)
        yield archive


def describe(path: Path) -> ModelArchive:
    """Size, digest and parts of an archive, read once."""
    size = path.stat().st_size
    whole = hashlib.md5(usedforsecurity=False)  # what Arkindex and its storage compare
    with path.open("rb") as file:
        parts = tuple(
            Part(number, offset, length, _digest(file, length, whole)) for number, offset, length in _divide(size)
        )
    return ModelArchive(path, size, whole.hexdigest(), parts)


def part_size_of(size: int) -> int:
    """Bytes of the parts of a file, as the published client divides it: whole MiB, the last part may be smaller."""
    whole = math.ceil(size / PARTS / MIB) * MIB
    fitting = math.ceil(size / MOST_PARTS / MIB) * MIB
    return max(min(max(whole, SMALLEST), LARGEST), fitting)


def _divide(size: int) -> Iterable[tuple[int, int, int]]:
    step = part_size_of(size)
    return ((number, offset, min(step, size - offset)) for number, offset in enumerate(range(0, size, step), 1))


def _digest(file: IO[bytes], length: int, whole: hashlib._Hash) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    while length and (chunk := file.read(min(length, MIB))):
        digest.update(chunk)
        whole.update(chunk)
        length -= len(chunk)
    return digest.digest()


def _gather(files: Iterable[Path], directory: Path) -> Path:
    directory.mkdir()
    for file in files:
        try:
            os.link(os.path.realpath(file), directory / file.name)
        except OSError:  # another file system, or one without hard links
            shutil.copy(file, directory / file.name)
    return directory
