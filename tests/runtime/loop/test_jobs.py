"""Runs in several processes, judged by what the server saw."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import LONG, trial, wait_until
from PIL import Image

from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Trial

JOBS = ("--jobs", "3")
DEATHS = {
    "killed by signal 9": "os.kill(os.getpid(), 9)",
    "killed by signal 11": "import ctypes; ctypes.string_at(0)",
    "ended with exit code 0": "os._exit(0)",
}
RESULTS = "from arkworker import Transcription; result = [Transcription(text=element.name, confidence=1)]"


def chosen(made: Trial, kind: str) -> list[str]:
    return [*JOBS, *(["--elements-list", made.write_list()] if kind == "list" else [])]


def processes_of(log: str) -> set[str]:
    return set(re.findall(r"arkworker[.\w]*\[(\d+)\]", log))


# Waits, in a process that calls it for the first time with a name, until all three have: none can take all the work.
MEET = """
from pathlib import Path
mine = Path(os.environ["USER_LOG"])
def meet(name):
    mine.with_suffix(f".{os.getpid()}-{name}").touch()
    while len(list(mine.parent.glob(f"{mine.stem}.*-{name}"))) < 3:
        time.sleep(0.01)
"""


def test_list_is_shared_out(twelve: Trial) -> None:
    """Each element goes through one of the processes, once; there is one summary, and lines name their process."""
    hook = f"""
{MEET}
meet("begun")
import logging
logging.getLogger("mine").warning("here")
context.record_metric("pages", 1)
time.sleep(0.1)
"""

    ended = twelve.start(*chosen(twelve, "list"), HOOK=hook).wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert dict(twelve.states) == {"processed": 12}
    assert twelve.user_calls == dict.fromkeys(twelve.elements, 1)
    assert len(set(re.findall(r"mine\[(\d+)\]: here", ended.log))) == 3, ended
    assert ended.log.count("12 processed") == 1
    assert all(re.search(r"\w\[\d+\]: ", line) for line in ended.log.splitlines()), ended
    assert ended.summary["metrics"] == {"pages": {"value": 1}}
    assert ended.summary["phases"]["work"] > 1


def test_queue_is_shared_out(twelve: Trial) -> None:
    """Each process claims for itself."""
    ended = twelve.start(*chosen(twelve, "queue"), WORK="0.05").wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert twelve.user_calls == dict.fromkeys(twelve.elements, 1)
    assert not list(twelve.folder.rglob("*.journal"))


@pytest.mark.parametrize("kind", ["queue", "list"])
@pytest.mark.parametrize("reason", DEATHS)
def test_killed_process_is_replaced(twelve: Trial, kind: str, reason: str) -> None:
    """What it worked on ends in error with the reason; what it had ready, others work on."""
    hook = f"if element.name.endswith((' 3', ' 7')): {DEATHS[reason]}"

    ended = twelve.start(*chosen(twelve, kind), HOOK=hook, WORK="0.02").wait()

    states = twelve.states
    assert f"its process {'was ' if 'killed' in reason else ''}{reason}" in ended.log
    # A claim that was under way then is uncertain, and may have been that of the other one.
    assert ended.summary["failed"] == states["error"] >= 2 - ended.summary["uncertain"], ended
    assert states["processed"] == ended.summary["processed"], ended
    assert states["started"] <= ended.summary["uncertain"], ended
    assert states["queued"] == 0, ended
    assert set(twelve.user_calls.values()) == {1}
    if kind == "list":
        assert ended.numbers == [12, 10, 2, 0, 0, 0], ended


@pytest.mark.parametrize("kind", ["queue", "list"])
def test_killed_process_where_no_journal_can_be_kept(twelve: Trial, kind: str) -> None:
    """On a file system without locks, too, this run knows what it had in hand."""
    hook = "if element.name.endswith(' 3'): os.kill(os.getpid(), 9)"

    ended = twelve.start(*chosen(twelve, kind), HOOK=hook, WORK="0.02", UNLOCKABLE=str(twelve.folder)).wait()

    assert "no journal can be kept there" in ended.log
    assert twelve.states["error"] == ended.summary["failed"] >= 1 - ended.summary["uncertain"], ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended
    assert (twelve.states["queued"], ended.summary["skipped"], set(twelve.user_calls.values())) == (0, 0, {1}), ended


def test_killed_process_without_arkindex(tmp_path: Path) -> None:
    """At a desk, too, its element is a failure, and the others go on."""
    for number in range(6):
        Image.new("RGB", (30, 40)).save(tmp_path / f"page {number}.png")
    with trial(tmp_path, 0) as made:
        flags = ["--jobs", "2", "--image", *map(str, sorted(tmp_path.glob("*.png")))]
        hook = "if element.name.endswith('3'): os.kill(os.getpid(), 9)"
        variables: dict[str, Any] = {"ARKINDEX_WORKER_RUN_ID": "", "ARKINDEX_API_URL": "", "ARKINDEX_TASK_TOKEN": ""}

        ended = made.start(*flags, HOOK=hook, **variables).wait()

    assert ended.numbers == [6, 5, 1, 0, 0, 0], ended
    assert set(made.user_calls.values()) == {1}


CUT_SHORT = """
import signal, socket
if element.name.endswith(' 3'):
    for one in os.listdir('/proc/self/fd'):
        try:
            way = socket.socket(fileno=os.dup(int(one)))
        except OSError:
            continue
        if way.family == socket.AF_UNIX:
            way.sendall(b'half')
    if os.fork() == 0:
        signal.alarm(30)
        while True:
            time.sleep(9)
    os.kill(os.getpid(), 9)
