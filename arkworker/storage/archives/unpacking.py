"""Members onto the disk: regular files and directories, and nothing else.

All is written below one directory, which is private and new, through its descriptor. No symbolic link is ever made in
it, so there is none that could be followed, and a name without `..` cannot lead out.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

from arkworker.storage.archives.refusal import MAX_PATH, Refusal, clean, follow
from arkworker.storage.archives.tar import DIRECTORY, FILE, HARD_LINK, read_members, take

if TYPE_CHECKING:
    from typing import BinaryIO

    from arkworker.storage.archives.refusal import Budget
    from arkworker.storage.archives.tar import Member

PIECE = 2**18  # what fits the caches is faster
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LATEST_TIME = 2**32  # fits every file system, until the year 2106
_NO_LINKS_HERE = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def unpack(stream: BinaryIO, directory: bytes, longest_path: int, budget: Budget) -> None:
    """Write all members of a tar below a new, private directory.

    Args:
        stream: The bytes of the tar.
        directory: Where to; empty.
        longest_path: How long a member's path may be, in bytes.
        budget: The limits, of which this is spent.

    Raises:
        Refusal: Of the tar, a name, a limit, or because the disk is full.
    """
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        unpacker = _Unpacker(root, longest_path, budget)
        for member in read_members(stream, budget):
            unpacker.add(member, stream)
        unpacker.link_symlinks()
    finally:
        os.close(root)


class _Unpacker:
    def __init__(self, root: int, longest_path: int, budget: Budget) -> None:
        self._root = root
        self._longest_path = min(longest_path, MAX_PATH)
        self._budget = budget
        self._symlinks: dict[bytes, bytes] = {}
        # The directory was made with 0777: what the umask, or an access list, took from that shows what it takes.
        self._modes_are_kept = os.fstat(root).st_mode & 0o755 == 0o755

    def add(self, member: Member, stream: BinaryIO) -> None:
        """Write one member, or remember it when it is a symbolic link; what goes wrong is reported with its name."""
        try:
            if member.kind == DIRECTORY and member.name and not clean(member.name):
                return  # the root: `tar -C directory .` has it
            path = self._clean(member.name)
            if member.kind == FILE:
                self._write_file(path, member, stream)
            elif member.kind == DIRECTORY:
                self._make_directory(path)
            elif member.kind == HARD_LINK:
                self._link(self._clean(member.target), path)
            else:
                self._remember(path, follow(path, member.target))
        except Refusal as refusal:
            raise Refusal(refusal.reason, member.name) from None
        except OSError as error:
            raise Refusal(_why(error), member.name) from None

    def link_symlinks(self) -> None:
        """Make of each symbolic link a hard link to the regular file that it leads to, over other links too.

        Last of all, so that it does not matter which came first, the link or the file.
        """
        waiting: dict[bytes, list[bytes]] = {}
        for link, target in self._symlinks.items():
            waiting.setdefault(target, []).append(link)
        ready = [target for target in waiting if target not in self._symlinks]
        while ready:
            target = ready.pop()
            for link in waiting.pop(target, ()):
                self._link_symlink(target, link)
                ready.append(link)
        for links in waiting.values():
            raise Refusal("is part of a loop of symbolic links", links[0])

    def _clean(self, name: bytes) -> bytes:
        path = clean(name)
        if not path:
            raise Refusal("has no name")
        if len(path) > self._longest_path:
            raise Refusal("has a path that is too long for this destination")
        return path

    def _write_file(self, path: bytes, member: Member, stream: BinaryIO) -> None:
        self._budget.spend_bytes(member.size)
        file = self._create(path, 0o755 if member.executable else 0o644)
        try:
            remaining = member.size
            while remaining:
                piece = take(stream, min(remaining, PIECE))
                remaining -= len(piece)
                _write(file, piece)
            _set_time(file, member.modified)
        finally:
            os.close(file)

    def _create(self, path: bytes, mode: int) -> int:
        try:
            file = os.open(path, _NEW_FILE, mode, dir_fd=self._root)
        except FileNotFoundError:
            self._make_parents(path)
            file = os.open(path, _NEW_FILE, mode, dir_fd=self._root)
        if not self._modes_are_kept:
            os.fchmod(file, mode)
        return file

    def _make_parents(self, path: bytes) -> None:
        slash = path.find(b"/")
        while slash > 0:
            if self._make_missing(path[:slash]):
                self._budget.spend_made_directory()
            slash = path.find(b"/", slash + 1)

    def _make_missing(self, path: bytes) -> bool:
        try:
            os.mkdir(path, 0o755, dir_fd=self._root)
        except FileExistsError:
            return False
        if not self._modes_are_kept:
            os.chmod(path, 0o755, dir_fd=self._root)  # noqa: S103 -- readable to all, as the files
        return True

    def _make_directory(self, path: bytes) -> None:
        self._make_parents(path)
        if not self._make_missing(path) and not stat.S_ISDIR(self._status(path).st_mode):
            raise Refusal("is a file and a directory in one archive")

    def _status(self, path: bytes) -> os.stat_result:
        return os.stat(path, dir_fd=self._root, follow_symlinks=False)

    def _is_file(self, path: bytes) -> bool:
        try:
            return stat.S_ISREG(self._status(path).st_mode)
        except OSError:
            return False

    def _link(self, target: bytes, path: bytes) -> None:
        if not self._is_file(target):
            raise Refusal("is a link, but not to an earlier regular file of the archive")
        self._make_parents(path)
        try:
            os.link(target, path, src_dir_fd=self._root, dst_dir_fd=self._root, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS_HERE:
                raise
            self._copy(target, path)

    def _copy(self, target: bytes, path: bytes) -> None:
        """On file systems without hard links, or when a file has too many of them."""
        status = self._status(target)
        self._budget.spend_bytes(status.st_size)
        with (
            os.fdopen(os.open(target, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._root), "rb") as source,
            os.fdopen(self._create(path, stat.S_IMODE(status.st_mode)), "wb") as copy,
        ):
            shutil.copyfileobj(source, copy)

    def _remember(self, path: bytes, target: bytes) -> None:
        if path in self._symlinks:
            raise FileExistsError
        self._budget.spend_memory(len(path) + len(target) + 500)
        self._symlinks[path] = target

    def _link_symlink(self, target: bytes, link: bytes) -> None:
        try:
            if not self._is_file(target):
                raise Refusal("is a symbolic link, but not to a regular file of the archive", link)
            self._link(target, link)
        except OSError as error:
            raise Refusal(_why(error), link) from None


def _write(file: int, piece: bytes) -> None:
    while (written := os.write(file, piece)) < len(piece):
        piece = piece[written:]


def _set_time(file: int, modified: int) -> None:
    if 0 < modified < _LATEST_TIME:
        try:  # noqa: SIM105 -- for each file, and contextlib.suppress takes twice the time of the call
            os.utime(file, (modified, modified))
        except OSError:
            pass  # some network file systems have times of their own


def _why(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "appears twice in the archive"
    if isinstance(error, NotADirectoryError):
        return "lies below a member that is not a directory"
    return f"cannot be written: {error.strerror}"
