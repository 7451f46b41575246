"""Where Arkindex is and how to speak to it: plain values, checked before anything is sent."""

from __future__ import annotations

import functools
import logging
import os
import re
import stat
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from arkworker.errors import ConfigurationError, Problem
from arkworker.text import SignedAddress

logger = logging.getLogger("arkworker.api")

DEFAULT_URL = "https://arkindex.teklia.com/"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\]")


class Token:
    """A token that is masked wherever it is printed, logged or dumped; `get_secret_value()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "**********"


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client needs to know; picklable, and neither `repr` nor `dataclasses.asdict` shows the token.

    Attributes:
        url: Any address on the instance's host: the paths of operations are absolute.
        token: Sent to the origin of `url` and nowhere else; None is anonymous.
        scheme: `Token` for a person's token, `Ponos` for a task's.
        schema_url: Address or local path of the instance's OpenAPI document (JSON).
        csrf_cookie: Name of the cookie that writes repeat in a header.
        verify: Whether certificates are checked; False only where a person said so.
        ca_bundle: File or directory of certificates to trust instead of the usual ones.
        user_agent: What is sent to servers; None for the name and version of arkworker.
        connect_timeout: Seconds.
        read_timeout: Seconds without a byte.
    """

    url: str = DEFAULT_URL
    token: Token | str | None = field(default=None, repr=False)
    scheme: str = "Token"
    schema_url: str | None = field(default=None, repr=False)
    csrf_cookie: str | None = None
    verify: bool = True
    ca_bundle: str | None = None
    user_agent: str | None = field(default=None, compare=False)
    connect_timeout: float = 30.0
    read_timeout: float = 60.0

    def __post_init__(self) -> None:
        if isinstance(self.token, str):
            object.__setattr__(self, "token", Token(self.token) if self.token else None)
        for name in ("url", "schema_url"):
            if address := getattr(self, name):
                object.__setattr__(self, name, SignedAddress.of(address))

    @property
    def plain_token(self) -> str | None:
        """The token itself; for who sends it."""
        return self.token.get_secret_value() if isinstance(self.token, Token) else self.token


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """A checked connection, in the form that requests need.

    Attributes:
        origin: Scheme, host and port, such as `https://arkindex.teklia.com`.
        referer: The whole address, which Django wants to see beside a CSRF token.
        authorization: The header's value; None is anonymous.
    """

    origin: str
    referer: str
    authorization: str | None = field(repr=False)


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of a web address; None when it has none (relative, or no address at all)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and parts.scheme in _DEFAULT_PORTS else None


def check(connection: Connection) -> Endpoint:
    """The endpoint of a connection.

    Raises:
        ConfigurationError: The address, the token or the certificates cannot be used.
    """
    try:
        return _endpoint(connection)
    except ConfigurationError as error:
        problem = error
    # Without the frames that hold the token, or an address with a password: collectors of errors show variables.
    problem.__context__ = None
    raise problem.with_traceback(None)


def _endpoint(connection: Connection) -> Endpoint:
    parts = _split(connection.url or DEFAULT_URL)
    origin = f"{parts.scheme}://{parts.netloc}"
    for value, path, name in (
        (connection.plain_token, "api.token", "ARKINDEX_API_TOKEN, ARKINDEX_TASK_TOKEN"),
        (connection.scheme, "api.auth_scheme", "ARKINDEX_API_AUTH_SCHEME"),
        (connection.csrf_cookie, "api.csrf_cookie", "ARKINDEX_API_CSRF_COOKIE"),
    ):
        if value and not _VISIBLE.fullmatch(value):
            raise _refusal(path, name, "holds a blank, a line break or a character that is not ASCII")
    if connection.user_agent and not (connection.user_agent.isascii() and connection.user_agent.isprintable()):
        raise _refusal("user_agent", "REQUESTS_USER_AGENT", "holds a line break or a character that is not ASCII")
    if connection.ca_bundle:
        check_bundle(connection.ca_bundle, "ARKINDEX_API_CA_BUNDLE")
    authorization = f"{connection.scheme} {connection.plain_token}" if connection.token else None
    return Endpoint(origin, origin + (parts.path or "/"), authorization)


def check_bundle(path: str, location: str) -> None:
    """Refuse a bundle of certificates that is not one.

    Raises:
        ConfigurationError: It is not there, or holds no certificates.
    """
    mistake = bundle_mistake(path)
    if mistake:
        raise _refusal("api.ca_bundle", location, mistake)


def bundle_mistake(path: str) -> str:
    """What is wrong with a file, or a directory, that should hold certificates; empty where nothing is."""
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib raises for a path that is not one
    except (OSError, ValueError):
        return "does not exist"
    return "" if stat.S_ISDIR(found.st_mode) else _file_mistake(path, found.st_ino, found.st_ctime_ns)


@functools.lru_cache(maxsize=4)
def _file_mistake(path: str, *version: int) -> str:
    del version  # a file that is written anew is read anew
    import ssl  # only such a file pays for it

    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "holds no certificates: it should be a file of these in PEM format"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def warn(connection: Connection) -> None:
    """Say, at every start, what makes this connection unsafe."""
    scheme, host, _ = origin_of(connection.url or DEFAULT_URL) or ("", "", None)
    if connection.token and scheme == "http" and not _is_loopback(host):
        logger.warning("the API token travels unencrypted to %s: use an https:// address", host)
    if not connection.verify:
        logger.warning("certificates are not checked: anyone on the way to %s can read the API token", host)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _, _ = parts.netloc.rpartition(":") if parts.port is not None else (parts.netloc, "", "")
    except ValueError:
        raise _refusal("api.url", "ARKINDEX_API_URL", "is not a web address") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refusal("api.url", "ARKINDEX_API_URL", "must start with https:// or http://")
    if not _VISIBLE.fullmatch(url):
        reason = "holds a blank or a character that is not ASCII: an international name is written as xn--…"
        raise _refusal("api.url", "ARKINDEX_API_URL", reason)
    if "@" in parts.netloc:
        raise _refusal("api.url", "ARKINDEX_API_URL", "must not hold a user name or password: use a token")
    if not _HOST.fullmatch(host.removesuffix(":")):
        raise _refusal("api.url", "ARKINDEX_API_URL", "has no valid host name")
    return parts


def _refusal(path: str, location: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(path, "connection", location, message)])


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress  # only plain HTTP pays for it

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