"""


def test_process_that_is_killed_in_the_middle_of_a_message(twelve: Trial) -> None:
    """Nobody waits for the rest of it, although a process of user code holds its end of the socket open."""
    ended = twelve.start(*chosen(twelve, "list"), HOOK=CUT_SHORT, WORK="0.02").wait(25)

    assert ended.numbers == [12, 11, 1, 0, 0, 0], ended


LEFT_BEHIND = """
if os.fork() == 0:
    import signal
    signal.alarm(40)
    while True:
        time.sleep(9)
"""


def test_processes_that_user_code_forks_and_leaves(twelve: Trial) -> None:
    """Nobody waits for them."""
    ended = twelve.start(*chosen(twelve, "list"), HOOK=LEFT_BEHIND).wait(30)

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended


FAILING = """
pid = os.fork()
if not pid:
    raise ValueError("of a child")
os.waitpid(pid, 0)
"""


def test_processes_that_user_code_forks_and_that_fail(twelve: Trial) -> None:
    """They say so themselves, and are not taken for the process of the run."""
    ended = twelve.start(*chosen(twelve, "list"), HOOK=FAILING).wait(60)

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert ended.log.count("ValueError: of a child") == 12, ended


NEW_CLASS = f"""
{MEET}
from arkworker import Classification
is_first = not mine.with_suffix(f".{{os.getpid()}}-looked").exists()
name = str(os.getpid()) if is_first else "new"
meet("looked" if is_first else "creates")  # the first class makes a process look what classes there are
result = [Classification(class_name=name, confidence=1)]
"""


def test_thread_that_user_code_leaves_running(twelve: Trial) -> None:
    """The process waits for it, and says so; a signal ends that."""
    hook = "import threading; threading.Thread(target=threading.Event().wait, name='upload').start()"
    process = twelve.start(*JOBS, HOOK=hook)
    wait_until(lambda: "waiting for what user code left running: upload" in (twelve.folder / "log.txt").read_text())

    process.signal()

    assert process.wait().numbers == [12, 12, 0, 0, 0, 143]


def test_processes_that_create_the_same_class(twelve: Trial) -> None:
    """All but one are refused with 400: they look again, and use what is there."""
    ended = twelve.start(*chosen(twelve, "queue"), "--prefetch", "0", HOOK=NEW_CLASS, WORK="0.1").wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    created = [call.status for call in twelve.emulator.ledger.calls("CreateMLClass")]
    assert (created.count(201), created.count(400) >= 1) == (4, True), created


def test_setup_that_fails(twelve: Trial) -> None:
    """The run ends with one error, whichever process met it first."""
    ended = twelve.start(*chosen(twelve, "list"), SETUP="raise ValueError('no model')").wait()

    assert (ended.code, ended.summary["exit_code"]) == (1, 1), ended
    assert ended.log.count("ValueError: no model") == 1, ended
    assert dict(twelve.states) == {"queued": 12}


def test_process_that_is_killed_in_setup(twelve: Trial) -> None:
    """No other would fare better."""
    ended = twelve.start(*chosen(twelve, "list"), SETUP="os.kill(os.getpid(), 9)").wait()

    assert (ended.code, ended.summary["exit_code"]) == (1, 1), ended
    assert "a process of this run was killed by signal 9 while it was set up" in ended.log


def test_more_processes_than_the_system_gives(twelve: Trial) -> None:
    """The run ends with one line that says why, those that were started end with it, and nothing stays started."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit[1]))
    try:
        process = twelve.start("--jobs", "40", *chosen(twelve, "queue")[2:])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 1, ended
    assert "arkworker: a process of this run cannot be started: Too many open files; lower --jobs" in ended.log
    assert "Traceback" not in ended.log, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended


