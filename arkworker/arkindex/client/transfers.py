"""Files from and to the instance and the storage behind it, streamed, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from arkworker.arkindex.client.answers import Excerpts, lose, refuse
from arkworker.arkindex.client.attempts import Attempt
from arkworker.storage.exclusive import blaming, open_regular
from arkworker.transport.failures import Fault, TransportError
from arkworker.transport.transport import Slice, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arkworker.transport.transport import Answer, Transport

logger = logging.getLogger("arkworker.api")

_ANSWER = 1 << 20  # bytes of an answer to an upload
_STRONG = re.compile(r'"[\x21\x23-\x7e]+"')  # an ETag that stands for the very bytes; a weak one begins with W/
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


@dataclass(eq=False)
class Download:
    """Writes a remote file into a local one; an attempt goes on where the last one was cut, if that is sure to fit.

    It is sure when the server names the version of the file by a strong ETag and, asked for the rest of that very
    version (`Range`, `If-Range`), sends just that. In all other cases the file starts over.

    Attributes:
        transport: What it comes through.
        file: The local file.
        excerpts: Makes those of refusals.
        label: What errors and logs call it: an operation id, or method and address without the query.
        url: Where it is.
        trusted: Whether the instance is asked, with credentials.
        size: Bytes that must come; None when unknown.
        md5: Hexadecimal digest that it must have; None when unknown.
    """

    transport: Transport
    file: IO[bytes]
    excerpts: Excerpts
    label: str
    url: str = field(repr=False)
    trusted: bool = False
    size: int | None = None
    md5: str | None = None

    def __post_init__(self) -> None:
        self._start_over()

    def attempt(self) -> Attempt:
        """Attempt to get the file, or the rest of it."""
        try:
            with self.transport.follow(encode(self.url), trusted=self.trusted, headers=self._range()) as answer:
                failure = self._begin(answer)
                if failure is not None:
                    return failure
                self._copy(answer)
        except TransportError as error:
            return lose(self.label, error.reason, error.fault)
        return self._check()

    def _start_over(self) -> None:
        self._written = 0
        self._digest = hashlib.md5(usedforsecurity=False)  # what Arkindex keeps of a file
        self._etag: str | None = None
        self._total: int | None = None
        self.file.seek(0)
        self.file.truncate()

    def _range(self) -> Mapping[str, str]:
        if not self._written or self._etag is None:
            return {}
        return {"Range": f"bytes={self._written}-", "If-Range": self._etag}

    def _begin(self, answer: Answer) -> Attempt | None:
        """Make ready for what an answer brings, or the failure that it is."""
        was_asked = bool(self._range())
        if was_asked and answer.status == 206 and self._fits(answer):
            logger.info("%s: continuing at byte %d of %d", self.label, self._written, self._total)
            return None
        if was_asked and answer.status in (206, 416):
            self._start_over()
            return lose(self.label, "the rest of the file does not fit its beginning", Fault.GARBLED)
        if answer.status >= 400 and answer.trusted:
            return refuse(self.label, answer.status, answer.headers, answer.read_error(), self.excerpts)
        if answer.status != 200:
            return refusal(self.label, answer)
        self._start_over()
        self._remember(answer)
        return None

    def _remember(self, answer: Answer) -> None:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            return  # bytes of the answer and bytes of the file are counted differently
        etag, length = answer.headers.get("ETag", ""), answer.headers.get("Content-Length", "")
        self._etag = etag if _STRONG.fullmatch(etag) else None
        self._total = int(length) if _LENGTH.fullmatch(length) else None

    def _fits(self, answer: Answer) -> bool:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or "Content-Encoding" in answer.headers:
            return False
        start, total = map(int, found.groups())
        if answer.headers.get("ETag", self._etag) != self._etag or self._total not in (None, total):
            return False
        self._total = total
        return start == self._written

    def _copy(self, answer: Answer) -> None:
        size = self.size
        for chunk in answer.chunks():
            if size is not None and self._written + len(chunk) > size:
                self._start_over()
                raise TransportError(f"more than the {size} bytes that were announced", Fault.GARBLED)
            self.file.write(chunk)
            self._digest.update(chunk)
            self._written += len(chunk)

    def _check(self) -> Attempt:
        written = self._written
        is_cut = self._total is not None and written < self._total
        announced = next((size for size in (self._total, self.size) if size not in (None, written)), None)
        if announced is not None:
            reason = f"{written} bytes came, but {announced} were announced"
        elif self.md5 is not None and self._digest.hexdigest() != self.md5.lower():
            reason = "the MD5 of the file is not the announced one"
        else:
            return Attempt()
        if not is_cut:  # else the next attempt goes on from here
            self._start_over()
        return lose(self.label, reason, Fault.GARBLED)


def send_file(  # noqa: PLR0913 - what is sent, and of which file how much
    transport: Transport,
    label: str,
    url: str,
    source: Path,
    headers: Mapping[str, str],
    *,
    offset: int = 0,
    length: int | None = None,
) -> Attempt:
    """Attempt to PUT a file, or a part of one; the value is the headers of the answer."""
    with blaming(source), os.fdopen(open_regular(source), "rb") as file:
        available = os.fstat(file.fileno()).st_size - offset
        size = available if length is None else length
        if not 0 <= size <= available:
            raise OSError(errno.EINVAL, "shorter than the part that is to be sent")
        file.seek(offset)
        body = Slice(file, size)
        try:
            with transport.send("PUT", encode(url), trusted=False, headers=headers, body=body, limit=_ANSWER) as answer:
                if not 200 <= answer.status < 300:
                    return refusal(label, answer)
                answer.read_error()  # so that the connection can be used again
                return Attempt(answer.headers)
        except TransportError as error:
            return lose(label, error.reason, error.fault)


def refusal(label: str, answer: Answer) -> Attempt:
    """The attempt that failed by the status of what a storage answered.

    A storage's own error may repeat the signature of the address: its status says enough.
    """
    status = answer.status
    if status < 400:
        return lose(label, "an unexpected status", Fault.REFUSED, status=status)
    return refuse(label, status, answer.headers, answer.reason.encode("utf-8", "replace"), Excerpts(None))
