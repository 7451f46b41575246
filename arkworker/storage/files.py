"""Files on this machine, each thing once: replacing one whole, appending to one, locks, syncing, what is not a file.

A file that a person named is replaced by `replace`, or by `replacing` where its content comes piece by piece. Whoever
reads it sees the old content or the new one. What its name leads to decides how that is done:

- a regular file, or nothing yet: a temporary file beside it takes its place; permissions and owner stay;
- a symbolic link: it stays, and the file that it leads to is replaced;
- an open file of a process (`/dev/stdout`, `/dev/fd/3`), standard output under its own name, a pipe or a device: it is
  written through, after what it holds already.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import re
import secrets
import select
import shutil
import stat
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from typing import BinaryIO

    from typing_extensions import Buffer

    AnyPath = str | PathLike[str]

TEMPORARY_PREFIX = ".arkworker-"
_OPEN_FILES = re.compile(r"/proc/(?P<process>\d+)(/task/\d+)?/fd|/dev/fd")
_MOST_LINKS = 40  # as the kernel follows
_ROOM = 4096  # bytes that a disk must have left, before it is relied on
_FLAGS = os.O_CLOEXEC | os.O_NOCTTY
# Where nothing can be made beside a file, or renamed over it: a single file mounted into a container, a directory
# that is another's.
_NOT_BESIDE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})


class Identity(NamedTuple):
    """What a name leads to, so that two names of one file can be told: by links of both kinds, mounts, spelling.

    Attributes:
        device: The file system.
        inode: The file; where there is none yet, the directory that it would be in.
        name: Empty for a file; its name in that directory, where there is none yet.
    """

    device: int
    inode: int
    name: str = ""


def identity(path: AnyPath) -> Identity | None:
    """What a name leads to; None where that cannot be told, because its directory does not exist."""
    with contextlib.suppress(OSError, ValueError):
        try:
            status = Path(path).stat()
        except FileNotFoundError:
            place = Path(os.path.realpath(path))
            status = place.parent.stat()
            return Identity(status.st_dev, status.st_ino, place.name)
        return Identity(status.st_dev, status.st_ino)
    return None


def replace(path: AnyPath, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file whole; see the module.

    Args:
        path: Its name.
        content: All that it is to hold.
        mode: Its permissions, whatever they were before; by default they stay, and those of a new file follow the
            umask.

    Raises:
        OSError: It cannot be written, and is as it was; `strerror` says why, for a message.
    """
    with replacing(path, mode=mode) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: AnyPath, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """As `replace`, with what the block writes; when the block raises, a regular file is as it was.

    Raises:
        OSError: It cannot be written; `strerror` says why.
    """
    with contextlib.ExitStack() as stack:
        with _clear(path):
            target = _target(path)
            if isinstance(target, int) or _is_special(target):
                file = stack.enter_context(_through(target))
            else:
                file = stack.enter_context(_beside(target, mode))
        yield file


