"""What the libraries below raise, in words that are fit for a user: no request, no address, no header in them."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions as urllib3_errors

from arkworker.arkindex.client.attempts import Fault
from arkworker.arkindex.client.excerpts import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.client.connection import Connection
    from arkworker.arkindex.client.wire import Wire


class TransportError(Exception):
    """A request that brought no whole answer; `reason` says why, `fault` what a repeat may do."""

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


def explain(error: Exception, wire: Wire, connection: Connection) -> TransportError:
    """The error that a request ended with."""
    causes = list(_causes(error))
    if wire.overflowed:
        return TransportError("the answer is too long", Fault.GARBLED)
    if any(isinstance(cause, urllib3_errors.DecodeError) for cause in causes):
        return TransportError("the answer cannot be decompressed", Fault.GARBLED)
    if any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return TransportError("the answer was cut", Fault.GARBLED)
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidProxyURL):
        return TransportError("the proxy that the environment names cannot be used", Fault.REFUSED)
    if isinstance(error, ValueError):
        return TransportError("the address or a header cannot be sent", Fault.REFUSED)
    unsent = wire.sent is False or isinstance(error, requests.ConnectTimeout)
    return TransportError(_reason(causes, connection), Fault.NOT_SENT if unsent else Fault.LOST)


def _reason(causes: list[BaseException], connection: Connection) -> str:
    for cause in causes:
        match cause:
            case urllib3_errors.NameResolutionError():
                return "the host name is unknown"
            case requests.ConnectTimeout():
                return f"no connection within {connection.connect_timeout:g} s"
            case urllib3_errors.ReadTimeoutError() | requests.ReadTimeout():
                return f"no answer within {connection.read_timeout:g} s, or it stalled"
            case ssl.SSLCertVerificationError():
                return f"the certificate is not trusted: {escape(cause.verify_message)}"
            case OSError(strerror=str(text)) if cause.errno:
                return escape(text).lower()
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
