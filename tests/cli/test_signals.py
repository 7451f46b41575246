"""Real signals to real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import RUN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkindex_stub import Stub

READY = "print('ready', flush=True)"
SLEEP = f"{READY}; time.sleep(60)"
#: Long, in C, without the interpreter's lock: Python runs no handler meanwhile.
COMPUTE = "print('ready', flush=True); hashlib.pbkdf2_hmac('sha256', b'', b'', 200_000_000)"

WORKER = """
import hashlib, sys, time
from arkworker import Worker

class W(Worker):
    def setup(self, context):
        {setup}

    def run(self, context, cache):
        {run}

    def teardown(self, context):
        print('teardown', flush=True)
        {teardown}
"""

OVER_ELEMENTS = """
from arkworker import ElementsWorker

class W(ElementsWorker):
    def process_element(self, element, context, cache):
        pass
"""


@dataclass
class Running:
    """A process that is to be sent signals."""

    process: subprocess.Popen[str]

    def wait_for(self, text: str, stream: str = "stdout") -> None:
        """Read lines until one holds a text."""
        file: Any = getattr(self.process, stream)
        for line in file:
            if text in line:
                return
        pytest.fail(f"ended without {text!r}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 30) -> tuple[int, str, str]:
        """Exit code and what was still to be read; it must come in time."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a command line; whatever is left of it is killed."""
    started = []

    def run(*argv: str, **environment: str) -> Running:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PONOS_DATA": str(tmp_path / "ponos")}
        process = subprocess.Popen(
            [sys.executable, "-m", "arkworker", *argv],
            env=clean | environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Running(process)

    yield run
    for process in started:
        process.kill()
        process.communicate()


def source(setup: str = "pass", run: str = "pass", teardown: str = "pass") -> str:
    return WORKER.format(setup=setup, run=run, teardown=teardown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("hook", ["setup", "run"])
def test_first_signal_interrupts_user_code(
    number: int, hook: str, start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """The run ends at once and in good order: teardown, one line, 128 and the number of the signal."""
    running = start("run", write_worker(source(**{hook: SLEEP})))
    running.wait_for("ready")

    running.send(number)

    code, out, err = running.end()
    assert (code, out) == (128 + number, "teardown\n")
    assert err.splitlines()[-1] == f"arkworker: stopped by signal {number}"
    assert "Traceback" not in err


def test_signal_while_user_code_is_imported(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """The import of a large library is interrupted, too."""
    running = start("run", write_worker(f"import time\n{SLEEP}"))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    assert running.end()[:2] == (143, "")


def test_signal_after_the_answer_leaves_it_whole(tmp_path: Path, write_worker: Callable[[str], str]) -> None:
    """It is one JSON document, although a signal came before the process ended; the rest is told beside it."""
    late = "import os, signal; from arkworker.cli import invoke, terminal; write = terminal.write_json\n"
    late += "terminal.write_json = lambda data: (write(data), os.kill(os.getpid(), signal.SIGTERM))\n"
    late += f"raise SystemExit(invoke(['check', {write_worker(source())!r}, '--offline', '--json']))"
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert (done.returncode, json.loads(done.stdout)["problems"]) == (143, [])
    assert done.stderr.splitlines()[-1] == "arkworker: stopped by signal 15"


@pytest.mark.parametrize(
    ("module", "function", "argv"),
    [
        ("initialising", "new_project", ["init", "new"]),
        ("importing", "generate", ["import", "d.yml", "--output", "new"]),
    ],
)
def test_signal_before_anything_is_written(module: str, function: str, argv: list[str], tmp_path: Path) -> None:
    """Nothing is: who has pressed Ctrl-C does not expect to find it."""
    (tmp_path / "d.yml").write_text("{slug: d, display_name: D, type: t, description: d}")
    code = f"import os, signal; from arkworker.cli import invoke, {module} as module; make = module.{function}\n"
    code += f"module.{function} = lambda *args: (os.kill(os.getpid(), signal.SIGINT), make(*args))[1]\n"
    code += f"raise SystemExit(invoke({argv}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "arkworker: stopped by signal 2\n")
    assert [path.name for path in tmp_path.iterdir()] == ["d.yml"]


GPG = """#!/bin/sh
case "$*" in *--version*) echo "gpg (GnuPG) 2.2.40"; exit 0;; esac
echo ready > {pipe}
exec sleep 600
"""
CONFIGURED = """
import time
from pydantic import field_validator
from arkworker import Secret, UserConfiguration, Worker

class C(UserConfiguration):
    key: Secret[str] | None = None
    name: str = ""

    @field_validator("name")
    @classmethod
    def look_up(cls, name):
        if name:
            {wait}
        return name

class W(Worker[C]):
    def run(self, context, cache): ...
"""


@pytest.mark.parametrize(("option", "value"), [("key", "secret"), ("name", "a")], ids=["gpg", "validator"])
def test_signal_before_the_work(option: str, value: str, start: Callable[..., Running], tmp_path: Path) -> None:
    """Neither gpg, which may wait for its agent, nor what a worker itself does to its options holds it up."""
    pipe, program, secret = tmp_path / "pipe", tmp_path / "bin/gpg", tmp_path / ".config/arkindex/secrets/secret"
    os.mkfifo(pipe)
    for path, content in ((program, GPG.format(pipe=pipe)), (secret, "encrypted")):
        path.parent.mkdir(parents=True)
        path.write_text(content)
        path.chmod(0o700)
    wait = f"open({str(pipe)!r}, 'w').write('ready'); time.sleep(600)"
    (tmp_path / "w.py").write_text(CONFIGURED.format(wait=wait))
    programs = f"{program.parent}:{os.environ['PATH']}"
    running = start("run", str(tmp_path / "w.py:W"), "--dev", f"--config.{option}", value, PATH=programs)
    assert pipe.read_text().strip() == "ready"

    running.send(signal.SIGTERM)

    code, _, err = running.end(20)  # gpg itself has 30 s
    assert (code, err.splitlines()[-1]) == (143, "arkworker: stopped by signal 15")


def test_signal_during_teardown(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """Cleaning up is interrupted by a signal that comes meanwhile; it goes before success."""
    running = start("run", write_worker(source(teardown=SLEEP)))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    code, _, err = running.end()
    assert (code, "teardown was interrupted" in err) == (143, True)


def test_teardown_after_a_signal_is_not_interrupted_again(
    start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """What the first signal interrupted may be cleaned up."""
    running = start("run", write_worker(source(run=SLEEP, teardown="time.sleep(0.3); print('clean')")))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    assert running.end()[:2] == (143, "teardown\nclean\n")


@pytest.mark.parametrize("hook", ["run", "teardown"])
@pytest.mark.parametrize("code", [SLEEP, COMPUTE], ids=["sleep", "compute"])
def test_second_signal_ends_the_process(
    hook: str, code: str, start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """At once, whatever it is doing: catching everything, cleaning up, computing in C."""
    stubborn = f"\n        try:\n            {code}\n        except BaseException:\n            {code}"
    running = start("run", write_worker(source(**{hook: stubborn})))
    running.wait_for("ready")

    running.send(signal.SIGTERM)
    before = time.monotonic()
    while running.process.poll() is None and time.monotonic() - before < 30:
        time.sleep(0.1)  # what comes within a moment is one signal
        running.send(signal.SIGINT)

    assert running.end()[0] == 130


def test_swallowed_interruption_is_a_stop(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """User code that catches everything was cut all the same: no success."""
    running = start("run", write_worker(source(run=f"\n        try:\n            {SLEEP}\n        except: pass")))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    assert running.end()[:2] == (143, "teardown\n")


def test_failure_while_stopping_is_a_stop(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """What user code makes of the interruption does not hide the signal."""
    failing = f"\n        try:\n            {SLEEP}\n        finally:\n            raise ValueError"
    running = start("run", write_worker(source(run=failing)))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    code, _, err = running.end()
    assert (code, "Traceback" in err) == (143, False)


def test_signal_ends_the_wait_between_attempts(
    start: Callable[..., Running], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Nobody waits for 16 s for an Arkindex that is down."""
    arkindex.answers[RUN_PATH] = (500, {})
    running = start("run", write_worker(source()), **arkindex.environment)
    running.wait_for("trying again", "stderr")

    running.send(signal.SIGTERM)

    assert running.end()[0] == 143


def test_signal_ends_a_request(
    start: Callable[..., Running], write_worker: Callable[[str], str], arkindex: Stub, tmp_path: Path
) -> None:
    """Nor for an answer that does not come; the summary tells of the signal, not of the request that it ended."""
    arkindex.answers[RUN_PATH] = (200, lambda _: time.sleep(3))
    summary = tmp_path / "summary.json"
    running = start("run", write_worker(OVER_ELEMENTS), "--summary", str(summary), **arkindex.environment)
    while not arkindex.requests:
        time.sleep(0.01)

    running.send(signal.SIGTERM)

    assert running.end()[0] == 143
    assert json.loads(summary.read_text())["exit_code"] == 143


@pytest.mark.parametrize("verb", ["check", "explain"])
def test_every_verb_stops(
    verb: str, start: Callable[..., Running], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """Not only runs."""
    arkindex.answers[RUN_PATH] = (500, {})
    running = start(verb, write_worker(source()), **arkindex.environment)
    running.wait_for("trying again", "stderr")

    running.send(signal.SIGINT)

    assert running.end()[0] == 130


def test_children_of_user_code_end_as_children_do(
    start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """A forked process is terminated by a signal; it runs no teardown and prints nothing."""
    code = (
        "import multiprocessing as m; p = m.get_context('fork').Process(target=time.sleep, args=(60,)); p.start(); "
        "time.sleep(0.1); p.terminate(); p.join(); print(p.exitcode)"
    )
    running = start("run", write_worker(source(run=code)))

    code_of_process, out, err = running.end()

    assert (code_of_process, out, "Traceback" in err) == (0, "-15\nteardown\n", False)


def test_a_thread_that_user_code_left_running(
    start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """It may be about to write something: it is waited for and named. A signal ends that, and all was done before."""
    code = "import threading; threading.Thread(target=threading.Event().wait, name='upload').start()"
    running = start("run", write_worker(source(run=code)))
    running.wait_for("waiting for what user code left running: upload; a signal ends it", "stderr")

    running.send(signal.SIGTERM)

    assert running.end() == (0, "teardown\n", "")


@pytest.mark.parametrize("hook", ["setup", "run"])
def test_signal_that_another_thread_gets(
    hook: str, start: Callable[..., Running], write_worker: Callable[[str], str]
) -> None:
    """A sleep ends although the signal itself did not wake it, as when it comes just before the sleep."""
    code = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); " + SLEEP
    running = start("run", write_worker(source(**{hook: code})))
    running.wait_for("ready")

    running.send(signal.SIGTERM)

    code_of_process, out, _ = running.end()
    assert (code_of_process, out) == (143, "teardown\n")


def test_signal_to_the_whole_group(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """A child that gets the same signal, as from Ctrl-C in a terminal, does not count as a second one."""
    # Many short sleeps: a signal that comes just before a sleep does not end it.
    code = (
        f"import multiprocessing as m, os; r, w = os.pipe(); "
        f"child = lambda: (os.write(w, b'.'), [time.sleep(0.05) for _ in range(999)]); "
        f"p = m.get_context('fork').Process(target=child); p.start(); os.read(r, 1); print(p.pid, flush=True); {SLEEP}"
    )
    running = start("run", write_worker(source(run=code, teardown="time.sleep(0.2); print('clean')")))
    pid = int(running.process.stdout.readline())  # type: ignore[union-attr]
    running.wait_for("ready")

    os.kill(pid, signal.SIGINT)
    running.send(signal.SIGINT)

    code_of_process, out, _ = running.end()
    assert (code_of_process, out) == (130, "teardown\nclean\n")


def test_handler_of_user_code_is_respected(start: Callable[..., Running], write_worker: Callable[[str], str]) -> None:
    """A worker that handles a signal itself goes on."""
    handler = "lambda *_: (heard.append(1), os.write(1, b'mine\\n'))"
    wait = "while len(heard) < 2: time.sleep(0.01)"
    code = f"import os, signal; heard = []; signal.signal(signal.SIGTERM, {handler}); {READY}\n        {wait}"
    running = start("run", write_worker(source(run=code)))
    running.wait_for("ready")

    running.send(signal.SIGTERM)
    running.wait_for("mine")
    running.send(signal.SIGTERM)

    code_of_process, out, _ = running.end()
    assert (code_of_process, out) == (0, "mine\nteardown\n")


def test_handler_of_a_library_in_setup(start: Callable[..., Running], tmp_path: Path) -> None:
    """A run over elements stops all the same: it was asked to, and would begin elements that are not to be."""
    (tmp_path / "w.py").write_text(
        f"""
import signal, time
from arkworker import ElementsWorker

class W(ElementsWorker):
    def setup(self, context):
        signal.signal(signal.SIGTERM, lambda *_: None)
        {SLEEP}

    def process_element(self, element, context, cache): ...
"""
    )
    (tmp_path / "page.png").write_bytes(b"")
    running = start("run", str(tmp_path / "w.py:W"), "--image", str(tmp_path / "page.png"))
    running.wait_for("ready")
    running.send(signal.SIGTERM)

    assert running.end()[0] == 143
