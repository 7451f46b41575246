"""What attempts at a share have told, in files: known also where the job is killed that would have returned it.

```
 carry_out ──► a process of arkworker ──► its job returns what was told ──────────► the caller
                        └───────────────► a file of the attempt, in a folder ─ ─ ─►  (where machines share it)
```

An engine may run a job again after it has lost the process that ran it: there is a file for each attempt.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.runtime.loop.channel import Channel, Say, take_whole
from arkworker.text import printable

if TYPE_CHECKING:
    import socket

logger = logging.getLogger("arkworker.elements")


def begin(folder: str, number: int) -> str:
    """The file of a new attempt at a share; an empty text where the folder is not on this machine."""
    path = Path(folder, f"{number}-{secrets.token_hex(8)}")
    try:
        path.touch(0o600, exist_ok=False)
    except OSError:
        return ""
    return str(path)


def attempts_at(folder: str, number: int, *, but: str = "") -> list[Path]:
    """The files of attempts at a share, but for one of them."""
    return sorted(path for path in Path(folder).glob(f"{number}-*") if str(path) != but)


def messages_of(path: Path) -> list[tuple[Any, ...]]:
    """What an attempt has told so far; each begins with a `Say`."""
    try:
        content = bytearray(path.read_bytes())
    except OSError:
        return []
    return [pickle.loads(message) for message in take_whole(content)]  # noqa: S301 - of our own jobs


def is_over(path: Path) -> bool:
    """Whether an attempt has come to its end, and has told all; one that was killed whole never does."""
    messages = messages_of(path)
    return bool(messages) and messages[-1][0] in {Say.DONE, Say.BROKEN}


def ended(path: Path) -> set[str]:
    """The elements that an attempt has ended, by their ids."""
    return {message[3] for message in messages_of(path) if message[0] is Say.COUNT and message[3] is not None}


class KeptChannel(Channel):
    """A channel that also writes down what it says.

    Args:
        connection: To the process that gave the share.
        path: The file of the attempt; an empty text where there is none.
    """

    def __init__(self, connection: socket.socket, path: str) -> None:
        super().__init__(connection)
        self._path = path
        self._descriptor = -1
        if path:
            with contextlib.suppress(OSError):  # the run has ended meanwhile
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _send(self, content: bytes) -> None:
        if self._descriptor >= 0:
            self._keep(content)
        super()._send(content)

    def _keep(self, content: bytes) -> None:
        """Where that fails, the file stays without an end, from which the caller sees that not all is in it."""
        try:
            reason = "" if os.write(self._descriptor, content) == len(content) else "the disk is full"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        if reason:
            os.close(self._descriptor)
            self._descriptor = -1
            logger.warning("%s: what this job tells cannot be kept there: %s", printable(self._path), reason)
