"""Process start until user code, in a worker run and at a desk.

The published library downloads the OpenAPI document of the instance: here of 2.4 MB as on a real one, and as small as
it can be. The limit is a process that imports what any client of this kind needs, and does nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from benchmarks.harness import OPENAPI, PEER, Case, Place, Row, clean, worker_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack
    from pathlib import Path

    from benchmarks.harness import Measure

BIG = 2_400_000  # bytes, as the document of a real instance
RUN_ID = "56785678-5678-5678-5678-567856785678"
READY = "print('ready', flush=True)"

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
CONFIGURATION = {"configuration": [{"key": "threshold", "value": 0.7, "secret": False}]}


def documents() -> dict[str, bytes]:
    """The OpenAPI document, and the same with as many schemas as make it as large as a real one."""
    small = json.loads(OPENAPI.read_text())
    text = {"type": "string", "maxLength": 250, "description": "What a field of an object in a real document says."}
    schema = {"type": "object", "properties": {f"field_{number}": text for number in range(20)}}
    schemas = {f"Schema{number}": schema for number in range(BIG // len(json.dumps(schema)))}
    big = {**small, "components": {**small.get("components", {}), "schemas": schemas}}
    return {"big": json.dumps(big).encode(), "small": json.dumps(small).encode()}


def serve(document: bytes, stack: ExitStack, *, at_once: bool) -> str:
    """The address of an instance that knows one worker run.

    It sends headers and body in two pieces: `at_once`, or the second when the first is acknowledged.
    """
    answers = {
        "/api/v1/openapi/": document,
        f"/api/v1/process/workers/{RUN_ID}/": json.dumps(worker_run(RUN_ID)).encode(),
        f"/api/v1/workers/runs/{RUN_ID}/configuration/": json.dumps(CONFIGURATION).encode(),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = at_once

        def do_GET(self) -> None:
            content = answers.get(self.path.split("?")[0], b"{}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}/api/v1/"


def time_start(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[float]:
    """Milliseconds until the first line on standard output."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=clean(folder) | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        passed = time.perf_counter() - start
        _, errors = process.communicate()
    if process.returncode or not line:
        raise SystemExit(f"{command} failed with exit code {process.returncode}:\n{errors[-3000:]}")
    return (passed * 1000,)


def prepare(
    place: Place, flags: list[str], document: str = "small", imported: str = "requests", *, at_once: bool = False
) -> Mapping[str, Measure]:
    """A worker, an instance, and what is started."""
    (place.folder / "current").mkdir(exist_ok=True)
    (place.folder / "ours.py").write_text(OURS)
    (place.folder / "theirs.py").write_text(THEIRS)
    (place.folder / "worker.yml").write_text("threshold: 0.7\nelement_type: paragraph\n")
    environ = {"ARKINDEX_API_URL": serve(documents()[document], place.stack, at_once=at_once)}
    if not flags:
        environ |= {"ARKINDEX_WORKER_RUN_ID": RUN_ID, "ARKINDEX_TASK_TOKEN": "token", "ARKINDEX_API_TOKEN": "token"}
    commands = {
        "limit": [sys.executable, "-c", f"import argparse, logging, pydantic_settings, {imported}; {READY}"],
        "arkworker": [sys.executable, "-m", "arkworker", "run", "ours.py:Subject", *flags],
        "published": [str(PEER), "theirs.py", *flags],
    }
    return {name: partial(time_start, command, place.folder, environ) for name, command in commands.items()}


def prepare_help(place: Place) -> Mapping[str, Measure]:
    """The help of the command line, and a Python that does nothing."""
    commands = {"limit": ["-c", READY], "arkworker": ["-m", "arkworker", "--help"]}
    return {
        name: partial(time_start, [sys.executable, *arguments], place.folder, {})
        for name, arguments in commands.items()
    }


CASES = [
    Case(
        "start-small",
        (Row("start of a worker run, small document", "ms", goal="1.00"),),
        partial(prepare, flags=[]),
        rounds=15,
    ),
    Case(
        "start-at-once",
        (Row("  the same, where the server sends all at once", "ms"),),
        partial(prepare, flags=[], at_once=True),
        rounds=15,
    ),
    Case(
        "start-large",
        (Row("start of a worker run, document of 2.4 MB", "ms", goal="0.50"),),
        partial(prepare, flags=[], document="big"),
        rounds=15,
    ),
    Case(
        "start-developer",
        (Row("start in developer mode", "ms", goal="0.40"),),
        partial(prepare, flags=["-c", "worker.yml"], document="big", imported="yaml"),
        rounds=15,
    ),
    Case("help", (Row("`--help`", "ms", against="limit"),), prepare_help, rounds=15),
]
