"""What is refused, and how it is reported: names, limits, and the error that the public functions make of it."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.errors import ArchiveError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_PATH = 4095  # PATH_MAX without its NUL: what could not be opened by its path is not extracted
STAGING_PREFIX = b".arkworker-staging-"  # no member may pose as a leftover of ours, which a later run would remove
DEFAULT_MAX_MEMBERS = 1_000_000
DEFAULT_MAX_MEMORY = 256 * 2**20

_MAX_COMPONENT, _MAX_LEVELS = 255, 64
_KEPT_FREE = 2**30  # of the disk, when no limit is given
_SMALLEST_WINDOW, _LARGEST_WINDOW = 2**10, 128 * 2**20  # what the zstd library itself takes; 0 would lift the limit
_MAX_EXTENSION = 2**20  # one extended header: a name, a few attributes
_MAX_EXTENSIONS = 2**30  # all of them: they reach no disk, so that the limit in bytes does not hold them

# Nothing to clean and nothing to refuse: no component is empty, starts with a dot, or is too long.
_PLAIN = re.compile(rb"(?:[^/\0.][^/\0]{0,254}/){0,63}[^/\0.][^/\0]{0,254}")


class Refusal(Exception):  # noqa: N818 -- a verdict that travels inside the package, no error that a caller sees
    """The archive, or one of its members, is not extracted.

    Attributes:
        reason: What is wrong, in a few words.
        member: The name of the member concerned, as it is in the archive; None where it is the archive itself.
    """

    def __init__(self, reason: str, member: bytes | None = None) -> None:
        self.reason = reason
        self.member = member
        super().__init__(reason)


@contextlib.contextmanager
def blaming(archive: Path, failing: str = "cannot be extracted") -> Iterator[None]:
    """Whatever goes wrong in here is an ArchiveError of this archive, on one line."""
    name = printable(str(archive), limit=4096)
    try:
        yield
    except Refusal as refusal:
        member = None if refusal.member is None else printable(os.fsdecode(refusal.member))
        raise ArchiveError(name, refusal.reason, member=member) from None
    except OSError as error:
        raise ArchiveError(name, f"{failing}: {error.strerror or 'the disk failed'}") from None
    except MemoryError:
        raise ArchiveError(name, "needs more memory than there is") from None


def check_path(path: str | os.PathLike[str]) -> None:
    """Refuse a path that no file can have: Python has other errors for it than for a file that is absent."""
    try:
        is_possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        raise Refusal(f"no file can have the path {printable(os.fspath(path))}")


def clean(name: bytes) -> bytes:
    """A member's name without `./`, doubled and trailing slashes; empty for the root of the archive.

    Raises:
        Refusal: It is absolute, holds a NUL or a `..` component, or is too long or too deep.
    """
    plain = name.removeprefix(b"./")  # before each name that `tar -C directory .` writes
    if _PLAIN.fullmatch(plain):
        return plain
    if name.startswith(b"/"):
        raise Refusal("has an absolute name", name)
    if b"\0" in name:
        raise Refusal("has a NUL in its name", name)
    components = [component for component in name.split(b"/") if component not in {b"", b"."}]
    if len(components) > _MAX_LEVELS:
        raise Refusal(f"lies deeper than {_MAX_LEVELS} levels", name)
    for component in components:
        if component == b"..":
            raise Refusal("has a .. in its name", name)
        if len(component) > _MAX_COMPONENT:
            raise Refusal(f"has a component of more than {_MAX_COMPONENT} bytes in its name", name)
        if component.lower().startswith(STAGING_PREFIX):
            raise Refusal(f"has a name that is reserved ({STAGING_PREFIX.decode()}…)", name)
    return b"/".join(components)


def follow(link: bytes, target: bytes) -> bytes:
    """The member that a symbolic link leads to. The text alone decides: no link ever exists on disk.

    Raises:
        Refusal: It is absolute or empty, or leaves the archive on its way, even to return.
    """
    if target.startswith(b"/") or not target:
        raise Refusal("is a symbolic link that leads out of the archive", link)
    path = link.split(b"/")[:-1]
    for component in target.split(b"/"):
        if component == b"..":
            if not path:
                raise Refusal("is a symbolic link that leads out of the archive", link)
            path.pop()
        elif component not in {b"", b"."}:
            path.append(component)
    if target.endswith((b"/", b"/.", b"/..")) or target in {b".", b".."}:
        raise Refusal("is a symbolic link to a directory", link)
    return clean(b"/".join(path))


@dataclass(slots=True)
class Budget:
    """What is left of each limit; it is spent while the archive streams, never estimated ahead."""

    max_bytes: int
    max_members: int
    max_memory: int
    bytes: int = 0
    members: int = 0
    made_directories: int = 0
    extensions: int = 0
    remembered: int = 0

    @property
    def max_window(self) -> int:
        """The most that the decoder may look back, in bytes."""
        return max(_SMALLEST_WINDOW, min(_LARGEST_WINDOW, self.max_memory // 2))

    def spend_bytes(self, count: int) -> None:
        self.bytes += count
        if self.bytes > self.max_bytes:
            raise Refusal(
                f"unpacks to more than the limit of {self.max_bytes:,} bytes (by default, what leaves 1 GiB free)"
            )

    def spend_member(self) -> None:
        self.members += 1
        if self.members > self.max_members:
            raise Refusal(f"has more than the limit of {self.max_members:,} members")

    def spend_made_directory(self) -> None:
        """One that no member announces: a name of 64 levels makes 63 of them."""
        self.made_directories += 1
        if self.made_directories > self.max_members:
            raise Refusal(f"needs more than the limit of {self.max_members:,} directories")

    def spend_extension(self, size: int) -> None:
        self.extensions += size
        if size > _MAX_EXTENSION or self.extensions > _MAX_EXTENSIONS:
            raise Refusal(f"has an extended header that is too large ({size:,} bytes)")

    def spend_memory(self, size: int) -> None:
        self.remembered += size
        if self.remembered > self.max_memory // 4:
            raise Refusal("has more symbolic links than the memory limit allows")


def free_space(directory: str | os.PathLike[str]) -> int:
    """The bytes that may be written on the file system of a directory so that a gibibyte stays free."""
    status = os.statvfs(directory)
    return max(0, status.f_bavail * status.f_frsize - _KEPT_FREE)
