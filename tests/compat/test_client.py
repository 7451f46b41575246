"""The published `arkindex-client` and ours send the same requests to the same server."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from arkworker.arkindex.client import Client, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.compat

SCHEMA = Path(__file__).parents[1] / "data" / "openapi-reconstructed.json"
PEERS = ("base-worker-0.6.0", "base-worker-0.5.1")  # the client of 0.3.7 cannot paginate with the schema below
ID = "0b3ae8e5-8ae4-4b0d-9d4f-4c2a3a6a9a31"
OTHER = "c1d0e4f2-1111-4222-8333-444455556666"

# Method of the client, operation, body, parameters: those of a worker's life first.
CALLS: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("request", "RetrieveWorkerRun", None, {"id": ID}),
    ("request", "RetrieveWorkerRunConfiguration", None, {"id": ID}),
    ("request", "RetrieveSecret", None, {"name": "folder/key é.json"}),
    ("request", "RetrieveTask", None, {"id": ID}),
    ("request", "RetrieveTaskFromAgent", None, {"id": ID}),
    ("request", "StartWorkerActivity", None, {}),
    (
        "request",
        "UpdateWorkerActivity",
        {"element_id": OTHER, "process_id": ID, "state": "processed"},
        {"id": ID},
    ),
    ("paginate", "ListProcessElements", None, {"id": ID, "with_image": True, "page_size": 500}),
    ("paginate", "ListProcessSets", None, {"id": ID}),
    ("request", "RetrieveElement", None, {"id": ID}),
    ("paginate", "ListElements", None, {"corpus": ID, "with_zone": False, "type": "text line&é", "name": "a+b"}),
    (
        "request",
        "CreateElements",
        {"worker_run_id": ID, "elements": [{"name": "é", "polygon": [[0, 1.5]]}]},
        {"id": ID},
    ),
    ("request", "CreateElementParent", None, {"child": ID, "parent": OTHER}),
    ("request", "PartialUpdateElement", {"name": "x"}, {"id": ID}),
    ("request", "DestroyDatasetElement", None, {"dataset": ID, "element": OTHER, "set": "train"}),
    ("request", "RetrieveDatasetSet", None, {"dataset": ID, "set": "my set"}),
    ("request", "ListArtifacts", None, {"id": ID}),
    ("request", "DownloadArtifact", None, {"id": ID, "path": "logs/a b.txt"}),
]
PEER_SCRIPT = """
import json, sys
from arkindex import ArkindexClient, options_from_env
client = ArkindexClient(**options_from_env())
for method, operation, body, parameters in json.load(sys.stdin):
    arguments = parameters if body is None else {"body": body, **parameters}
    answer = getattr(client, method)(operation, **arguments)
    if method == "paginate":
        list(answer)
"""
COMPARED = ("authorization", "content-type", "cookie", "x-csrftoken", "referer")


class Recorder(BaseHTTPRequestHandler):
    """Remembers each request; answers JSON of the right shape, and two cookies."""

    protocol_version = "HTTP/1.1"
    received: list[dict[str, Any]]

    def answer(self) -> None:
        """Record and reply."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        self.received.append(
            {
                "method": self.command,
                "path": address.path,
                "query": query,
                "body": json.loads(body) if body else None,
                **{name: self.headers.get(name) for name in COMPARED},
            }
        )
        content = json.dumps(self.content(address.path, query)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", "arkindex.csrf=c5rf; Path=/")
        self.send_header("Set-Cookie", "sessionid=5e55; Path=/")
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def content(path: str, query: dict[str, list[str]]) -> Any:
        """A page with another behind it, a list, or an object."""
        if path.endswith(("/sets/", "/elements/")):
            is_last = "cursor" in query or query.get("page") == ["2"]
            following = None if is_last else "http://elsewhere/?page=2&cursor=a%2Bb%3D"
            return {"count": 2, "number": 1, "next": following, "previous": None, "results": [{}]}
        return [] if path.endswith(("/artifacts/", "/bulk/")) else {"id": ID}

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server and what it received."""
    received: list[dict[str, Any]] = []
    handler = type("Handler", (Recorder,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1/", received
    server.shutdown()
    thread.join()
    server.server_close()


def send_ours(url: str, token: str, scheme: str) -> None:
    client = Client(Connection(url=url, token=token, scheme=scheme))
    for method, operation, body, parameters in CALLS:
        answer = getattr(client, method)(operation, body, **parameters)
        if method == "paginate":
            list(answer)
    client.close()


def send_theirs(python: Path, url: str, token: str, scheme: str) -> None:
    variables = {
        "ARKINDEX_API_URL": url,
        "ARKINDEX_API_TOKEN": token,
        "ARKINDEX_API_SCHEMA_URL": str(SCHEMA),
    }
    if scheme == "Ponos":
        variables["ARKINDEX_TASK_TOKEN"] = variables.pop("ARKINDEX_API_TOKEN")
    subprocess.run(
        [python, "-c", PEER_SCRIPT], env=os.environ | variables, input=json.dumps(CALLS), text=True, check=True
    )


@pytest.mark.parametrize("scheme", ["Token", "Ponos"])
@pytest.mark.parametrize("name", PEERS)
def test_both_clients_send_the_same_requests(
    name: str, scheme: str, peer: Callable[[str], Path], recorder: tuple[str, list[dict[str, Any]]]
) -> None:
    """Method, path, query, body, credentials, cookies, referer, page by page."""
    url, received = recorder
    send_theirs(peer(name), url, "5ecret", scheme)
    theirs = received.copy()
    received.clear()

    send_ours(url, "5ecret", scheme)

    assert received == theirs
