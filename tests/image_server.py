"""A IIIF server and an S3 storage on 127.0.0.1, which answer without loss so that pixels can be compared."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


def drawing(width: int, height: int) -> Image.Image:
    """An image in which nearly every pixel differs from all others."""
    image = Image.new("RGB", (width, height))
    image.putdata(
        [(x % 256, y % 256, (x // 256 * 16 + y // 256 + x * y) % 256) for y in range(height) for x in range(width)]
    )
    return image


def as_png(image: Image.Image) -> bytes:
    body = io.BytesIO()
    image.save(body, format="PNG", compress_level=1)
    return body.getvalue()


@dataclass
class Answer:
    """One scripted answer; `length` may lie."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


class ImageServer:
    """Serves `/iiif/{name}/…`, `/iiif/{name}/info.json` and `/s3/{name}?signature=…`, and remembers what was asked."""

    def __init__(self) -> None:
        self.images: dict[str, Image.Image] = {}
        self.version = 2
        self.max_size: int | None = None  # the largest side that is given
        self.refuses_large = False  # whether a larger one is refused rather than shrunk
        self.refuses_sizes = False  # whether any size but the full one is refused
        self.tile_size: int | None = 64
        self.signature = "valid"
        self.script: dict[str, list[Answer]] = {}  # path → answers that come first
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def say(self, path: str, *answers: dict[str, Any]) -> None:
        """Let a path give these answers first; each is what `Answer` takes."""
        self.script[path] = [Answer(**answer) for answer in answers]

    def answer(self, target: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(target)
        with self._lock:
            self.asked.append(target)
            self.headers.append(headers)
            if self.script.get(parts.path):
                return self.script[parts.path].pop(0)
        kind, name, *rest = parts.path.strip("/").split("/")
        image = self.images.get(name)
        if image is None:
            return Answer(404)
        if kind == "s3":
            valid = parse_qs(parts.query).get("signature") == [self.signature]
            return Answer(body=as_png(image)) if valid else Answer(403)
        return self._information(image) if rest == ["info.json"] else self._region(image, *rest)

    def _information(self, image: Image.Image) -> Answer:
        information: dict[str, Any] = {
            "id" if self.version == 3 else "@id": "x",
            "width": image.width,
            "height": image.height,
        }
        if self.tile_size:
            information["tiles"] = [{"width": self.tile_size // 2}, {"width": self.tile_size}]
        return Answer(body=json.dumps(information).encode())

    def _region(self, image: Image.Image, region: str, size: str, rotation: str, _name: str) -> Answer:
        if region != "full":
            x, y, width, height = (int(part) for part in region.split(","))
            image = image.crop((x, y, min(x + width, image.width), min(y + height, image.height)))
        if rotation != "0" or not image.width or not image.height:
            return Answer(400)
        return self._sized(image, size)

    def _sized(self, image: Image.Image, size: str) -> Answer:
        if size == ("full" if self.version == 3 else "none"):
            return Answer(400)
        wanted = image.size if size in ("full", "max") else _size(image, size)
        if self.refuses_sizes and size not in ("full", "max"):
            return Answer(501)
        if self.version == 3 and (wanted[0] > image.width or wanted[1] > image.height):
            return Answer(400)
        if self.max_size and max(wanted) > self.max_size:
            if self.refuses_large and size != "max":
                return Answer(403)
            scale = self.max_size / max(wanted)
            wanted = round(wanted[0] * scale), round(wanted[1] * scale)
        return Answer(body=as_png(image if wanted == image.size else image.resize(wanted)))


def _size(image: Image.Image, size: str) -> tuple[int, int]:
    width, height = (int(part) if part else None for part in size.removeprefix("!").split(","))
    if size.startswith("!"):
        scale = min((width or 0) / image.width, (height or 0) / image.height)
        return max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return (
        width or max(1, round(image.width * (height or 0) / image.height)),
        height or max(1, round(image.height * (width or 0) / image.width)),
    )


def _handler(server: ImageServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body follows the head at once

        def do_GET(self) -> None:
            answer = server.answer(self.path, dict(self.headers))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.length not in (None, len(answer.body)):
                self.close_connection = True

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    return Handler