def test_keys_that_end_a_run_while_its_processes_start(twelve: Trial) -> None:
    """Ctrl-C comes to all of them, and none has a handler yet: no traceback is shown."""
    process = twelve.start(*chosen(twelve, "queue"), session=True)
    wait_until(lambda: len(children_of(process.popen.pid)) >= 2)

    process.signal_group(signal.SIGINT)
    ended = process.wait()

    assert (ended.code, "Traceback" in ended.log) == (130, False), ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended


@pytest.mark.parametrize("whom", ["parent", "group"])
def test_signal(twelve: Trial, whom: str) -> None:
    """The elements in user code may finish, nothing stays started, and there is one summary."""
    process = twelve.start(*chosen(twelve, "queue"), WORK="0.5", session=True)
    wait_until(lambda: len(twelve.user_calls) >= 3)

    process.signal(signal.SIGTERM) if whom == "parent" else process.signal_group(signal.SIGTERM)
    ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 143, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended
    assert twelve.states["processed"] == ended.summary["processed"] >= 3, ended
    assert sum(twelve.user_calls.values()) == twelve.states["processed"]


TOLD = """
from pathlib import Path
from arkworker.runtime import stopping
while not stopping._active[0].received:
    time.sleep(0.01)
Path(os.environ["USER_LOG"]).with_suffix(f".{os.getpid()}").touch()
time.sleep(900)
"""


def test_second_signal(twelve: Trial) -> None:
    """It ends the run at once, the processes that still work included."""
    process = twelve.start(*chosen(twelve, "queue"), "--grace", "600", HOOK=TOLD)
    wait_until(lambda: len(twelve.user_calls) >= 3)
    children = children_of(process.popen.pid)

    process.signal()
    wait_until(lambda: len(list(twelve.folder.glob("user.*[0-9]"))) == 3)
    time.sleep(0.1)  # what comes within a moment is one signal
    process.signal()

    assert process.wait().code == 143
    wait_until(lambda: not any(map(is_alive, children)))


def test_grace_time_ends(twelve: Trial) -> None:
    """User code that does not finish in time is left behind, in every process."""
    hook = "while True:\n try: time.sleep(9)\n except: pass"
    process = twelve.start(*chosen(twelve, "queue"), "--grace", "0.2", HOOK=hook)
    wait_until(lambda: len(twelve.user_calls) >= 3)

    process.signal()
    ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 143, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended
    assert twelve.states["processed"] == 0


@pytest.mark.parametrize("kind", ["queue", "list"])
def test_killed_parent(twelve: Trial, kind: str) -> None:
    """Its processes end, too; the next run does the rest."""
    process = twelve.start(*chosen(twelve, kind), "--grace", "0", WORK="0.3", name="first")
    wait_until(lambda: len(twelve.user_calls) >= 3)
    children = children_of(process.popen.pid)

    process.signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(map(is_alive, children)))
    ended = twelve.start(*chosen(twelve, kind)).wait()

    states = twelve.states
    assert states["queued"] == 0, ended
    assert states["started"] <= ended.summary["uncertain"], ended
    if kind == "queue":
        assert set(twelve.user_calls.values()) == {1}
    else:  # what ended in error is tried again
        assert states == {"processed": 12}


