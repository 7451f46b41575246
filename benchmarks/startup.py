"""Process start until user code: arkworker beside base-worker 0.6.0, in a worker run and at a desk.

`python benchmarks/startup.py [ROUNDS]` prints medians in milliseconds, memory at that moment, and ratios to the
published library, which downloads the OpenAPI document of the instance (here 2.4 MB, and as small as it can be). All
take turns, so that they meet the same noise. It needs the environments of `make compat`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.6.0" / "bin" / "python"
SCHEMA = ROOT / "tests" / "data" / "openapi-reconstructed.json"
BIG = 2_400_000  # bytes, as the document of a real instance
RUN_ID = "56785678-5678-5678-5678-567856785678"
READY = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)"

OURS = f"""
from __future__ import annotations
from pydantic import Field
from arkworker import UserConfiguration, Worker, WorkerContext

class Configuration(UserConfiguration):
    threshold: float = Field(0.5, ge=0, le=1, description="Lines below it are dropped.")
    element_type: str = Field("text_line", description="Type of the elements to make.")

class Subject(Worker[Configuration]):
    def run(self, context: WorkerContext[Configuration], cache: object) -> None:
        {READY}
"""
THEIRS = f"""
from arkindex_worker.worker.base import BaseWorker

class Subject(BaseWorker):
    def run(self):
        self.configure()
        {READY}

Subject().run()
"""
WORKER_RUN: dict[str, object] = {
    "id": RUN_ID,
    "summary": "Worker n",
    "parents": [],
    "worker_version": {
        "id": "1",
        "worker": {"id": "w", "name": "n", "slug": "s", "type": "t"},
        "revision_url": None,
        "configuration": {},
    },
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
}
CONFIGURATION = {"configuration": [{"key": "threshold", "value": 0.7, "secret": False}]}


def documents() -> dict[str, bytes]:
    """The OpenAPI document, and the same with as many schemas as make it as large as a real one."""
    small = json.loads(SCHEMA.read_text())
    text = {"type": "string", "maxLength": 250, "description": "What a field of an object in a real document says."}
    schema = {"type": "object", "properties": {f"field_{number}": text for number in range(20)}}
    schemas = {f"Schema{number}": schema for number in range(BIG // len(json.dumps(schema)))}
    big = {**small, "components": {**small.get("components", {}), "schemas": schemas}}
    return {"big": json.dumps(big).encode(), "small": json.dumps(small).encode()}


@contextmanager
def serving(document: bytes) -> Iterator[str]:
    """An instance that knows one worker run; answers its address."""
    answers = {
        "/api/v1/openapi/": document,
        f"/api/v1/process/workers/{RUN_ID}/": json.dumps(WORKER_RUN).encode(),
        f"/api/v1/workers/runs/{RUN_ID}/configuration/": json.dumps(CONFIGURATION).encode(),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = answers.get(self.path.split("?")[0], b"{}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1/"
        server.shutdown()


def measure(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[float, int]:
    """Milliseconds until the first line on standard output, and the kilobytes that it names."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "PONOS_DATA": str(folder)}
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=clean | environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        passed = time.perf_counter() - start
        process.stdout.read()
    return passed * 1000, int(line) if line.strip().isdigit() else 0


def subjects(address: dict[str, str]) -> dict[str, tuple[list[str], dict[str, str]]]:
    """What is started, and with which environment."""
    ours = [sys.executable, "-m", "arkworker", "run", "ours.py:Subject"]
    theirs = [str(PEER), "theirs.py"]
    run = {"ARKINDEX_WORKER_RUN_ID": RUN_ID, "ARKINDEX_TASK_TOKEN": "token", "ARKINDEX_API_TOKEN": "token"}
    big, small = ({"ARKINDEX_API_URL": address[name]} for name in ("big", "small"))
    return {
        "python -c pass": ([sys.executable, "-c", "print(0)"], {}),
        "arkworker --help": ([sys.executable, "-m", "arkworker", "--help"], {}),
        "worker run, 2.4 MB: arkworker": (ours, run | big),
        "worker run, 2.4 MB: published": (theirs, run | big),
        "worker run, small: arkworker": (ours, run | small),
        "worker run, small: published": (theirs, run | small),
        "developer mode: arkworker": ([*ours, "-c", "worker.yml"], big),
        "developer mode: published": ([*theirs, "-c", "worker.yml"], big),
    }


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    if not PEER.exists():
        sys.exit("this needs .venv-compat: make compat installs it")
    texts = documents()
    with tempfile.TemporaryDirectory() as name, serving(texts["big"]) as big, serving(texts["small"]) as small:
        folder = Path(name)
        (folder / "current").mkdir()
        (folder / "ours.py").write_text(OURS)
        (folder / "theirs.py").write_text(THEIRS)
        (folder / "worker.yml").write_text("threshold: 0.7\nelement_type: paragraph\n")
        started = subjects({"big": big, "small": small})
        found: dict[str, list[tuple[float, int]]] = {subject: [] for subject in started}
        for _ in range(rounds):
            for subject, (command, environ) in started.items():
                found[subject].append(measure(command, folder, environ))
    report({subject: items[1:] for subject, items in found.items()})  # the first one wrote byte code


def report(found: dict[str, list[tuple[float, int]]]) -> None:
    """One line a subject."""
    times = {subject: statistics.median(time for time, _ in items) for subject, items in found.items()}
    for subject, items in found.items():
        memory = statistics.median(size for _, size in items) / 1024
        other = subject.replace("arkworker", "published") if ": arkworker" in subject else ""
        other = "python -c pass" if subject == "arkworker --help" else other
        ratio = f"{times[subject] / times[other]:5.2f} x" if other else ""
        print(f"{subject:32} {times[subject]:6.0f} ms {memory:6.0f} MB  {ratio}")


if __name__ == "__main__":
    main()
