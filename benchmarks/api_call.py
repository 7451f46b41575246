"""One API call on loopback: a GET whose answer is a small element."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness import OPENAPI, PEER, Case, Place, Row, execute, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.harness import Measure

CALLS = 400
BODY = json.dumps(
    {"id": "5f1c", "name": "Page 1", "type": "page", "zone": {"polygon": [[0, 0], [0, 9], [9, 9]]}}
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

TIMED = """
import json, statistics, sys, time
port = int(sys.argv[1])
"""
MEASURED = f"""
times = []
for _ in range({CALLS} + 20):
    start = time.perf_counter()
    call()
    times.append(time.perf_counter() - start)
print(statistics.median(times[20:]) * 1e6)
"""
SUBJECTS = {
    "arkworker": (
        sys.executable,
        """
from arkworker.arkindex.client import Client, Connection
client = Client(Connection(url=f"http://127.0.0.1:{port}/api/v1/", token="token"))
call = lambda: client.request("RetrieveElement", id="5f1c")
""",
    ),
    "published": (
        str(PEER),
        """
from arkindex import ArkindexClient, options_from_env
client = ArkindexClient(**options_from_env())
call = lambda: client.request("RetrieveElement", id="5f1c")
""",
    ),
    "requests": (
        sys.executable,
        """
import requests
session = requests.Session()
call = lambda: session.get(f"http://127.0.0.1:{port}/api/v1/element/5f1c/", timeout=60).json()
""",
    ),
    "urllib3": (
        sys.executable,
        """
import urllib3
pool = urllib3.HTTPConnectionPool("127.0.0.1", port)
call = lambda: json.loads(pool.urlopen("GET", "/api/v1/element/5f1c/").data)
""",
    ),
    "limit": (
        sys.executable,
        """
import http.client
connection = http.client.HTTPConnection("127.0.0.1", port)
def call():
    connection.request("GET", "/api/v1/element/5f1c/")
    return json.loads(connection.getresponse().read())
""",
    ),
}


class Answering(socketserver.StreamRequestHandler):
    """Answers every request on a connection with the same element, as fast as it can."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Read requests until the other side is gone."""
        while self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(ANSWER)


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection."""

    daemon_threads = True


def time_call(python: str, code: str, port: int, folder: Path) -> list[float]:
    """The median of the microseconds of a call."""
    environ = {
        "ARKINDEX_API_URL": f"http://127.0.0.1:{port}/api/v1/",
        "ARKINDEX_API_TOKEN": "token",
        "ARKINDEX_API_SCHEMA_URL": str(OPENAPI),
    }
    return numbers(execute([python, "-c", TIMED + code + MEASURED, str(port)], folder, environ))


def prepare(place: Place) -> Mapping[str, Measure]:
    """A server in this process, and the four clients."""
    server = place.stack.enter_context(Server(("127.0.0.1", 0), Answering))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place.stack.callback(server.shutdown)
    port = server.server_address[1]
    return {name: partial(time_call, *subject, port, place.folder) for name, subject in SUBJECTS.items()}


CASES = [
    Case(
        "api-call",
        (
            Row("one API call", "µs", goal="0.35"),
            Row("  the same, beside bare requests", "µs", peer="requests"),
            Row("  the same, beside urllib3 alone", "µs", "limit", limit="urllib3"),
        ),
        prepare,
        rounds=9,
    )
]