def children_of(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_exit_in_user_code(twelve: Trial) -> None:
    """`sys.exit` in one process ends the run."""
    hook = "if element.name.endswith(' 5'): raise SystemExit(0)"

    ended = twelve.start(*chosen(twelve, "queue"), HOOK=hook, WORK="0.05").wait()

    assert ended.code == 1, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended


def test_results_file_has_one_writer(twelve: Trial) -> None:
    """One line for each element, whichever process worked on it; a second run has nothing left to do."""
    path = twelve.folder / "results.jsonl"
    flags = [*chosen(twelve, "list"), "--results", str(path)]

    ended = twelve.start(*flags, HOOK=RESULTS).wait()
    again = twelve.start(*flags, HOOK=RESULTS).wait()

    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert (ended.code, again.code) == (0, 0), ended
    assert sorted(line["element"]["id"] for line in lines) == sorted(twelve.elements)
    assert all(line["results"][0]["text"] == line["element"]["name"] for line in lines)


def test_cache_has_one_writer_at_a_time(twelve: Trial) -> None:
    """Each process reads and writes it in its turn: rows of user code and of published results are all there."""
    path = twelve.folder / "db.sqlite"
    open_cache(path, create=True).dispose()
    hook = f"""
from uuid import uuid4
from arkworker.storage.cache import CachedDataset
from sqlalchemy import select
{RESULTS}
cache.scalars(select(CachedDataset)).all()
time.sleep(0.02)
cache.add(CachedDataset(id=uuid4(), name=element.name, sets="[]"))
cache.flush()
time.sleep(0.02)
"""
    ended = twelve.start(*chosen(twelve, "queue"), "-d", str(path), HOOK=hook, USES_CACHE="1").wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    with closing(sqlite3.connect(path)) as base:
        counts = [
            base.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("datasets", "transcriptions")
        ]
    assert counts == [12, 12], ended


SCRIPT = """
import sys
from arkworker import ElementsWorker

class W(ElementsWorker):
    def setup(self, context):
        print("setup", file=sys.stderr)

    def process_element(self, element, context, cache):
        return None

    def finish(self, context, cache):
        print("finish", file=sys.stderr)

W.main()
"""


def test_finish_is_called_once_where_the_run_was_started(twelve: Trial) -> None:
    """`setup` is called in each process; a script that runs its worker without further ado works as well."""
    script = twelve.folder / "w.py"
    script.write_text(SCRIPT)
    environ: dict[str, Any] = os.environ | twelve.emulator.environment(twelve.run, data_dir=twelve.folder / "data")

    done = subprocess.run(
        [sys.executable, str(script), "--jobs", "2"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert (done.stderr.count("setup"), done.stderr.count("finish\n")) == (2, 1), done.stderr
    assert dict(twelve.states) == {"processed": 12}


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(50))
def test_kills_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Of a process, or of the parent: nothing is lost, doubled or unreported."""
    dice = random.Random(seed)
    with trial(tmp_path, 60) as made:
        kind = dice.choice(["queue", "list"])
        process = made.start(*chosen(made, kind), WORK="0.02", name="first")
        count = dice.randint(1, 9)
        wait_until(lambda: len(made.user_calls) >= count, LONG)
        children = children_of(process.popen.pid)
        time.sleep(dice.random())
        if dice.random() < 0.3:
            process.signal(signal.SIGKILL)
        elif children:
            with_suppressed_kill(dice.choice(children))
        first = process.wait(LONG)
        wait_until(lambda: not any(map(is_alive, children)), LONG)
        failed = {element for element, state in made.emulator.activity_states(made.run).items() if state == "error"}
        ended = made.start(*chosen(made, kind), name="last").wait(LONG)

        uncertain = first.summary.get("uncertain", 0) + ended.summary["uncertain"]
        again = {element for element, calls in made.user_calls.items() if calls > 1}
        assert made.states["queued"] == 0, ended
        assert made.states["started"] <= uncertain, f"{first}\n{ended}"
        assert max(made.user_calls.values()) <= 2
        assert again <= (failed if kind == "list" else set())  # a list is a request to try those once more


def with_suppressed_kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["queue", "list"])
def test_faults_with_four_processes(tmp_path: Path, kind: str) -> None:
    """With 30 % of faults, what stays started was told."""
    with trial(tmp_path, 400) as made:
        made.befall(["500", "503", "429", "reset", "close", "cut", "malformed"], 0.3)

        ended = made.start("--jobs", "4", *chosen(made, kind)[2:]).wait(LONG)

        assert made.states["queued"] == 0, ended
        assert made.states["started"] <= ended.summary["uncertain"], ended
        assert (made.states["processed"], made.states["error"]) == (
            ended.summary["processed"],
            ended.summary["failed"],
        ), ended
        assert set(made.user_calls.values()) == {1}


@pytest.mark.campaign
def test_ten_thousand_elements(tmp_path: Path) -> None:
    """Each goes through user code once, and the memory of the parent stays flat."""
    with trial(tmp_path, 10_000) as made:
        process = made.start("--jobs", "4", *chosen(made, "list")[2:])
        wait_until(lambda: len(made.emulator.ledger.calls("RetrieveElement")) > 2000, 300)
        early = memory_of(process.popen.pid)
        wait_until(lambda: len(made.emulator.ledger.calls("RetrieveElement")) > 9500, 600)
        late = memory_of(process.popen.pid)
        ended = process.wait(300)

        assert ended.numbers == [10_000, 10_000, 0, 0, 0, 0], ended.summary
        assert set(made.user_calls.values()) == {1}
        assert late - early < 5 * 1024


def memory_of(process: int) -> int:
    """Resident, in kB."""
    with open(f"/proc/{process}/status", encoding="utf-8") as status:  # noqa: PTH123 - of the system
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])  # type: ignore[index] # it is there
