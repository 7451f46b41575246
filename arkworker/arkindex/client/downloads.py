"""One file on its way from somewhere else, in as many attempts as it takes."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import IO, TYPE_CHECKING

from arkworker.arkindex.client.answers import lose, refuse
from arkworker.arkindex.client.attempts import Attempt, Fault
from arkworker.arkindex.client.failures import TransportError
from arkworker.arkindex.client.transfers import encode, follow, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.arkindex.client.excerpts import Excerpts
    from arkworker.arkindex.client.remote import RemoteFile
    from arkworker.arkindex.client.transport import Answer, Transport

logger = logging.getLogger("arkworker.api")

_STRONG = re.compile(r'"[\x21\x23-\x7e]+"')  # an ETag that stands for the very bytes; a weak one begins with W/
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class Download:
    """Writes a remote file into a local one; an attempt goes on where the last one was cut, if that is sure to fit.

    It is sure when the server names the version of the file by a strong ETag and, asked for the rest of that very
    version (`Range`, `If-Range`), sends just that. In all other cases the file starts over.
    """

    def __init__(self, transport: Transport, remote: RemoteFile, file: IO[bytes], excerpts: Excerpts) -> None:
        self._transport = transport
        self._remote = remote
        self._file = file
        self._excerpts = excerpts
        self._start_over()

    def attempt(self) -> Attempt:
        """Attempt to get the file, or the rest of it."""
        remote = self._remote
        try:
            url, headers = encode(remote.url), self._range()
            with follow(self._transport, url, trusted=remote.is_operation, headers=headers) as answer:
                failure = self._begin(answer)
                if failure is not None:
                    return failure
                self._copy(answer)
        except TransportError as error:
            return lose(remote.label, error.reason, error.fault)
        return self._check()

    def _start_over(self) -> None:
        self._written = 0
        self._digest = hashlib.md5(usedforsecurity=False)  # what Arkindex keeps of a file
        self._etag: str | None = None
        self._total: int | None = None
        self._file.seek(0)
        self._file.truncate()

    def _range(self) -> Mapping[str, str]:
        if not self._written or self._etag is None:
            return {}
        return {"Range": f"bytes={self._written}-", "If-Range": self._etag}

    def _begin(self, answer: Answer) -> Attempt | None:
        """Make ready for what an answer brings, or the failure that it is."""
        was_asked = bool(self._range())
        if was_asked and answer.status == 206 and self._fits(answer):
            logger.info("%s: going on at byte %d of %d", self._remote.label, self._written, self._total)
            return None
        if was_asked and answer.status in (206, 416):
            self._start_over()
            return lose(self._remote.label, "the rest of the file does not fit its beginning", Fault.GARBLED)
        if answer.status >= 400 and answer.trusted:
            return refuse(self._remote.label, answer.status, answer.headers, answer.read_error(), self._excerpts)
        if answer.status != 200:
            return refusal(self._remote.label, answer)
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
        size = self._remote.size
        for chunk in answer.chunks():
            if size is not None and self._written + len(chunk) > size:
                self._start_over()
                raise TransportError(f"more than the {size} bytes that were promised", Fault.GARBLED)
            self._file.write(chunk)
            self._digest.update(chunk)
            self._written += len(chunk)

    def _check(self) -> Attempt:
        label, size, written = self._remote.label, self._remote.size, self._written
        if self._total is not None and written != self._total:
            reason = f"{written} bytes came where {self._total} were announced"
            if written > self._total:
                self._start_over()
            return lose(label, reason, Fault.GARBLED)
        if size is not None and written != size:
            self._start_over()
            return lose(label, f"{written} bytes came where {size} were promised", Fault.GARBLED)
        if self._remote.md5 is not None and self._digest.hexdigest() != self._remote.md5.lower():
            self._start_over()
            return lose(label, "the file has another MD5 than promised", Fault.GARBLED)
        return Attempt()
