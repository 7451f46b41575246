"""What one process has to itself: files that it appends to, private directories, and what every open file needs.

Each is locked as long as its process lives, however that ends: a directory whose lock is free was left by one that was
killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import shutil
import stat
from typing import IO, TYPE_CHECKING, NoReturn

from arkworker.errors import ArkworkerError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike
    from pathlib import Path
    from typing import BinaryIO

    AnyPath = str | PathLike[str]

logger = logging.getLogger("arkworker")

FLAGS = os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def lock(descriptor: int | IO[bytes], *, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed, without waiting.

    Returns:
        Whether the lock was free; None where the file system has no locks, as some of clusters have none.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sync_directory(path: AnyPath) -> None:
    """Put the names in a directory on the disk, where the file system can: a name is there only when that is done."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_regular(path: AnyPath, flags: int = os.O_RDONLY) -> int:
    """Open what is a regular file; a pipe without the other end does not hold us up.

    Raises:
        OSError: It cannot be opened, or is something else; `strerror` says why.
    """
    with explained(path):
        descriptor = os.open(path, flags | FLAGS | os.O_NONBLOCK, 0o644)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "is a directory, not a file")
        raise OSError(errno.EINVAL, "is not a regular file")


@contextlib.contextmanager
def explained(path: AnyPath) -> Iterator[None]:
    """Say in `strerror` what is wrong in a way that a message can use."""
    try:
        yield
    except FileNotFoundError as error:
        folder = os.path.dirname(os.path.realpath(path)) or "."  # noqa: PTH120 - of a text
        if os.path.isdir(folder):  # noqa: PTH112 - of a text
            raise
        _raise(error, f"there is no directory {folder}", path)
    except ValueError as error:
        if "\0" not in os.fspath(path):
            raise
        _raise(OSError(errno.EINVAL, str(error)), "the path holds a NUL character", path)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116 - of a text
            _raise(error, "no process reads this pipe", path)
        if error.errno == errno.ENXIO and stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116 - as above
            _raise(error, "is a socket, not a file", path)
        raise


@contextlib.contextmanager
def blaming(path: AnyPath, failing: str = "") -> Iterator[None]:
    """What goes wrong with a file or a directory in this block is an error that names it.

    Args:
        path: Its name.
        failing: What cannot be done, as it follows the name: ` cannot be uploaded`.

    Raises:
        ArkworkerError: On one line.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ArkworkerError(f"{printable(os.fspath(path), 500)}{failing}: {reason}") from None


def reason_of(error: OSError, failing: str) -> str:
    """What to say of a file: `cannot be written: Permission denied`, but `is a directory, not a file` alone."""
    reason = error.strerror or type(error).__name__
    return reason if reason.startswith("is ") else f"{failing}: {reason}"


def _raise(error: OSError, reason: str, path: AnyPath) -> NoReturn:
    raise type(error)(error.errno, reason, os.fspath(path)) from None


class AppendedFile:
    """A file that one process appends to: what is appended is there whole or not at all; for one thread at a time.

    Args:
        path: Its name; it is made where there is none.

    Attributes:
        end: Where the next piece goes, in bytes; at first behind all that is there.

    Raises:
        OSError: It cannot be opened, or is not a regular file; `strerror` says why.
        BlockingIOError: Another process has it.
    """

    def __init__(self, path: AnyPath) -> None:
        is_new = not os.path.lexists(path)
        self._path = os.path.abspath(path)  # noqa: PTH100 - a text
        self._descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
        is_alone = lock(self._descriptor)
        if is_alone is None:
            told = "%s cannot be locked on this file system; make sure that no other process writes it"
            logger.warning(told, printable(os.fspath(path)))
        elif not is_alone:
            os.close(self._descriptor)
            raise BlockingIOError(errno.EAGAIN, "another process has it", os.fspath(path))
        self._opened = os.fstat(self._descriptor)
        self.end = self._opened.st_size
        self._owner = os.getpid()
        if is_new:
            sync_directory(os.path.dirname(self._path))  # noqa: PTH120 - a text

    def reader(self) -> BinaryIO:
        """All of it, from the start; to be closed on its own."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._descriptor), "rb")

    def append(self, content: bytes, *, sync: bool = True) -> None:
        """Add a piece; it is on the disk when this returns, unless `sync` is off.

        Raises:
            OSError: The disk refuses; the file is as it was. Or another program has changed or removed it.
        """
        here = os.fstat(self._descriptor)
        if not os.path.samestat(here, self._opened):  # this program has closed it, and opened another
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if here.st_size != self.end:
            raise OSError(errno.ESTALE, "another program has changed it")
        position, view = self.end, memoryview(content)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, position)
                view, position = view[written:], position + written
            if sync:
                os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # the next reader drops what is cut
                self.cut(self.end)
            raise
        self.end = position
        self._require_name()

    def _require_name(self) -> None:
        """What is written to a file that has no name any more is lost, and no write says so."""
        try:
            there = os.stat(self._path)  # noqa: PTH116 - of a text
        except FileNotFoundError:
            raise OSError(errno.ESTALE, "it was removed or renamed meanwhile") from None
        # Some network file systems give a file another number from time to time.
        if not os.path.samestat(there, self._opened) and there.st_size != self.end:
            raise OSError(errno.ESTALE, "another file was put in its place")

    def cut(self, end: int) -> None:
        """Drop what comes after a place."""
        os.ftruncate(self._descriptor, end)
        self.end = end

    def close(self) -> None:
        """Let others have it, at once: a process that user code has forked may live on, and would keep the lock."""
        if os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


@contextlib.contextmanager
def private_directory(
    parent: Path, prefix: str, *, must_stay: Callable[[Path], bool] = lambda _: False
) -> Iterator[Path]:
    """A new directory, removed at the end with all that is in it; those that killed processes left are removed first.

    Args:
        parent: Where it lies: beside what its content is to take the place of.
        prefix: Of its name.
        must_stay: Asked of each before it is removed, whether it holds something that is needed.

    Raises:
        OSError: It cannot be made.
    """
    remove_leftovers(parent, prefix, must_stay=must_stay)
    path, descriptor = _make_directory(parent, prefix)
    try:
        yield path
    finally:
        _remove(path, must_stay)
        os.close(descriptor)


def remove_leftovers(parent: Path, prefix: str, *, must_stay: Callable[[Path], bool] = lambda _: False) -> None:
    """Remove what `private_directory` made and a process that was killed left; see there."""
    for leftover in parent.glob(prefix + "[0-9a-f]" * 16):
        with contextlib.suppress(OSError):  # it is being removed, or a link
            descriptor = os.open(leftover, _DIRECTORY)
            try:
                # Without locks, a leftover cannot be told from a directory in use: it stays.
                if os.fstat(descriptor).st_uid == os.geteuid() and lock(descriptor):
                    _remove(leftover, must_stay)
            finally:
                os.close(descriptor)


def _remove(directory: Path, must_stay: Callable[[Path], bool]) -> None:
    if must_stay(directory):
        return
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        logger.warning("A temporary directory could not be removed: %s", directory)


def _make_directory(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = parent / f"{prefix}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        # Another process may have taken it for a leftover before it was locked, or even opened.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, _DIRECTORY)
            with contextlib.suppress(FileNotFoundError):
                if lock(descriptor) is not False and os.path.samestat(os.fstat(descriptor), path.lstat()):
                    return path, descriptor
            os.close(descriptor)
