"""The instance: its addresses, its edition, who may call it, and the files that it stores."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlencode

from sqlalchemy import text

from arkworker.emulator.failures import unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

# Asked with every request: as text, which takes a part of the time that mapped classes take.
_TASK = text("SELECT id, worker_run_id, state FROM tasks WHERE token = :token")


@dataclass(frozen=True)
class Caller:
    """The task whose token was used."""

    id: str
    worker_run_id: str | None
    state: str


@dataclass
class Tokens:
    """The tokens that are no longer valid, and the one of the user.

    Attributes:
        user: The API token of a person.
        expiries: When tokens end, in seconds since the epoch.
    """

    user: str
    expiries: dict[str, float] = field(default_factory=dict)

    def expire(self, token: str, *, seconds: float = 0.0) -> None:
        """Refuse `token` from now on, or after some time."""
        self.expiries[token] = time.time() + seconds

    def identify(self, header: str | None, session: Session) -> Caller | None:
        """The task that an `Authorization` header names, or None for a person; a failure 401 when it names nobody."""
        if not header:
            raise unauthorized("Authentication credentials were not provided.", "not_authenticated")
        scheme, _, token = header.partition(" ")
        if self.expiries.get(token, float("inf")) <= time.time():
            raise unauthorized("Token has expired.", "token_expired")
        if scheme == "Token" and token == self.user:
            return None
        if scheme == "Ponos":
            task = session.connection().execute(_TASK, {"token": token}).one_or_none()
            if task is not None:
                return Caller(*task)
        raise unauthorized("Invalid token.")


PREFIX = "/storage"


class Storage:
    """The bucket in `directory`.

    Attributes:
        lifetime: How long an address opens a file, in seconds.
    """

    def __init__(self, directory: Path, *, lifetime: float = 3600.0) -> None:
        self.lifetime = lifetime
        self._directory = directory
        self._key = secrets.token_bytes(16)

    def path(self, key: str) -> Path:
        """Where the file is, or will be; its directory exists."""
        path = self._directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def sign(self, method: str, key: str, content_type: str = "") -> str:
        """The path and query that let their holder GET or PUT the file, with that content type, for a while."""
        expires = str(time.time() + self.lifetime)
        query = {"expires": expires, "signature": self._signature(method, key, expires, content_type)}
        return f"{PREFIX}/{key}?{urlencode(query)}"

    def opens(self, method: str, key: str, query: Mapping[str, str], content_type: str = "") -> bool:
        """Whether the query that `sign` made is right, and not too old."""
        expires = query.get("expires", "")
        # A reader need not say which type it expects: only the writer's is part of the signature.
        expected = self._signature(method, key, expires, content_type if method == "PUT" else "")
        if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
            return False
        return float(expires) > time.time()

    def _signature(self, method: str, key: str, expires: str, content_type: str) -> str:
        text = f"{method}\n{key}\n{expires}\n{content_type}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def append(self, key: str, content: bytes) -> None:
        with self.path(key).open("ab") as file:
            file.write(content)

    def read_from(self, key: str, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on; none when there is no such file."""
        try:
            with self.path(key).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def size(self, key: str) -> int:
        path = self.path(key)
        return path.stat().st_size if path.exists() else 0


Edition: TypeAlias = Literal["enterprise", "community"]
ErrorStyle: TypeAlias = Literal["standard", "legacy"]


@dataclass
class Site:
    """What is true of the whole instance.

    Attributes:
        edition: `community` has no secrets of its own.
        error_style: The style of failures that are not bound to one.
        iiif_version: 2 or 3, of the image server.
        max_image_size: The largest width and height that the image server gives; clients must ask for tiles above.
        direct_images: Give images a `s3_url`, by which workers go around the image server.
        host: The name or address that leads to it.
        url: Of the API and the page, without a path.
        storage_url: Of files and images: another origin, as in production, so that a token that leaks is seen.
    """

    tokens: Tokens
    storage: Storage
    edition: Edition = "enterprise"
    error_style: ErrorStyle = "standard"
    iiif_version: Literal[2, 3] = 2
    max_image_size: tuple[int, int] | None = None
    direct_images: bool = False
    host: str = field(default="127.0.0.1", init=False)
    url: str = field(default="", init=False)
    storage_url: str = field(default="", init=False)
    storage_port: int = field(default=0, init=False)

    def address(self, method: str, key: str, content_type: str = "") -> str:
        """A presigned address of a file: see `Storage.sign`."""
        return self.storage_url + self.storage.sign(method, key, content_type)
