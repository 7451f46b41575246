"""A part of a file as the body of a request."""

from __future__ import annotations

from typing import IO

from arkworker.errors import ArkworkerError


class Slice:
    """The next bytes of a file, read as they are sent.

    Attributes:
        size: How many there are.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size
        self._file = file
        self._left = size

    def read(self, count: int = -1) -> bytes:
        """At most that many of the bytes that are left; none at the end.

        Raises:
            ArkworkerError: The file has fewer: it was cut meanwhile.
        """
        wanted = self._left if count < 0 else min(count, self._left)
        content = self._file.read(wanted)
        if wanted and not content:
            # Nothing would come after the length that was announced, and the server would wait for it.
            raise ArkworkerError(f"{self._file.name}: became shorter while it was sent")
        self._left -= len(content)
        return content