def move(built: Path, path: AnyPath) -> None:
    """Put a file that was made on the same file system in place of another, whole and on the disk.

    Raises:
        OSError: It cannot be put there, or what is there is not a regular file; `strerror` says why.
    """
    with _clear(path):
        target = _target(path)
        if isinstance(target, int) or _is_special(target):
            raise OSError(errno.EINVAL, "is not a regular file")
        _may_write(target)
        descriptor = os.open(built, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _keep(descriptor, target, None)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        built.replace(target)
        sync_directory(target.parent)


def is_stream(path: AnyPath) -> bool:
    """Whether what replaces it would be written through, because it is a pipe, a device or somebody's open file.

    Raises:
        OSError: It cannot be told; `strerror` says why.
    """
    with _clear(path):
        target = _target(path)
        return isinstance(target, int) or _is_special(target)


def check_replaceable(path: AnyPath) -> None:
    """Refuse now what `replace` would refuse later, as far as can be told; nothing is changed.

    Raises:
        OSError: It could not be written; `strerror` says why.
    """
    with _clear(path):
        target = _target(path)
        if isinstance(target, int):
            os.close(os.dup(target))
        elif _is_special(target):
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        else:
            _try(target)


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


@contextlib.contextmanager
def private_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory, removed at the end with all that is in it; those that killed processes left are removed first.

    Args:
        parent: Where it lies: beside what its content is to take the place of.
        prefix: Of its name. Directories that begin so and that nobody has locked are leftovers.

    Raises:
        OSError: It cannot be made.
    """
    for leftover in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if lock(descriptor):
                shutil.rmtree(leftover, ignore_errors=True)
            os.close(descriptor)
    path, descriptor = _make_directory(parent, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _make_directory(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = parent / f"{prefix}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # Another process may have taken it for a leftover before it was locked.
            if lock(descriptor) is not False and path.exists():
                return path, descriptor
            os.close(descriptor)


def sync_directory(path: AnyPath) -> None:
    """Put the names in a directory on the disk, where the file system can: a name is there only when that is done."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_regular(path: AnyPath, flags: int = os.O_RDONLY, mode: int = 0o644) -> int:
    """Open what is a regular file; a pipe without the other end does not hold us up.

    Args:
        path: Its name.
        flags: Of `os.open`.
        mode: The permissions of a file that is made.

    Raises:
        OSError: It cannot be opened, or is something else; `strerror` says why.
    """
    with _clear(path):
        descriptor = os.open(path, flags | _FLAGS | os.O_NONBLOCK, mode)
        try:
            _require_regular(os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


class AppendedFile:
    """A file that one process appends to: what is appended is there whole or not at all; for one thread at a time.

    Args:
        path: Its name; it is made where there is none.

    Attributes:
        end: Where the next piece goes, in bytes; at first behind all that is there.
        is_alone: Whether it is locked; None where the file system has no locks.

    Raises:
        OSError: It cannot be opened, or is not a regular file; `strerror` says why.
        BlockingIOError: Another process has it.
    """

    def __init__(self, path: AnyPath) -> None:
        is_new = not os.path.lexists(path)
        self._descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
        self.is_alone = lock(self._descriptor)
        if self.is_alone is False:
            os.close(self._descriptor)
            raise BlockingIOError(errno.EAGAIN, "another process has it", os.fspath(path))
        self.end = os.fstat(self._descriptor).st_size
        if is_new:
            sync_directory(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH120 - a text that may be empty

    def reader(self) -> BinaryIO:
        """All of it, from the start; to be closed on its own."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._descriptor), "rb")

    def append(self, content: bytes, *, sync: bool = True) -> None:
        """Add a piece; it is on the disk when this returns, unless `sync` is off.

        Raises:
            OSError: The disk refuses; the file is as it was.
        """
        position, view = self.end, memoryview(content)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, position)
                view, position = view[written:], position + written
            if sync:
                os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # whoever reads it next drops what is cut
                self.cut(self.end)
            raise
        self.end = position

    def cut(self, end: int) -> None:
        """Drop what comes after a place."""
        os.ftruncate(self._descriptor, end)
        self.end = end

    def close(self) -> None:
        os.close(self._descriptor)


def _target(path: AnyPath) -> Path | int:
    """What a name leads to: the file that is to be replaced, or a descriptor of ours that is to be written through."""
    name = os.path.abspath(path)  # noqa: PTH100 - of a text; what is absolute stays so when the directory changes
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(name))  # noqa: PTH120 - of a text
        name = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119 - of a text
        match = _OPEN_FILES.fullmatch(folder)
        number = os.path.basename(name)  # noqa: PTH119 - of a text
        if match and number.isdecimal() and match["process"] in (None, str(os.getpid())):
            return int(number)
        if match or not os.path.islink(name):  # noqa: PTH114 - of a text
            break
        name = os.path.join(folder, os.readlink(name))  # noqa: PTH115, PTH118 - of a text
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return _standard_stream(name) or Path(name)


def _standard_stream(name: str) -> int | None:
    """The descriptor of standard output or error, where the name is that of the file that takes it."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.path.samestat(Path(name).stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _is_special(target: Path) -> bool:
    """Whether something else than a regular file is there that can be written to."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory, not a file")
    # An open file of another process has a name that cannot be replaced.
    return not stat.S_ISREG(mode) or _OPEN_FILES.fullmatch(str(target.parent)) is not None


@contextlib.contextmanager
def _through(target: Path | int) -> Iterator[IO[bytes]]:
    """What is written goes to the end of what is there."""
    if isinstance(target, int):
        for stream in (sys.stdout, sys.stderr):  # what was printed before comes before
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        descriptor = os.dup(target)
    else:
        # A pipe that nobody reads is an error, not a wait; one that is read slowly is waited for.
        descriptor = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | _FLAGS)
        os.set_blocking(descriptor, True)
    with io.BufferedWriter(_Patient(descriptor, "wb")) as file:
        yield file


class _Patient(io.FileIO):
    """Waits where whoever shares the stream has made it non-blocking, and it takes nothing now."""

    def write(self, content: Buffer, /) -> int:
        while (written := super().write(content)) is None:
            select.select((), (self,), ())
        return written


@contextlib.contextmanager
def _beside(target: Path, mode: int | None) -> Iterator[IO[bytes]]:
    """A temporary file that takes the place of the target when the block succeeds, and vanishes otherwise."""
    exists = _may_write(target)
    try:
        descriptor, temporary = _make_temporary(target, 0o666 if mode is None and not exists else 0o600)
    except OSError as error:
        if not exists or error.errno not in _NOT_BESIDE:
            raise
        with _in_place(target) as file:
            yield file
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            _keep(descriptor, target, mode)
            os.fsync(descriptor)
            _settle(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(target.parent)


def _settle(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in _NOT_BESIDE or not target.exists():
            raise
        with temporary.open("rb") as content, _in_place(target) as file:
            shutil.copyfileobj(content, file)
        temporary.unlink()


def _in_place(target: Path) -> IO[bytes]:
    """The last resort: a crash may leave half of it."""
    # Without O_CREAT, which the kernel refuses for the files of others in directories such as /tmp.
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_TRUNC | _FLAGS), "wb")


def _try(target: Path) -> None:
    exists = _may_write(target)
    try:
        descriptor, temporary = _make_temporary(target, 0o600)
    except OSError as error:
        if not exists or error.errno not in _NOT_BESIDE:
            raise
        return
    try:
        os.write(descriptor, bytes(_ROOM))
    finally:
        os.close(descriptor)
        temporary.unlink()


def _may_write(target: Path) -> bool:
    """Whether there is a file already.

    Raises:
        PermissionError: It is not to be written, although its directory might be.
    """
    exists = target.exists()
    if exists and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return exists


def _make_temporary(target: Path, mode: int) -> tuple[int, Path]:
    """A new, locked file beside the target; those that killed processes left, whose locks are free, are removed."""
    # A digest: the name itself may be as long as a name can be.
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    for leftover in target.parent.glob(f"{TEMPORARY_PREFIX}{digest}-*.part"):
        with contextlib.suppress(OSError), leftover.open("rb") as file:
            if lock(file):
                leftover.unlink()
    while True:
        path = target.with_name(f"{TEMPORARY_PREFIX}{digest}-{secrets.token_hex(8)}.part")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, mode)
        # Another process may have taken it for a leftover before it was locked.
        if lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)


def _keep(descriptor: int, target: Path, mode: int | None) -> None:
    """Give a file the permissions and the owner of the one that it replaces."""
    try:
        before = target.stat()
    except FileNotFoundError:
        if mode is not None:
            os.fchmod(descriptor, mode)
        return
    now = os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        with contextlib.suppress(PermissionError):  # only the superuser gives files away
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) if mode is None else mode)


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file")


@contextlib.contextmanager
def _clear(path: AnyPath) -> Iterator[None]:
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
        if error.errno == errno.ENXIO:
            _raise(error, "no process reads this pipe", path)
        raise


def _raise(error: OSError, reason: str, path: AnyPath) -> NoReturn:
    raise type(error)(error.errno, reason, os.fspath(path)) from None
