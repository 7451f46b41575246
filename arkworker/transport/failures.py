"""How a request fails, in words that are fit for a user: no request, no query, no header in them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.transport.connection import Connection
    from arkworker.transport.wire import Wire


class Fault(enum.Enum):
    """How an attempt failed, and what the server may have done."""

    NOT_SENT = "nothing reached the server: refused, no route, unknown name, TLS"
    BUSY = "429, or 503 with Retry-After: the server did nothing"
    FAILED = "another 5xx: the server may have acted"
    LOST = "reset or timed out after sending: the server may have acted"
    GARBLED = "a success whose body is cut or not what was promised: the server has acted"
    REFUSED = "another answer: final"


class TransportError(Exception):
    """A request that brought no whole answer; `reason` says why, `fault` what a repeat may do."""

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


def explain(error: Exception, wire: Wire, connection: Connection) -> TransportError:
    """What the libraries below raised, in our words; they name the proxy that was used."""
    import http.client  # only a failure pays for these

    import requests

    causes = list(_causes(error))
    if wire.overflowed:
        return TransportError("the answer is too long", Fault.GARBLED)
    if any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return TransportError("the answer was cut short", Fault.GARBLED)
    through = f", through the proxy {wire.proxy}" if wire.proxy else ""
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidProxyURL):
        named = wire.proxy or "that the environment names"
        return TransportError(f"the proxy {named} cannot be used", Fault.REFUSED)
    if isinstance(error, ValueError):
        return TransportError("the address or a header cannot be sent", Fault.REFUSED)
    unsent = wire.sent is False or isinstance(error, requests.ConnectTimeout)
    return TransportError(_reason(causes, connection) + through, Fault.NOT_SENT if unsent else Fault.LOST)


def _reason(causes: list[BaseException], connection: Connection) -> str:
    import ssl

    import requests
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError

    for cause in causes:
        match cause:
            case NameResolutionError():
                return "the host name is unknown"
            case NewConnectionError():  # a ConnectTimeoutError to urllib3; its cause says what it is
                continue
            case ConnectTimeoutError() | requests.ConnectTimeout():
                return f"no connection within {connection.connect_timeout:g} s"
            case ReadTimeoutError() | requests.ReadTimeout():
                return f"no answer within {connection.read_timeout:g} s, or it stalled"
            case ssl.SSLCertVerificationError():
                return f"the certificate is not trusted: {printable(cause.verify_message)}"
            case OSError(strerror=str(text)) if cause.errno:
                return printable(text).lower()
    return f"the connection broke ({type(causes[-1]).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it: these libraries hide causes in `reason` and in their arguments."""
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        cause = pending.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            pending += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
