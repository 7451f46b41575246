"""How much an archive may unpack to."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .refusal import Refusal

DEFAULT_MAX_MEMBERS = 1_000_000
DEFAULT_MAX_MEMORY = 256 * 2**20
KEPT_FREE = 2**30  # of the disk, when no limit is given
LARGEST_WINDOW = 128 * 2**20  # the ceiling of the zstd library itself
MAX_EXTENSION = 2**20  # one extended header: a name, a few attributes
MAX_EXTENSIONS = 2**30  # all of them: they reach no disk, so that the limit in bytes does not hold them


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
        return min(LARGEST_WINDOW, self.max_memory // 2)

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
        if size > MAX_EXTENSION or self.extensions > MAX_EXTENSIONS:
            raise Refusal(f"has an extended header that is too large ({size:,} bytes)")

    def spend_memory(self, size: int) -> None:
        self.remembered += size
        if self.remembered > self.max_memory // 4:
            raise Refusal("has more symbolic links than the memory limit allows to keep in mind")


def free_space(directory: str | os.PathLike[str]) -> int:
    """The bytes that may be written on the file system of a directory so that a gibibyte stays free."""
    status = os.statvfs(directory)
    return max(0, status.f_bavail * status.f_frsize - KEPT_FREE)
