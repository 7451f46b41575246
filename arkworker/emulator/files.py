"""What is not JSON: files in the storage, and images. Faults apply to them as to operations."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from arkworker.emulator import iiif
from arkworker.emulator.desk import JSON, Answer, Window, dump
from arkworker.emulator.failures import ApiFailureError, forbidden, missing
from arkworker.emulator.tables import Image, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call


class FileEndpoint:
    """GET and PUT of a file behind a presigned address: `GetFile`, `PutFile`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "PUT":
            await Window(self._desk, "GetFile", self._get)(scope, receive, send)
            return
        incoming = self._desk.site.storage.path(f"incoming/{new_id()}")

        async def read(request: Request) -> bytes:
            with incoming.open("wb") as file:
                async for piece in request.stream():
                    file.write(piece)
            return b""

        try:
            await Window(self._desk, "PutFile", partial(self._put, incoming), read)(scope, receive, send)
        finally:
            incoming.unlink(missing_ok=True)

    async def _get(self, _call: Call, request: Request, _content: bytes) -> Answer:
        path = self._desk.site.storage.path(self._open(request))
        if not path.exists():
            raise missing()
        etag = f'"{path.stat().st_mtime_ns:x}-{path.stat().st_size:x}"'
        common = (("content-type", "application/octet-stream"), ("accept-ranges", "bytes"), ("etag", etag))
        return _ranged(path, request.headers, etag, common)

    async def _put(self, incoming: Path, _call: Call, request: Request, _content: bytes) -> Answer:
        key = self._open(request)
        digest = await run_in_threadpool(_digest, incoming)
        announced = request.headers.get("content-md5")
        if announced is not None and announced != base64.b64encode(digest).decode():
            raise ApiFailureError(400, [((), "BadDigest", "The Content-MD5 is not that of the content.")])
        os.replace(incoming, self._desk.site.storage.path(key))  # noqa: PTH105 - Path.replace would read as str.replace
        return Answer(200, b"", (("etag", f'"{digest.hex()}"'),))

    def _open(self, request: Request) -> str:
        """The key that the address opens. As with S3, a token beside the signature is one credential too many."""
        if "authorization" in request.headers:
            raise ApiFailureError(400, [((), "InvalidArgument", "Only one auth mechanism allowed.")])
        key: str = request.path_params["key"]
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
        method = "PUT" if request.method == "PUT" else "GET"
        if not self._desk.site.storage.opens(method, key, query, request.headers.get("content-type", "")):
            raise forbidden("The signature is wrong, or has expired.")
        return key


class Images:
    """Images and their description over IIIF: `GetImage`, `GetImageInformation`."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self._desk = desk
        self._database = database

    async def describe(self, _call: Call, request: Request, _content: bytes) -> Answer:
        content = dump(iiif.information(self._find(request), self._desk.site, request.path_params["version"]))
        return Answer(200, content, (JSON, ("access-control-allow-origin", "*")))

    async def render(self, _call: Call, request: Request, _content: bytes) -> Answer:
        wanted = iiif.Request(*(request.path_params[name] for name in iiif.Request._fields))
        # Pillow takes long, and lets other threads run meanwhile.
        content, content_type = await run_in_threadpool(iiif.render, self._find(request), wanted, self._desk.site)
        return Answer(200, content, (("content-type", content_type), ("cache-control", "max-age=3600")))

    def _find(self, request: Request) -> Image:
        with self._database.transaction() as session:
            image = session.find(Image, str(request.path_params["id"]))
        if image is None or image.external_url is not None:
            raise missing()
        return image


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").digest()


def _ranged(path: Path, headers: Headers, etag: str, common: tuple[tuple[str, str], ...]) -> Answer:
    """The file, or the one range of it that was asked for; a range of another version of the file is all of it."""
    size = path.stat().st_size
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
    if match is None or headers.get("if-range", etag) != etag:
        return Answer(200, path, common)
    start = int(match[1])
    end = min(int(match[2]) + 1 if match[2] else size, size)
    if start >= end:
        return Answer(416, b"", (("content-range", f"bytes */{size}"),))
    return Answer(206, path, (*common, ("content-range", f"bytes {start}-{end - 1}/{size}")), start, end)
