"""How the parts of this package say no, and the error that the public functions make of it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from arkworker.errors import ArchiveError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
