"""What an answer of the API means for the operation that asked: JSON as promised, or what a server says of an error."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic_core import from_json

from arkworker.arkindex.client.attempts import Attempt
from arkworker.documents.json import JsonError, parse_json
from arkworker.errors import ApiContentError, ApiError, ApiMessage, ApiResponseError, ApiUnavailableError, ExitCode
from arkworker.frozen import mark_signed
from arkworker.text import printable
from arkworker.transport.failures import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from arkworker.arkindex.client.operations import Operation, Promise

LONGEST = 200  # characters of a body in a message
_WITH_SECRETS = frozenset({"RetrieveSecret", "RetrieveWorkerRun", "RetrieveWorkerRunConfiguration"})
MESSAGES = 10  # shown of one answer
MOST_VALUES = 2_000_000  # in one answer: parsed, each may take a hundred times its length
WIDEST = 16 << 20  # bytes of an answer with a character such as an emoji: all of its text then takes four times as much
_WIDE = re.compile(rb"[\xf0-\xf4]")

_QUERY = re.compile(r"\?[^\s?=\"'<>\\]+=[^\s\"'<>\\]*")  # of an address, whole or relative; not of a sentence
_READ = 65536  # enough to hide a token before the text is cut, not so much that a huge body costs
_SECONDS = re.compile(r"[0-9]{1,9}")


class Excerpts:
    """Makes excerpts that never hold the token."""

    def __init__(self, token: str | None) -> None:
        self._secrets = tuple({token, quote(token, safe="")}) if token else ()

    def of(self, content: bytes | str) -> str:
        """The beginning of a body."""
        text = content if isinstance(content, str) else content[:_READ].decode("utf-8", "backslashreplace")
        for secret in self._secrets:
            text = text.replace(secret, "**********")
        return printable(_QUERY.sub("?…", text).strip(), LONGEST - 1)


class AnswerError(ValueError):
    """A body is not what was promised; the message says in which way."""


def parse(body: bytes) -> Any:
    """The value of a JSON text: UTF-8, at most some 200 levels deep, no key twice, every number finite.

    Raises:
        AnswerError: It is not such a text, or it would take far more memory than its length.
    """
    if len(body) > MOST_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise AnswerError(f"holds more than {MOST_VALUES:,} values")
    if len(body) > WIDEST and _WIDE.search(body):
        raise AnswerError(f"is larger than {WIDEST >> 20} MiB, and holds characters of four bytes")
    try:
        # Both are needed: the first bounds the depth and is strict about UTF-8 and surrogates, and the second sees
        # keys that come twice and numbers beyond all floats.
        from_json(body, allow_inf_nan=False)
        return parse_json(body.decode())
    except JsonError as error:
        reason = str(error)
    except ValueError as error:
        reason = f"is not JSON ({error if len(str(error)) < 100 else type(error).__name__})"
    raise AnswerError(reason if body else "is empty")


def check(value: Any, answer: Promise) -> None:
    """Refuse a value of another shape than the operation promises.

    Raises:
        AnswerError: It has another shape.
    """
    if answer == "object" and not isinstance(value, dict):
        raise AnswerError(f"is {_kind(value)} where an object is expected")
    if answer == "list" and not isinstance(value, list):
        raise AnswerError(f"is {_kind(value)} where a list is expected")


def messages(body: bytes, excerpt: Callable[[str], str]) -> tuple[list[ApiMessage], str | None]:
    """What the server says, in either of its styles, and the id of the object that exists already.

    The newer style is `{"errors": [{"attr", "code", "detail"}]}`; the older one has messages under field names,
    under `detail` or in a bare list. Both are empty for a body that is not JSON.
    """
    try:
        data = parse(body)
    except AnswerError:
        return [], None
    found = _newer_style(data) if _is_newer_style(data) else _older_style(data, "")
    cleaned = [
        ApiMessage(excerpt(m.detail), excerpt(m.code), excerpt(m.field)) for m in itertools.islice(found, MESSAGES)
    ]
    existing = data.get("existing_id") or data.get("id") if isinstance(data, dict) else None
    return cleaned, excerpt(existing) if isinstance(existing, str) else None


def judge(operation: Operation, status: int, body: bytes, excerpts: Excerpts) -> Attempt:
    """The attempt that ended with a status below 400."""
    if not 200 <= status < 300:
        return lose(operation.id, "an unexpected status", Fault.REFUSED, status=status)
    try:
        if not body and (operation.answer == "nothing" or (status == 204 and operation.answer == "anything")):
            return Attempt()
        value = parse(body)
        if b"?" in body:
            value = mark_signed(value)
        check(value, operation.answer)
    except AnswerError as error:
        # Half of a secret's content, or of a configuration that holds some, is not to be shown; a proxy's page is.
        is_shown = body and (operation.id not in _WITH_SECRETS or body.lstrip().startswith(b"<"))
        shown = f": {excerpts.of(body)}" if is_shown else ""
        return lose(operation.id, f"the answer {error}{shown}", Fault.GARBLED, status=status)
    return Attempt(value)


def refuse(operation: str, status: int, headers: Mapping[str, str], body: bytes, excerpts: Excerpts) -> Attempt:
    """The attempt that ended with a status of 400 or more."""
    told, existing_id = messages(body, excerpts.of)
    text = "; ".join(map(str, told)) or excerpts.of(body) or "the server gives no reason"
    error = ApiResponseError(operation, text, status=status, messages=told, existing_id=existing_id)
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


def _is_newer_style(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("errors"), list) and isinstance(data.get("type"), str)


def _newer_style(data: Any) -> Iterator[ApiMessage]:
    for error in data["errors"]:
        if not isinstance(error, dict):
            continue
        attr = error.get("attr")
        path = ".".join(map(str, attr)) if isinstance(attr, list) else str(attr or "")
        yield ApiMessage(str(error.get("detail", "")), str(error.get("code", "")), _field(path))


def _older_style(data: Any, field: str) -> Iterator[ApiMessage]:
    if isinstance(data, dict):
        for name, value in data.items():
            if name != "existing_id":
                yield from _older_style(value, f"{field}.{name}" if field else str(name))
    elif isinstance(data, list):
        for value in data:
            yield from _older_style(value, field)
    elif data is not None:
        yield ApiMessage(str(data), field=_field(field))


def _field(path: str) -> str:
    return "" if path in ("detail", "non_field_errors") else path


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


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
