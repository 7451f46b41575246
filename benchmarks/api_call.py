"""One API call on loopback: arkworker, the published client, bare requests and http.client, in one run.

`python benchmarks/api_call.py [CALLS]` prints the median of each in microseconds and the ratio to the published client
(which needs the environments of `make compat`). The four take turns, so that they meet the same noise.
"""

from __future__ import annotations

import json
import os
import socketserver
import statistics
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.6.0" / "bin" / "python"
SCHEMA = ROOT / "tests" / "data" / "openapi-reconstructed.json"
BODY = json.dumps(
    {"id": "5f1c", "name": "Page 1", "type": "page", "zone": {"polygon": [[0, 0], [0, 9], [9, 9]]}}
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
ROUNDS = 7

TIMED = """
import json, sys, time
def measure(call, calls):
    for _ in range(20):
        call()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    print(json.dumps(times), flush=True)
port, calls = int(sys.argv[1]), int(sys.argv[2])
"""
SUBJECTS = {
    "arkworker": (
        Path(sys.executable),
        """
from arkworker.arkindex.client import Client, Connection
client = Client(Connection(url=f"http://127.0.0.1:{port}/api/v1/", token="token"))
call = lambda: client.request("RetrieveElement", id="5f1c")
""",
    ),
    "published": (
        PEER,
        """
from arkindex import ArkindexClient, options_from_env
client = ArkindexClient(**options_from_env())
call = lambda: client.request("RetrieveElement", id="5f1c")
""",
    ),
    "requests": (
        Path(sys.executable),
        """
import requests
session = requests.Session()
call = lambda: session.get(f"http://127.0.0.1:{port}/api/v1/element/5f1c/", timeout=60).json()
""",
    ),
    "http.client": (
        Path(sys.executable),
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


def measure(name: str, port: int, calls: int) -> list[float]:
    """Seconds of each call, made in a process of its own."""
    python, code = SUBJECTS[name]
    environ = os.environ | {
        "ARKINDEX_API_URL": f"http://127.0.0.1:{port}/api/v1/",
        "ARKINDEX_API_TOKEN": "token",
        "ARKINDEX_API_SCHEMA_URL": str(SCHEMA),
        "PYTHONPATH": str(ROOT) if python != PEER else "",
    }
    command = [str(python), "-c", f"{TIMED}{code}measure(call, calls)", str(port), str(calls)]
    done = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    times: list[float] = json.loads(done.stdout)
    return times


def main() -> None:
    """Measure and print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with Server(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        times: dict[str, list[float]] = {name: [] for name in SUBJECTS if name != "published" or PEER.exists()}
        for _ in range(ROUNDS):
            for name in times:
                times[name] += measure(name, server.server_address[1], calls)
        server.shutdown()
    medians = {name: statistics.median(collected) for name, collected in times.items()}
    reference = medians.get("published")
    for name, median in medians.items():
        ratio = f"{median / reference:5.2f} x the published client" if reference else ""
        print(f"{name:12} {median * 1e6:6.0f} us  {ratio}")


if __name__ == "__main__":
    main()
