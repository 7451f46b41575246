"""The element loop on loopback: claim, retrieve, work, report; and whether it stays as it is while a run grows.

Time runs from the first claim to the last report, by the server's clock. The limit is `http.client`: with latency, in
threads that claim, retrieve and report while the main one works; without, one request after the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness import MOST_MEMORY, OPENAPI, PEER, ROOT, Case, Place, Row, execute, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.harness import Measure

RUN_ID = "56785678-5678-5678-5678-567856785678"
TELLING = f"import atexit\n{MOST_MEMORY}\natexit.register(lambda: print(most_memory()))"

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
HTTP_CLIENT = """
import http.client
def caller():
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    def call(method, path, body=None):
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    return call
"""
URLLIB3 = """
import urllib3
def caller():
    pool = urllib3.HTTPConnectionPool("127.0.0.1", PORT)
    def call(method, path, body=None):
        response = pool.urlopen(method, path, body)
        return response.status, json.loads(response.data)
    return call
"""
LOOP = """
import json, os, threading, time
from queue import Queue
from urllib.parse import urlsplit
PORT = urlsplit(os.environ["ARKINDEX_API_URL"]).port
RUN = os.environ["ARKINDEX_WORKER_RUN_ID"]
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
SUBJECTS = {
    "limit": (sys.executable, HTTP_CLIENT + LOOP),
    "urllib3": (sys.executable, URLLIB3 + LOOP),
    "arkworker": (sys.executable, OURS),
    "published": (str(PEER), PUBLISHED),
}


def work_off(python: str, code: str, folder: Path, elements: int = 500, wait: float = 0) -> tuple[float, float]:
    """Elements a second of one subject, where latency and work take the same, and its most memory in MiB."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._element_server", str(elements), str(wait)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    environ = {
        "ARKINDEX_API_URL": f"http://127.0.0.1:{int(server.stdout.readline())}/api/v1/",
        "ARKINDEX_TASK_TOKEN": "token",
        "ARKINDEX_WORKER_RUN_ID": RUN_ID,
        "ARKINDEX_API_SCHEMA_URL": str(OPENAPI),
    }
    try:
        output = execute([python, "-c", f"{TELLING}\nWORK = {wait}\n{code}"], folder, environ)
        said = json.loads(server.communicate()[0])
    finally:
        server.kill()
        server.wait()
    if said["processed"] != elements:
        raise SystemExit(f"{code}: {said['processed']} of {elements} elements were processed")
    return elements / float(said["seconds"]), numbers(output)[0]


def prepare_waiting(place: Place) -> Mapping[str, Measure]:
    """20 ms for each request and for the work. The published library does one after the other: a few tell its rate."""
    counts = {"limit": 500, "arkworker": 500, "published": 100}
    return {name: partial(work_off, *SUBJECTS[name], place.folder, count, 0.02) for name, count in counts.items()}


def prepare(place: Place) -> Mapping[str, Measure]:
    """Nothing to wait for."""
    return {name: partial(work_off, *subject, place.folder) for name, subject in SUBJECTS.items()}


def prepare_growing(place: Place, count: int) -> Mapping[str, Measure]:
    """So many elements, without waiting; the limit is 500 of them."""

    def measure(name: str, elements: int) -> tuple[float, float]:
        rate, memory = work_off(*SUBJECTS[name], place.folder, elements)
        return 1e6 / rate, memory

    return {
        f"{name} {elements}": partial(measure, name, elements)
        for name, elements in (("arkworker", 500), ("arkworker", count), ("published", count))
    }


def growing(count: int) -> tuple[Row, Row]:
    """An element among so many, beside one among 500."""
    subjects = f"arkworker {count}", f"published {count}", "arkworker 500"
    time = Row(f"an element among {count:,} (limit: ours among 500)", "µs", "limit", "1.05", *subjects)
    return time, replace(time, name="  memory of that run", unit="MiB", figure=1)


CASES = [
    Case(
        "elements-waiting",
        (Row("500 elements, 20 ms of latency, 20 ms of work", "elements/s", "limit", "0.95"),),
        prepare_waiting,
        rounds=3,
        warm_up=0,
    ),
    Case(
        "elements",
        (
            Row("500 elements, no latency, no work", "elements/s", "limit", "0.60"),
            Row("  the same, beside urllib3 alone", "elements/s", "limit", limit="urllib3"),
        ),
        prepare,
        warm_up=0,
    ),
    Case("growing", growing(5_000), partial(prepare_growing, count=5_000), rounds=3, warm_up=0),
    Case("growing-50000", growing(50_000), partial(prepare_growing, count=50_000), rounds=1, warm_up=0, asked=True),
]
