"""Creating: a directory to tar to zstd in one stream, the same bytes for the same content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from arkworker.text import printable

from .refusal import Refusal, blaming, check_path
from .staging import remove_leftovers, staging_directory
from .writing import tar

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_LEVEL = 3
MAX_THREADS = 8  # each of them takes some megabytes
# Jobs of 1 MiB that see half a window before them: smaller than with one thread, in a quarter of the memory that the
# library's own choice takes.
_JOB_SIZE, _HALF_OF_WINDOW = 2**20, 8


def create(
    directory: str | os.PathLike[str],
    archive: str | os.PathLike[str],
    *,
    level: int = DEFAULT_LEVEL,
    threads: int | None = None,
    leaving_out: Iterable[str | os.PathLike[str]] = (),
) -> None:
    """Write the content of a directory into a `.tar.zst` archive, which appears when it is complete.

    The same files give the same bytes: sorted names, no times, no owners, modes 0644 or 0755; it is one zstd frame with
    a checksum, whatever the number of threads. The archive itself, when it lies in the directory, is left out.

    Args:
        directory: Regular files, directories, and symbolic links to regular files within it.
        archive: Where to; what is there is replaced.
        level: Of zstd, 1 to 19.
        threads: That compress; by default one for each core, 8 at most.
        leaving_out: Paths in the directory that are left out, with all below them.

    Raises:
        ArchiveError: The directory is absent, has something that could not be extracted, or changes meanwhile; the
            archive cannot be written.
    """
    with blaming(Path(archive), "cannot be created"):
        check_path(archive)
        check_path(directory)
        source, target = Path(os.path.realpath(directory)), Path(os.path.realpath(archive))
        if not source.is_dir():
            raise Refusal(f"cannot be created: {printable(str(directory))} is no directory")
        if target.exists() and not target.is_file():
            raise Refusal("cannot be created: something that is no file has that name")
        remove_leftovers(target.parent, target)
        with staging_directory(target.parent) as staging:
            unfinished = staging / "archive"
            with unfinished.open("xb") as file:
                left_out = frozenset(os.fsencode(os.path.realpath(path)) for path in (target, staging, *leaving_out))
                _write(os.fsencode(source), left_out, file, _parameters(level, threads))
            unfinished.rename(target)


def _write(
    directory: bytes, left_out: frozenset[bytes], file: BinaryIO, parameters: zstandard.ZstdCompressionParameters
) -> None:
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    file.writelines(compressor.compress(piece) for piece in tar(directory, left_out))
    file.write(compressor.flush())


def _parameters(level: int, threads: int | None) -> zstandard.ZstdCompressionParameters:
    # Never 0: that is another algorithm, with other bytes.
    count = threads or min(os.cpu_count() or 1, MAX_THREADS)
    return zstandard.ZstdCompressionParameters.from_level(
        level, threads=count, write_checksum=True, job_size=_JOB_SIZE, overlap_log=_HALF_OF_WINDOW
    )
