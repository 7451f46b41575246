"""Files that are replaced as a whole: a reader sees the old content or the new one.

A file that a person named is replaced by `replace`, or by `replacing` where its content comes piece by piece. What its
name leads to decides how that is done:

- a regular file, or nothing yet: a temporary file, in a directory of its own beside it, takes its place; permissions
  and owner stay;
- a symbolic link: it stays, and the file that it leads to is replaced;
- an open file of a process (`/dev/stdout`, `/dev/fd/3`), standard output under its own name, a pipe or a device: it is
  written through, after what it holds already.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import select
import shutil
import stat
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from arkworker.storage.exclusive import FLAGS, explained, private_directory, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from arkworker.storage.exclusive import AnyPath

TEMPORARY_PREFIX = ".arkworker-"
_OPEN_FILES = re.compile(r"/proc/(?P<process>\d+)(/task/\d+)?/fd|/dev/fd")
_MOST_LINKS = 40  # as the kernel follows
_ROOM = 4096  # bytes that a disk must have left, before it is relied on
# Where nothing can be made beside a file, or renamed over it: a single file mounted into a container, a directory
# that is another's.
_NOT_BESIDE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})
_pipes: dict[str, int] = {}  # those with a name that are kept open until they are written, by their path


class Identity(NamedTuple):
    """What a name leads to, so that two names of one file are recognized: by links of both kinds, mounts, spelling.

    Attributes:
        device: The file system.
        inode: The file; where there is none yet, the directory that it would be in.
        name: Empty for a file; its name in that directory, where there is none yet.
    """

    device: int
    inode: int
    name: str = ""


def identity(path: AnyPath) -> Identity | None:
    """What a name leads to; None where that is unknown, because its directory does not exist."""
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
        with explained(path):
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
    with explained(path):
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
    """Whether what replaces it would be written through, because it is a pipe, a device or the open file of a process.

    Raises:
        OSError: It cannot be determined; `strerror` says why.
    """
    with explained(path):
        target = _target(path)
        return isinstance(target, int) or _is_special(target)


def check_replaceable(path: AnyPath) -> None:
    """Refuse now what `replace` would refuse later, as far as is known; nothing is changed.

    A named pipe is kept open until it is written: its reader would take the end of this check for the end.

    Raises:
        OSError: It could not be written; `strerror` says why.
    """
    with explained(path):
        target = _target(path)
        if isinstance(target, int):
            os.write(target, b"")
        elif _is_special(target):
            _try_special(target)
        else:
            _try(target)


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
        descriptor = _opened(target)
        os.set_blocking(descriptor, True)
    with io.BufferedWriter(_Patient(descriptor, "wb")) as file:
        yield file


def _opened(target: Path) -> int:
    """What is not a regular file, for writing. A pipe without a reader is an error, not a wait."""
    kept = _pipes.pop(os.fspath(target), None)
    if kept is not None:
        # User code may have closed every file, and opened others under the same numbers.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(kept), target.stat()):
                return kept
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | FLAGS)


def _try_special(target: Path) -> None:
    descriptor = _opened(target)
    try:
        os.write(descriptor, b"")  # a device that is full says so
        if target.is_fifo():
            _pipes[os.fspath(target)] = os.dup(descriptor)
    finally:
        os.close(descriptor)


class _Patient(io.FileIO):
    """Waits where another process that shares the stream has made it non-blocking, and it accepts nothing now."""

    def write(self, content: Buffer, /) -> int:
        while (written := super().write(content)) is None:
            select.select((), (self,), ())
        return written


@contextlib.contextmanager
def _beside(target: Path, mode: int | None) -> Iterator[IO[bytes]]:
    """A temporary file that takes the place of the target when the block succeeds, and vanishes otherwise."""
    exists = _may_write(target)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(private_directory(target.parent, TEMPORARY_PREFIX))
        except OSError as error:
            if not exists or error.errno not in _NOT_BESIDE:
                raise
            yield stack.enter_context(_in_place(target))
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS
        descriptor = os.open(folder / "whole", flags, 0o666 if mode is None and not exists else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            _keep(descriptor, target, mode)
            os.fsync(descriptor)
            _settle(folder / "whole", target)
    sync_directory(target.parent)


def _settle(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in _NOT_BESIDE or not target.exists():
            raise
        with temporary.open("rb") as content, _in_place(target) as file:
            shutil.copyfileobj(content, file)


def _in_place(target: Path) -> IO[bytes]:
    """The last resort: a crash may leave half of it."""
    # Without O_CREAT, which the kernel refuses for the files of others in directories such as /tmp.
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_TRUNC | FLAGS), "wb")


def _try(target: Path) -> None:
    exists = _may_write(target)
    try:
        with private_directory(target.parent, TEMPORARY_PREFIX) as folder:
            (folder / "whole").write_bytes(bytes(_ROOM))
    except OSError as error:
        if not exists or error.errno not in _NOT_BESIDE:
            raise


def _may_write(target: Path) -> bool:
    """Whether there is a file already.

    Raises:
        PermissionError: It is not to be written, although its directory might be.
    """
    exists = target.exists()
    if exists and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return exists


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
