"""What users have: real pages, whose image is opened and whose lines are published; and the memory of a worker run.

The emulated Arkindex and its IIIF server are in this process, new for each run, and make what they are asked for: much
of the time is theirs, which the limit shows. It is `http.client` and Pillow, making the same requests one after the
other. Time runs from the first claim to the last report, by the clock of the emulator.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from arkworker.emulator import Emulator
from benchmarks.harness import MOST_MEMORY, PEER, Case, Place, Row, execute, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness import Measure

PAGES, LINES = 40, 50

FOUND = f"""
TEXT = "Le dix-neuvième jour du mois de mai mil huit cent"
OUTLINES = [[[100, 20 * n], [900, 20 * n], [900, 20 * n + 18], [100, 20 * n + 18]] for n in range(1, {LINES} + 1)]
"""
OURS = f"""
from arkworker import Child, ElementsWorker, Transcription
{FOUND}
class W(ElementsWorker):
    creates = ("text_line",)
    def process_element(self, element, context, cache):
        assert element.open_image().size == (1000, 1400)
        for outline in OUTLINES:
            yield Child(type="text_line", polygon=outline, results=[Transcription(text=TEXT, confidence=0.9)])
if __name__ == "__main__":
    W.main(FLAGS)
"""
PUBLISHED = f"""
from arkindex_worker.worker import ElementsWorker
{FOUND}
class W(ElementsWorker):
    def process_element(self, element):
        assert element.open_image().size == (1000, 1400)
        lines = [{{"polygon": outline, "text": TEXT, "confidence": 0.9}} for outline in OUTLINES]
        self.create_element_transcriptions(element, "text_line", lines)
W().run()
"""
LIMIT = f"""
import http.client, io, json, os
from urllib.parse import urlsplit
from PIL import Image
{FOUND}
RUN = os.environ["ARKINDEX_WORKER_RUN_ID"]
HEADERS = {{"Authorization": "Ponos " + os.environ["ARKINDEX_TASK_TOKEN"], "Content-Type": "application/json"}}
api = http.client.HTTPConnection(urlsplit(os.environ["ARKINDEX_API_URL"]).netloc)
images = None
def call(method, path, body=None):
    api.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None, HEADERS)
    response = api.getresponse()
    return response.status, json.loads(response.read() or "null")
_, run = call("GET", f"/process/workers/{{RUN}}/")
while (claimed := call("POST", "/process/start-activity/"))[0] == 200:
    _, element = call("GET", f"/element/{{claimed[1]['id']}}/")
    address = urlsplit(element["zone"]["image"]["url"])
    images = images or http.client.HTTPConnection(address.netloc)
    images.request("GET", address.path + "/full/full/0/default.jpg")
    assert Image.open(io.BytesIO(images.getresponse().read())).convert("RGB").size == (1000, 1400)
    lines = [{{"polygon": outline, "text": TEXT, "confidence": 0.9}} for outline in OUTLINES]
    lines = {{"element_type": "text_line", "worker_run_id": RUN, "transcriptions": lines, "return_elements": True}}
    assert call("POST", f"/element/{{element['id']}}/transcriptions/bulk/", lines)[0] == 201
    state = {{"element_id": element["id"], "process_id": run["process"]["id"], "state": "processed"}}
    assert call("PUT", f"/workers/versions/{{RUN}}/activity/", state)[0] == 200
"""
ONE_CHILD = f"""
import atexit, sys
{MOST_MEMORY}
atexit.register(lambda: print(most_memory(), len(sys.modules)))
from arkworker import Child, ElementsWorker
class W(ElementsWorker):
    creates = ("text_line",)
    def process_element(self, element, context, cache):
        return Child(type="text_line", polygon=[(0, 0), (0, 9), (9, 9)])
W.main([])
"""
ONE_PUBLISHED = f"""
import atexit, sys
{MOST_MEMORY}
atexit.register(lambda: print(most_memory(), len(sys.modules)))
from arkindex_worker.worker import ElementsWorker
class W(ElementsWorker):
    def process_element(self, element):
        line = {{"type": "text_line", "name": "1", "polygon": [[0, 0], [0, 9], [9, 9]]}}
        self.create_elements(element, [line])
W().run()
"""
FLOOR = f"""
import sys
{MOST_MEMORY}
import pydantic_settings, requests
print(most_memory(), len(sys.modules))
"""


def publish_lines(python: str, command: Sequence[str], folder: Path) -> tuple[float]:
    """Pages a second."""
    with Emulator() as emulator:
        emulator.add_corpus()
        worker_run = emulator.add_worker_run(elements=emulator.add_elements(PAGES, image=(1000, 1400)))
        execute([python, *command], folder, emulator.environment(worker_run, data_dir=folder))
        changes = emulator.ledger.changes(worker_run)
        texts = Counter(call.status for call in emulator.ledger.calls("CreateElementTranscriptions"))
    if [change.state for change in changes].count("processed") != PAGES or texts != {201: PAGES}:
        raise SystemExit(f"{command}: not every page was processed and has its lines")
    return (PAGES / (changes[-1].time - next(change.time for change in changes if change.state == "started")),)


def publish_one(python: str, code: str, folder: Path) -> list[float]:
    """The most memory of a worker run over one element, in MiB, and how many modules it had at its end."""
    with Emulator() as emulator:
        emulator.add_corpus()
        worker_run = emulator.add_worker_run(elements=emulator.add_elements(1, image=(1000, 1400)))
        return numbers(execute([python, "-c", code], folder, emulator.environment(worker_run, data_dir=folder)))


def prepare(place: Place) -> Mapping[str, Measure]:
    """The same pages for everybody, and one or two processes for us."""
    (place.folder / "lines.py").write_text(OURS)
    ours = "-m", "arkworker", "run", "lines.py:W"
    subjects: dict[str, tuple[str, Sequence[str]]] = {
        "limit": (sys.executable, ["-c", LIMIT]),
        "arkworker": (sys.executable, ours),
        "--jobs 2": (sys.executable, [*ours, "--jobs", "2"]),
        "published": (str(PEER), ["-c", PUBLISHED]),
    }
    return {name: partial(publish_lines, *subject, place.folder) for name, subject in subjects.items()}


def prepare_memory(place: Place) -> Mapping[str, Measure]:
    """A whole worker run; the limit imports what any client of this kind needs, and does nothing."""
    codes = {
        "limit": (sys.executable, FLOOR),
        "arkworker": (sys.executable, ONE_CHILD),
        "published": (str(PEER), ONE_PUBLISHED),
    }
    return {name: partial(publish_one, *subject, place.folder) for name, subject in codes.items()}


PAGES_ROW = Row(f"{PAGES} pages: open the image, publish {LINES} lines", "pages/s")
CASES = [
    Case(
        "pages",
        (PAGES_ROW, Row("  the same with `--jobs 2`", "pages/s", ours="--jobs 2")),
        prepare,
        rounds=3,
    ),
    Case(
        "memory",
        (
            Row("memory of a run, one element published", "MiB", goal="40 MiB"),
            Row("  modules of that run", "modules", figure=1),
        ),
        prepare_memory,
        rounds=3,
    ),
]
