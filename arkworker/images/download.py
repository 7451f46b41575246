"""Downloading an image: no credentials, time limits, a size limit, and a few attempts."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests
import urllib3
from requests.utils import get_environ_proxies
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from arkworker.clock import Clock, SystemClock
from arkworker.errors import ImageError
from arkworker.images.addresses import presentable
from arkworker.images.log import logger
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_AND_READ_SECONDS = (30, 60)
WAITS = (5, 10)  # seconds before the second and the third attempt
LONGEST_WAIT = 60  # seconds, whatever a server's Retry-After asks for
LONGEST_DOWNLOAD = 600  # seconds; a server that sends a byte now and then is no better than one that sends none
LARGEST_BODY = 512 * 2**20


class TemporaryImageError(ImageError):
    """Worth another attempt; `wait` is what the server asked for, in seconds."""

    wait: float = 0


@dataclass(frozen=True)
class Downloader:
    """Downloads by address, from any thread.

    Attributes:
        clock: For the waits between attempts.
        user_agent: What servers are told.
        max_bytes: The largest body taken.
        certificates: A file or directory of authorities in place of the usual ones.
    """

    clock: Clock = field(default_factory=SystemClock)
    user_agent: str = f"arkworker/{__version__}"
    max_bytes: int = LARGEST_BODY
    certificates: str | None = None
    _sessions: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], clock: Clock | None = None) -> Downloader:
        """With the user agent and certificates of `REQUESTS_USER_AGENT`, `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`."""
        agent = environ.get("REQUESTS_USER_AGENT", "").strip()
        certificates = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
        return cls(
            clock=clock or SystemClock(),
            user_agent=agent if agent.isprintable() and agent else cls.user_agent,
            certificates=certificates or None,
        )

    def get(self, url: str) -> io.BytesIO:
        """The body at an address.

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

    def _attempt(self, url: str) -> io.BytesIO:
        shown = presentable(url)
        try:
            with self._session().get(
                url,
                stream=True,
                timeout=CONNECT_AND_READ_SECONDS,
                proxies=get_environ_proxies(url),
                verify=self.certificates or True,
            ) as response:
                _check_status(response, shown)
                return self._read(response, shown)
        # Their texts hold the whole address, with its signature: hence "from None" throughout.
        except ImageError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _in_our_words(error, shown) from None

    def _read(self, response: requests.Response, shown: str) -> io.BytesIO:
        body, deadline = io.BytesIO(), self.clock.now() + LONGEST_DOWNLOAD
        # What has arrived, rather than full chunks: the limits hold for a server that sends byte by byte, too.
        while chunk := response.raw.read1(2**16, decode_content=True):
            body.write(chunk)
            if body.tell() > self.max_bytes:
                raise ImageError(f"{shown} is larger than {self.max_bytes} bytes")
            if self.clock.now() > deadline:
                raise ImageError(f"{shown} is not complete after {LONGEST_DOWNLOAD} s")
        body.seek(0)
        return body

    def _session(self) -> requests.Session:
        """One for each thread, and not the parent's after a fork."""
        if getattr(self._sessions, "process", None) != os.getpid():
            self._sessions.session, self._sessions.process = self._new_session(), os.getpid()
        session: requests.Session = self._sessions.session
        session.cookies.clear()
        return session

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no .netrc: images are downloaded without credentials
        session.headers.update({"User-Agent": self.user_agent, "Accept-Encoding": "identity"})
        return session


def _in_our_words(error: Exception, shown: str) -> ImageError:
    if isinstance(error, requests.exceptions.SSLError):
        return ImageError(f"{shown}: the server's certificate is not accepted")
    if isinstance(error, requests.exceptions.ProxyError):
        return TemporaryImageError(f"{shown}: the proxy does not answer")
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return TemporaryImageError(f"{shown}: no answer within the time limit")
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return TemporaryImageError(f"{shown}: the connection was lost before the end")
    if isinstance(error, requests.ConnectionError):
        return TemporaryImageError(f"{shown}: no connection, or it was lost")
    return ImageError(f"{shown} cannot be downloaded ({type(error).__name__})")


def _check_status(response: requests.Response, shown: str) -> None:
    status = response.status_code
    if status < 400:
        return
    message = f"the server answers {status} for {shown}"
    if status != 429 and (status < 500 or status == 501):  # 501: the IIIF feature is not implemented
        raise ImageError(message, status)
    error = TemporaryImageError(message, status)
    asked = response.headers.get("Retry-After", "")
    error.wait = min(LONGEST_WAIT, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    raise error


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TemporaryImageError) else 0
    return max(asked, WAITS[min(state.attempt_number, len(WAITS)) - 1])


def _announce(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("%s: next attempt in %d s", error, round(state.upcoming_sleep))
