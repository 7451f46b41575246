"""Creating: a directory to tar to zstd in one stream, the same bytes for the same content."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from arkworker.storage.archives.destination import staging_directory
from arkworker.storage.archives.refusal import Refusal, blaming, check_path, clean, follow
from arkworker.storage.archives.tar import BLOCK, DIRECTORY, END, FILE, HARD_LINK, SYMLINK, header
from arkworker.storage.archives.unpacking import PIECE
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_LEVEL = 3
MAX_THREADS = 8  # each of them takes some megabytes
# Jobs of 2 MiB that see a quarter of the window before them: as small as with one thread, in half of the time and a
# fraction of the memory that the library's own choice takes.
_JOB_SIZE, _QUARTER_OF_WINDOW = 2**21, 7
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
        archive: Where to write it; an existing file is replaced.
        level: Of zstd, 1 to 19.
        threads: How many compress; by default one for each core, 8 at most.
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
            raise Refusal(f"cannot be created: {printable(str(directory))} is not a directory")
        if target.exists() and not target.is_file():
            raise Refusal("cannot be created: something that is not a file has that name")
        with staging_directory(target.parent, target) as staging:
            unfinished = staging / "archive"
            left_out = frozenset(os.fsencode(os.path.realpath(path)) for path in (target, staging, *leaving_out))
            compressor = zstandard.ZstdCompressor(compression_params=_parameters(level, threads))
            with unfinished.open("xb", buffering=0) as file:
                compressed = compressor.stream_writer(cast("BinaryIO", _Output(file)), closefd=False)
                with io.BufferedWriter(cast("io.RawIOBase", compressed), PIECE) as tar:
                    _Tar(os.fsencode(source), left_out, tar).add_directory(b"")
                    tar.write(END)
            unfinished.rename(target)


def _parameters(level: int, threads: int | None) -> zstandard.ZstdCompressionParameters:
    # Never 0: that is another algorithm, with other bytes.
    count = threads or min(os.cpu_count() or 1, MAX_THREADS)
    return zstandard.ZstdCompressionParameters.from_level(
        level, threads=count, write_checksum=True, job_size=_JOB_SIZE, overlap_log=_QUARTER_OF_WINDOW
    )


class _CannotBeWrittenError(Refusal):
    """It is the archive that fails, not the file that is being read."""


class _Output:
    """The file of an archive."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _CannotBeWrittenError(f"cannot be created: {error.strerror}") from None
        return len(data)


class _Tar:
    """What is in a directory, as a tar.

    Args:
        directory: With no symbolic link in its path.
        left_out: Paths that are skipped with all below them.
        file: Where the tar is written to.
    """

    def __init__(self, directory: bytes, left_out: frozenset[bytes], file: BinaryIO | io.BufferedWriter) -> None:
        self._directory = directory.rstrip(b"/") + b"/"
        self._left_out = left_out
        self._write = file.write
        self._linked: dict[tuple[int, int], bytes] = {}
        self._buffer = memoryview(bytearray(PIECE))

    def add_directory(self, path: bytes) -> None:
        """Write headers and contents of all below a directory, which is given with its slash.

        Raises:
            Refusal: There is something that `extract` would refuse, or a file changes while it is read.
        """
        with os.scandir(self._directory + path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.path in self._left_out:
                continue
            name = path + entry.name
            try:
                clean(name)
                self._add(name, entry)
            except OSError as error:
                raise Refusal(f"cannot be read: {error.strerror}", name) from None
            except _CannotBeWrittenError:
                raise
            except Refusal as refusal:
                raise Refusal(refusal.reason, refusal.member or name) from None

    def _add(self, name: bytes, entry: os.DirEntry[bytes]) -> None:
        if entry.is_symlink():
            self._write(header(name, SYMLINK, target=self._inside(name, entry.path)))
        elif entry.is_dir():
            self._write(header(name + b"/", DIRECTORY, mode=0o755))
            self.add_directory(name + b"/")
        elif entry.is_file():
            self._add_file(name, entry.path)
        else:
            raise Refusal("is a device, socket or FIFO, which an archive cannot hold")

    def _inside(self, name: bytes, path: bytes) -> bytes:
        """Where a symbolic link leads, from its own directory, over other links to the file itself."""
        target = os.path.realpath(path)
        if not target.startswith(self._directory) or not stat.S_ISREG(os.lstat(target).st_mode):
            raise Refusal("is a symbolic link that does not lead to a regular file of the directory")
        if target in self._left_out:
            raise Refusal("is a symbolic link to the archive itself")
        relative = os.path.relpath(target, path.rpartition(b"/")[0])
        follow(name, relative)
        return relative

    def _add_file(self, name: bytes, path: bytes) -> None:
        file = os.open(path, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise Refusal("changed while it was read")
            if status.st_nlink > 1 and (first := self._linked.setdefault((status.st_dev, status.st_ino), name)) != name:
                self._write(header(name, HARD_LINK, target=first))
                return
            size = status.st_size
            self._write(header(name, FILE, size, 0o755 if status.st_mode & 0o100 else 0o644))
            while size:
                count = os.readv(file, [self._buffer[: min(size, PIECE)]])
                if not count:
                    raise Refusal("changed while it was read")
                size -= count
                self._write(self._buffer[:count])
            if os.fstat(file).st_size != status.st_size:  # its time says less: network file systems correct it later
                raise Refusal("changed while it was read")
            self._write(bytes(-status.st_size % BLOCK))
        finally:
            os.close(file)
