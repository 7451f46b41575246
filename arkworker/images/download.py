"""Downloading an image: no credentials, time limits, a size limit, and a few attempts."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from arkworker.clock import Clock, SystemClock
from arkworker.errors import ImageError
from arkworker.text import presentable
from arkworker.transport.connection import Connection
from arkworker.transport.failures import Fault, TransportError
from arkworker.transport.transport import ENDED, Transport, encode

if TYPE_CHECKING:
    from arkworker.transport.transport import Answer

logger = logging.getLogger("arkworker.images")

WAITS = (5, 10)  # seconds before the second and the third attempt
LONGEST_WAIT = 60  # seconds, whatever a server's Retry-After asks for
LONGEST_DOWNLOAD = 600  # seconds; a server that sends a little now and then is no better than one that sends nothing
LARGEST_BODY = 512 * 2**20
IN_MEMORY = 16 * 2**20  # bytes of a body; a larger one goes to a temporary file, so that what it unpacks to is bounded


class TemporaryImageError(ImageError):
    """Worth another attempt; `wait` is what the server asked for, in seconds."""

    wait: float = 0


def _transport() -> Transport:
    return Transport(Connection(), SystemClock())


@dataclass(frozen=True)
class Downloader:
    """Downloads by address, from any thread.

    Attributes:
        transport: The HTTP stack; that of a run's client, which ends with it.
        clock: For the waits between attempts.
        max_bytes: The largest body taken.
    """

    transport: Transport = field(default_factory=_transport)
    clock: Clock = field(default_factory=SystemClock)
    max_bytes: int = LARGEST_BODY

    def get(self, url: str) -> IO[bytes]:
        """The body at an address, as a file that can be read from its start.

        Raises:
            ImageError: With the server's status where it refused; after three attempts where it may work again.
        """
        retrying = Retrying(
            sleep=self.clock.sleep,
            stop=stop_after_attempt(len(WAITS) + 1),
            wait=_wait,
            retry=retry_if_exception_type(TemporaryImageError),
            before_sleep=_announce,
            reraise=True,
        )
        return retrying(self._attempt, url)

    def _attempt(self, url: str) -> IO[bytes]:
        shown = presentable(url)
        try:
            with self.transport.follow(encode(url)) as answer:
                _check_status(answer, shown)
                return self._read(answer, shown)
        except TransportError as error:
            is_final = error.fault is Fault.REFUSED or error.reason == ENDED
            kind = ImageError if is_final else TemporaryImageError
            failure = kind(f"{shown}: {error.reason}")
        except OSError as error:
            failure = ImageError(f"{shown} cannot be kept: {error.strerror or type(error).__name__}")
        raise failure

    def _read(self, answer: Answer, shown: str) -> IO[bytes]:
        with contextlib.ExitStack() as stack:
            body = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
            deadline, size = self.clock.now() + LONGEST_DOWNLOAD, 0
            for chunk in answer.chunks():
                size += len(chunk)
                if size > self.max_bytes:
                    raise ImageError(f"{shown} is larger than {self.max_bytes} bytes")
                if self.clock.now() > deadline:
                    raise ImageError(f"{shown} is not complete after {LONGEST_DOWNLOAD} s")
                body.write(chunk)
            body.seek(0)
            stack.pop_all()
        return body


def _check_status(answer: Answer, shown: str) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    message = f"the server answers {status} for {shown}"
    if status != 429 and (status < 500 or status == 501):  # 501: the IIIF feature is not implemented
        raise ImageError(message, status)
    error = TemporaryImageError(message, status)
    asked = answer.headers.get("Retry-After", "")
    error.wait = min(LONGEST_WAIT, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    raise error


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TemporaryImageError) else 0
    return max(asked, WAITS[min(state.attempt_number, len(WAITS)) - 1])


def _announce(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("%s: next attempt in %d s", error, round(state.upcoming_sleep))
