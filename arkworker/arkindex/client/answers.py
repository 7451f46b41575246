"""What an answer of the API means for the operation that asked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from arkworker.arkindex.client import content
from arkworker.arkindex.client.attempts import Attempt, Fault
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ApiUnavailableError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.arkindex.client.excerpts import Excerpts
    from arkworker.arkindex.client.operations import Operation

_SECONDS = re.compile(r"[0-9]{1,9}")


def judge(operation: Operation, status: int, body: bytes, excerpts: Excerpts) -> Attempt:
    """The attempt that ended with a status below 400."""
    if not 200 <= status < 300:
        return _garbled(operation.id, status, "an unexpected status", Fault.REFUSED)
    try:
        if not body and (operation.answer == "nothing" or (status == 204 and operation.answer == "anything")):
            return Attempt()
        value = content.parse(body)
        content.check(value, operation.answer)
    except content.ContentError as error:
        shown = f": {excerpts.of(body)}" if body else ""
        return _garbled(operation.id, status, f"the answer {error}{shown}", Fault.GARBLED)
    return Attempt(value)


def refuse(operation: str, status: int, headers: Mapping[str, str], body: bytes, excerpts: Excerpts) -> Attempt:
    """The attempt that ended with a status of 400 or more."""
    messages, existing_id = content.messages(body, excerpts.of)
    text = "; ".join(map(str, messages)) or excerpts.of(body) or "the server gives no reason"
    error = ApiResponseError(operation, text, status=status, messages=messages, existing_id=existing_id)
    if status == 429 or (status == 503 and "Retry-After" in headers):
        return Attempt(error=error, fault=Fault.BUSY, delay=_retry_after(headers))
    return Attempt(error=error, fault=Fault.FAILED if status >= 500 else Fault.REFUSED)


def lose(operation: str, reason: str, fault: Fault, *, status: int | None = None) -> Attempt:
    """The attempt that brought no whole answer."""
    kind: type[ApiError] = ApiContentError if fault is Fault.GARBLED or status is not None else ApiUnavailableError
    error = kind(operation, reason, status=status)
    if fault is Fault.REFUSED:
        error.exit_code = ExitCode.CONFIGURATION  # it will be the same the next time: an address must be corrected
    return Attempt(error=error, fault=fault)


def _garbled(operation: str, status: int, reason: str, fault: Fault) -> Attempt:
    return Attempt(error=ApiContentError(operation, reason, status=status), fault=fault)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, from either form of the header; 0 for one that makes no sense."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        # The server's own date, where it gives one, is what it counts from.
        since = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
