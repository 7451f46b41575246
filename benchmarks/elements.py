"""The element loop on loopback: arkworker, the published library and the physical limit, in one run.

`python benchmarks/elements.py [ELEMENTS] [ROUNDS]` prints, for a network of 20 ms with 20 ms of work on each element
and for neither, how many elements a second each gets through (the median), and the ratio to the limit. Time runs from
the first claim to the last report, by the server's clock. The limit is `http.client`: with latency, in threads that
claim, retrieve and report while the main one works; without, one request after the other. The published library needs
the environments of `make compat`. All take turns, so that they meet the same noise.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.6.0" / "bin" / "python"
SERVER = ROOT / "benchmarks" / "_element_server.py"
SCHEMA = ROOT / "tests" / "data" / "openapi-reconstructed.json"
RUN_ID = "56785678-5678-5678-5678-567856785678"

OURS = """
import time
from arkworker.runtime.worker import ElementsWorker
class W(ElementsWorker):
    def process_element(self, element, context, cache):
        if WORK:
            time.sleep(WORK)
W.main([])
"""
PUBLISHED = """
import time
from arkindex_worker.worker import ElementsWorker
class W(ElementsWorker):
    def process_element(self, element):
        if WORK:
            time.sleep(WORK)
W().run()
"""
LIMIT = """
import http.client, json, os, threading, time
from queue import Queue
from urllib.parse import urlsplit
PORT = urlsplit(os.environ["ARKINDEX_API_URL"]).port
RUN = os.environ["ARKINDEX_WORKER_RUN_ID"]
def caller():
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    def call(method, path, body=None):
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    return call
def fetch(call):
    status, claimed = call("POST", "/api/v1/process/start-activity/")
    return call("GET", f"/api/v1/element/{claimed['id']}/")[1] if status == 200 else None
def report(call, element):
    body = json.dumps({"element_id": element["id"], "process_id": "p", "state": "processed"})
    call("PUT", f"/api/v1/workers/versions/{RUN}/activity/", body)
def one_by_one():
    call = caller()
    while element := fetch(call):
        report(call, element)
def overlapped():
    ready, done = Queue(2), Queue(2)
    def intake():
        call = caller()
        while element := fetch(call):
            ready.put(element)
        ready.put(None)
    def reports():
        call = caller()
        while element := done.get():
            report(call, element)
    threads = [threading.Thread(target=intake) for _ in range(4)] + [threading.Thread(target=reports) for _ in range(2)]
    for thread in threads:
        thread.start()
    ended = 0
    while ended < 4:
        element = ready.get()
        if element is None:
            ended += 1
            continue
        time.sleep(WORK)
        done.put(element)
    for _ in range(2):
        done.put(None)
    for thread in threads:
        thread.join()
overlapped() if WORK else one_by_one()
"""
SUBJECTS = {"limit": (sys.executable, LIMIT), "arkworker": (sys.executable, OURS), "published": (str(PEER), PUBLISHED)}
CASES = {"20 ms of latency, 20 ms of work": (0.02, 0.02), "no latency, no work": (0.0, 0.0)}


def measure(name: str, elements: int, latency: float, work: float, folder: str) -> float:
    """Elements a second of one subject, in processes of its own."""
    python, code = SUBJECTS[name]
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(elements), str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    environ = os.environ | {
        "ARKINDEX_API_URL": f"http://127.0.0.1:{int(server.stdout.readline())}/api/v1/",
        "ARKINDEX_TASK_TOKEN": "token",
        "ARKINDEX_WORKER_RUN_ID": RUN_ID,
        "ARKINDEX_API_SCHEMA_URL": str(SCHEMA),
        "PONOS_DATA": folder,
        "PYTHONPATH": "" if name == "published" else str(ROOT),
    }
    try:
        command = [python, "-c", f"WORK = {work}\n{code}"]
        done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
        said = json.loads(server.communicate()[0])
    finally:
        server.kill()
        server.wait()
    if said["processed"] != elements:
        raise SystemExit(f"{name}: {said['processed']} of {elements} elements were processed")
    return elements / float(said["seconds"])


def main() -> None:
    """Measure and print."""
    elements = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    names = [name for name in SUBJECTS if name != "published" or PEER.exists()]
    with tempfile.TemporaryDirectory() as folder:
        for case, (latency, work) in CASES.items():
            rates: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name in names:
                    rates[name].append(measure(name, elements, latency, work, folder))
            medians = {name: statistics.median(found) for name, found in rates.items()}
            print(f"{elements} elements, {case}")
            for name, median in medians.items():
                print(f"  {name:10} {median:8.1f} elements/s  {median / medians['limit']:5.2f} x the limit")


if __name__ == "__main__":
    main()
