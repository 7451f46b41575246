"""Writing a private file so that it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY_PREFIX = ".arkworker-"
_STALE_AFTER = 3600  # seconds; a file is written in less than one


def write_private(path: Path, content: bytes) -> None:
    """Replace the file by one of mode 0600, whatever the umask; missing directories are made with mode 0700.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    make_private_directory(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            _remove_stale(path.parent, os.fstat(descriptor).st_mtime)
        os.replace(temporary, path)  # noqa: PTH105 both are names as mkstemp gave them
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 as above
        raise
    _sync_directory(path.parent)


def make_private_directory(path: Path) -> None:
    """Make the directory and its missing parents, each with mode 0700 whatever the umask.

    Raises:
        OSError: It cannot be made, or is something else.
    """
    if path.is_dir():
        return
    make_private_directory(path.parent)
    with suppress(FileExistsError):  # another process may make it at this moment
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(path))


def _remove_stale(directory: Path, now: float) -> None:
    # What a killed process left. Compared with the clock of the file system, which may be another machine's.
    with suppress(OSError):
        for leftover in directory.glob(f"{TEMPORARY_PREFIX}*"):
            if now - leftover.lstat().st_mtime > _STALE_AFTER:
                leftover.unlink()


def _sync_directory(directory: Path) -> None:
    # The file is in place by now; a file system that cannot sync directories must not make that an error.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
