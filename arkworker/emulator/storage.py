"""Files, and the presigned addresses that open them, as an S3 bucket would.

A key is made of names that the emulator chose (`artifacts/<id>`), never of what a client sent.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
