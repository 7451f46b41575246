"""How a request fails, in words that are fit for a user: no request, no query, no header in them."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.transport.connection import Connection
    from arkworker.transport.wire import Wire


class Fault(enum.Enum):
    """How an attempt failed, and what the server may have done."""

    NOT_SENT = "nothing reached the server: refused, no route, unknown name, hung up during TLS"
    BUSY = "429, or 503 with Retry-After: the server did nothing"
    FAILED = "another 5xx: the server may have acted"
    LOST = "reset or timed out after sending: the server may have acted"
    GARBLED = "a success whose body is cut or not what was promised: the server has acted"
    REFUSED = "another answer, or a failure that would come again the next time: final"


_WANTED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"  # comes when the request has been sent already, and has not been read
# What OpenSSL calls the ends of a handshake that come again each time: one of the two sides must be changed.
_NO_TLS = {
    "WRONG_VERSION_NUMBER": "what answers does not speak TLS",
    "HTTP_REQUEST": "what answers does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "the server speaks no version of TLS that is allowed here",
    "NO_PROTOCOLS_AVAILABLE": "the server speaks no version of TLS that is allowed here",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no version of TLS that is allowed here",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server accepts nothing that TLS offers here, or wants a certificate",
    _WANTED: "the server wants a certificate, and arkworker has none",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the host name",
}
_UNKNOWN_ISSUERS = range(18, 22)  # OpenSSL's codes; a bundle that names the issuer helps against them only
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3}.*)")
_LATER = frozenset({"408", "429"})  # a proxy may answer something else the next time, as after a 5xx


class TransportError(Exception):
    """A request that brought no whole answer; `reason` says why, `fault` what a repeat may do."""

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


def explain(error: Exception, wire: Wire, connection: Connection) -> TransportError:
    """What the libraries below raised, in our words, which name the proxy that was used."""
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
    if (lasting := _lasting(causes, wire)) is not None:
        return TransportError(lasting + through, Fault.REFUSED)
    unsent = wire.sent is False or isinstance(error, requests.ConnectTimeout)
    return TransportError(_reason(causes, connection) + through, Fault.NOT_SENT if unsent else Fault.LOST)


def _lasting(causes: list[BaseException], wire: Wire) -> str | None:
    """Why there is no connection, where that does not change by itself."""
    import ssl

    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                hint = "; ARKINDEX_API_CA_BUNDLE names those to trust" if cause.verify_code in _UNKNOWN_ISSUERS else ""
                return f"the certificate is not trusted: {printable(cause.verify_message)}{hint}"
            case ssl.SSLError(reason=str(reason)) if reason in _NO_TLS and (reason == _WANTED or not wire.sent):
                return f"no connection by TLS: {_NO_TLS[reason]}"
            case OSError(args=(str(text), *_)) if found := _TUNNEL.match(text):
                status = found[1][:3]
                if status.startswith("4") and status not in _LATER:
                    return f"the proxy refuses it: {printable(found[1], 80)}"
    return None


def _reason(causes: list[BaseException], connection: Connection) -> str:
    for cause in causes:
        if (reason := _named(cause, connection)) is not None:
            return reason
    return f"the connection broke ({type(causes[-1]).__name__})"


def _named(cause: BaseException, connection: Connection) -> str | None:
    import ssl

    import requests
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError

    reason: str | None = None
    match cause:
        case NameResolutionError():
            reason = "the host name is unknown"
        case NewConnectionError():  # a ConnectTimeoutError to urllib3; its cause says what it is
            pass
        case ConnectTimeoutError() | requests.ConnectTimeout():
            reason = f"no connection within {connection.connect_timeout:g} s"
        case ReadTimeoutError() | requests.ReadTimeout():
            reason = f"no answer within {connection.read_timeout:g} s, or it stalled"
        case ssl.SSLError(reason=str(text)) if text:
            reason = f"TLS failed: {printable(text).lower().replace('_', ' ')}"
        case OSError(args=(str(text), *_)) if found := _TUNNEL.match(text):
            reason = f"the proxy answers {printable(found[1], 80)}"
        case OSError(strerror=str(text)) if cause.errno:
            reason = printable(text).lower()
    return reason


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
