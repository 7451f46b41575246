"""Files from and to the instance and the storage behind it, streamed, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin

import requests

from arkworker.arkindex.client.answers import lose, refuse
from arkworker.arkindex.client.attempts import Attempt, Fault
from arkworker.arkindex.client.connection import origin_of
from arkworker.arkindex.client.excerpts import Excerpts
from arkworker.arkindex.client.failures import TransportError
from arkworker.arkindex.client.slices import Slice
from arkworker.errors import ArkworkerError
from arkworker.storage import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from arkworker.arkindex.client.remote import Upload
    from arkworker.arkindex.client.transport import Answer, Transport

REDIRECTS = 5
_WIRE = 1 << 20  # bytes of an answer to an upload
MOVED = frozenset({301, 302, 303, 307, 308})


def follow(
    transport: Transport,
    url: str,
    *,
    trusted: bool,
    limit: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """GET an address; redirects are followed without token and cookies, wherever they lead.

    Raises:
        TransportError: There is no answer, or the redirects do not end.
    """
    headers = {"Accept": "*/*", **({} if limit else {"Accept-Encoding": "identity"}), **(headers or {})}
    for _ in range(REDIRECTS + 1):
        answer = transport.send("GET", url, trusted=trusted, headers=headers, limit=limit)
        location = answer.headers.get("Location")
        if answer.status not in MOVED or not location:
            return answer
        with answer:
            url, trusted = redirect_target(url, location), False
    raise TransportError(f"more than {REDIRECTS} redirects", Fault.REFUSED)


def redirect_target(url: str, location: str) -> str:
    """The whole address that a redirect leads to.

    Raises:
        TransportError: It is no web address.
    """
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")  # http.client reads the former, servers mean the latter
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if origin_of(target) is None:
        raise TransportError("redirected to something that is no web address", Fault.REFUSED)
    return encode(target)


def encode(url: str) -> str:
    """An address as it can be sent: blanks, accents and international names encoded.

    Raises:
        TransportError: It cannot be sent.
    """
    request = requests.PreparedRequest()
    try:
        request.prepare_url(url, None)
    except ValueError:
        failure = TransportError("this address cannot be sent", Fault.REFUSED)
    else:
        return request.url or url
    raise failure


def upload(transport: Transport, upload: Upload) -> Attempt:
    """Attempt to PUT a file, or a part of one; the value is the headers of the answer."""
    label, source = upload.label, upload.source
    with _disk(source):
        if not stat.S_ISREG(source.stat().st_mode):  # opening a pipe would wait for its writer
            raise OSError(errno.EINVAL, "not a regular file")
    with _disk(source), source.open("rb") as file:
        body = _slice(file, upload)
        try:
            with transport.send(
                "PUT", encode(upload.url), trusted=False, headers=upload.headers, body=body, limit=_WIRE
            ) as answer:
                if not 200 <= answer.status < 300:
                    return refusal(label, answer)
                answer.read_error()  # so that the connection can be used again
                return Attempt(answer.headers)
        except TransportError as error:
            return lose(label, error.reason, error.fault)


def refusal(label: str, answer: Answer) -> Attempt:
    """The attempt at a storage that ended with an odd status.

    A storage's own error may repeat the signature of the address: its status says enough.
    """
    status = answer.status
    if status < 400:
        return lose(label, "an unexpected status", Fault.REFUSED, status=status)
    return refuse(label, status, answer.headers, answer.reason.encode("utf-8", "replace"), Excerpts(None))


@contextlib.contextmanager
def replacing(destination: Path) -> Iterator[IO[bytes]]:
    """A file beside the destination that takes its place when the block succeeds, synced, and vanishes otherwise.

    Raises:
        ArkworkerError: The disk refuses.
    """
    with _disk(destination), files.replacing(destination) as file:
        yield file


def _slice(file: IO[bytes], upload: Upload) -> Slice:
    available = os.fstat(file.fileno()).st_size - upload.offset
    size = available if upload.length is None else upload.length
    if not 0 <= size <= available:
        raise OSError(errno.EINVAL, "shorter than the part that is to be sent")
    file.seek(upload.offset)
    return Slice(file, size)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise ArkworkerError(f"{path}: {reason}")
