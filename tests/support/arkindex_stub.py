"""A real HTTP server on loopback that answers as it is told, for tests of whole command lines."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_ID = "56785678-5678-5678-5678-567856785678"
RUN_PATH = f"/api/v1/process/workers/{RUN_ID}/"
CONFIGURATION_PATH = f"/api/v1/workers/runs/{RUN_ID}/configuration/"
OPENAPI_PATH = "/api/v1/openapi/"


@dataclass
class Stub:
    """What it answers: by path, a status and a body.

    Bytes go out as they are, a function gets the request handler to answer as it likes, anything else goes out as JSON.
    """

    url: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What Ponos would give a worker."""
        return {"ARKINDEX_API_URL": self.url, "ARKINDEX_TASK_TOKEN": "t0ken", "ARKINDEX_WORKER_RUN_ID": RUN_ID}

    def serve_run(self, worker_run: Any, items: list[Any] | None) -> None:
        """A worker run, with its modern configuration; without one, that operation is refused with 400."""
        self.answers[RUN_PATH] = (200, worker_run)
        refusal: tuple[int, Any] = (400, ["not modern"])
        self.answers[CONFIGURATION_PATH] = refusal if items is None else (200, {"configuration": items})

    def serve_edition(self, *, enterprise: bool) -> None:
        """An OpenAPI document with or without the operation that tells the editions apart."""
        secret = {"/api/v1/secret/{name}": {"get": {"operationId": "RetrieveSecret", "parameters": []}}}
        self.answers[OPENAPI_PATH] = (200, {"openapi": "3.0.3", "paths": secret if enterprise else {}})


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is no mistake of a test, and standard error belongs to the code under test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve() -> Iterator[Stub]:
    """Start it on a free port; ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            stub.requests.append(self.path)
            status, body = stub.answers.get(self.path.split("?")[0], (404, {"detail": "Not found."}))
            if callable(body):
                self.close_connection = True
                body(self)
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    stub = Stub(f"http://127.0.0.1:{server.server_port}/api/v1/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def worker_run(**changes: Any) -> dict[str, Any]:
    """The least that a worker run holds, with changes."""
    return {
        "id": RUN_ID,
        "parents": [],
        "worker_version": {"id": "1", "worker": {"id": "w", "name": "n", "slug": "s", "type": "t"}},
        "configuration": None,
        "model_version": None,
        "process": {
            "id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeffff",
            "corpus": "11111111-1111-1111-1111-111111111111",
            "mode": "workers",
            "activity_state": "ready",
            "state": "running",
            "name": None,
        },
    } | changes
