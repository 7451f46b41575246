"""Runs whose jobs an engine runs, judged by what the server saw."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from element_runs import LONG, ROOT, trial, wait_until

from arkworker.emulator import Fault
from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Trial

ENGINES = ROOT / "tests" / "support" / "engines.py"
THREADS = ("--executor", f"{ENGINES}:threads", "--jobs", "2")
PROCESSES = ("--executor", f"{ENGINES}:processes", "--jobs", "2")


def test_a_list_is_handed_out_in_chunks(twelve: Trial) -> None:
    """Each element goes through one job, once; there is one summary, and lines name their process."""
    hook = "import logging; logging.getLogger('mine').warning('here')"

    ended = twelve.start(*PROCESSES, "--elements-list", twelve.write_list(), HOOK=hook).wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert (dict(twelve.states), twelve.user_calls) == ({"processed": 12}, dict.fromkeys(twelve.elements, 1))
    assert ended.log.count("]: here") == 12, ended
    assert not list(twelve.folder.rglob(".arkworker-*"))


def test_a_list_that_breaks_off(twelve: Trial) -> None:
    """What was listed until then is worked on, as in a run of one process."""
    dataset = twelve.emulator.add_dataset("Pages", {"a": twelve.elements[:3], "b": twelve.elements[3:]})
    twelve.emulator.faults.add("ListDatasetElements", Fault.answer(404), skip=1)

    ended = twelve.start(*THREADS, "--set", f"{dataset}:a", f"{dataset}:b").wait()

    assert ended.numbers[:5] == [3, 3, 0, 0, 0], ended
    assert ended.log.count("no more elements can be retrieved: ") == 1
    assert twelve.user_calls == dict.fromkeys(twelve.elements[:3], 1)


def test_jobs_claim_for_themselves_from_a_queue(twelve: Trial) -> None:
    """Two long jobs share it out."""
    ended = twelve.start(*THREADS, WORK="0.05", SETUP="Path(LOG).with_suffix(f'.{os.getpid()}').touch()").wait()

    assert ended.numbers == [12, 12, 0, 0, 0, 0], ended
    assert twelve.user_calls == dict.fromkeys(twelve.elements, 1)
    assert len(list(twelve.folder.glob("user.*[0-9]"))) == 2


def test_a_killed_process_below_a_job_is_replaced(twelve: Trial) -> None:
    """What it worked on ends in error with the reason; the job goes on."""
    hook = "if element.name.endswith(' 3'): os.kill(os.getpid(), 9)"

    ended = twelve.start(*THREADS, "--elements-list", twelve.write_list(), HOOK=hook).wait()

    assert ended.numbers == [12, 11, 1, 0, 0, 0], ended
    assert dict(twelve.states) == {"processed": 11, "error": 1}
    assert "its process was killed by signal 9" in ended.log


def test_results_come_back_to_one_file(twelve: Trial) -> None:
    """The caller writes it; of two attempts, the second works on what failed."""
    results = twelve.folder / "results.jsonl"
    hook = (
        "from arkworker import Transcription; result = [Transcription(text=element.name, confidence=1)]\n"
        "if element.name.endswith(' 3') and not os.environ.get('AGAIN'): raise ValueError('three')"
    )
    flags = (*THREADS, "--elements-list", twelve.write_list(), "--results", str(results))

    first = twelve.start(*flags, HOOK=hook).wait()
    second = twelve.start(*flags, HOOK=hook, AGAIN="1").wait()

    assert (first.numbers, second.numbers) == ([12, 11, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]), (first, second)
    lines = [json.loads(line) for line in results.read_text().splitlines()[1:]]
    assert {line["element"]["id"] for line in lines if line["state"] == "processed"} == set(twelve.elements)


def test_the_memory_of_user_code_is_not_that_of_dask(twelve: Trial) -> None:
    """What Dask sets for its own processes makes arrays slow; what the person has set stays."""
    setup = "Path(LOG).with_suffix('.set').write_text(os.environ.get('MALLOC_TRIM_THRESHOLD_', 'nothing'))"

    for setting, found in (("65536", "nothing"), ("131072", "131072")):
        twelve.start(*THREADS, SETUP=setup, MALLOC_TRIM_THRESHOLD_=setting).wait()
        assert (twelve.folder / "user.set").read_text() == found


def test_setup_that_fails(twelve: Trial) -> None:
    """The run ends with one error, whichever job met it first."""
    ended = twelve.start(*THREADS, SETUP="raise ValueError('no model')").wait()

    assert (ended.code, ended.summary["exit_code"]) == (1, 1), ended
    assert ended.log.count("ValueError: no model") == 1, ended
    assert dict(twelve.states) == {"queued": 12}


@pytest.mark.parametrize("whom", ["parent", "group"])
@pytest.mark.parametrize("kind", ["queue", "list"])
def test_a_signal_ends_jobs_with_grace(twelve: Trial, kind: str, whom: str) -> None:
    """The elements in user code may finish, nothing stays started, and there is one summary."""
    chosen = ["--elements-list", twelve.write_list()] if kind == "list" else []
    process = twelve.start(*PROCESSES, "--grace", "2", *chosen, WORK="0.7", session=True)
    wait_until(lambda: len(twelve.user_calls) >= 2)

    process.signal(signal.SIGTERM) if whom == "parent" else process.signal_group(signal.SIGTERM)
    ended = process.wait()

    assert ended.code == ended.summary["exit_code"] == 143, ended
    assert twelve.states["started"] <= ended.summary["uncertain"], ended
    assert twelve.states["processed"] == sum(twelve.user_calls.values()) >= 2, ended
    assert twelve.states["processed"] == ended.summary["processed"], ended


def test_a_signal_is_heard_where_there_is_much_to_tell(tmp_path: Path) -> None:
    """Not only in a pause between two elements."""
    with trial(tmp_path, 600) as made:
        process = made.start(*THREADS, "--elements-list", made.write_list(), WORK="0.02")
        wait_until(lambda: len(made.user_calls) >= 2)
        process.signal(signal.SIGTERM)
        ended = process.wait()

        assert (ended.code, ended.summary["uncertain"]) == (143, 0), ended
        assert made.states["processed"] == ended.summary["processed"] == sum(made.user_calls.values()) < 600, ended
        assert made.states["started"] == 0, ended


def test_a_report_has_what_all_jobs_did(twelve: Trial) -> None:
    """Errors with an example, and figures by process."""
    page = twelve.folder / "run.html"
    hook = "if element.name.endswith(' 3'): raise ValueError('three of twelve')"

    ended = twelve.start(*THREADS, "--elements-list", twelve.write_list(), "--report", str(page), HOOK=hook).wait()

    text = page.read_text()
    assert ended.numbers == [12, 11, 1, 0, 0, 0], ended
    assert ("three of twelve" in text, text.count("<h2>Processes</h2>")) == (True, 1)
    assert twelve.emulator.token not in text


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["queue", "list"])
def test_faults_with_four_jobs(tmp_path: Path, kind: str) -> None:
    """With 30 % of faults, what stays started was told."""
    with trial(tmp_path, 400) as made:
        made.befall(["500", "503", "429", "reset", "close", "cut", "malformed"], 0.3)
        chosen = ["--elements-list", made.write_list()] if kind == "list" else []

        ended = made.start("--executor", f"{ENGINES}:threads", "--jobs", "4", *chosen).wait(LONG)

        assert made.states["queued"] == 0, ended
        assert made.states["started"] <= ended.summary["uncertain"], ended
        assert (made.states["processed"], made.states["error"]) == (
            ended.summary["processed"],
            ended.summary["failed"],
        ), ended
        assert set(made.user_calls.values()) == {1}


#: One element at a time: no claim is under way when a job is killed, so that counts are exact.
SINGLY = ("--jobs", "1", "--prefetch", "0")
#: Kills the process of the engine's, above the one that is above this one, once.
KILL_ABOVE = """
import pathlib
above = lambda pid: int(pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[1])
killed = pathlib.Path(os.environ["USER_LOG"] + ".killed")
if element.name.endswith(' 5') and not killed.exists():
    killed.touch()
    os.kill(above(above(os.getpid())), 9)
"""


@pytest.mark.parametrize("kind", ["queue", "list"])
def test_a_process_of_the_engine_that_is_killed(twelve: Trial, kind: str) -> None:
    """What is below it ends in good order, what it told before is counted, and on a queue another job goes on."""
    chosen = ["--elements-list", twelve.write_list()] if kind == "list" else []

    ended = twelve.start(*PROCESSES, *SINGLY, *chosen, HOOK=KILL_ABOVE).wait()

    assert "BrokenProcessPool" in ended.log, ended
    _, processed, failed, skipped, uncertain, _ = ended.numbers
    states = twelve.states
    assert (processed, failed, skipped, uncertain) == (states["processed"], states["error"], 0, states["queued"]), ended
    assert ended.summary["elements"] == 12, ended
    assert kind == "list" or not uncertain, ended
    assert set(twelve.user_calls.values()) == {1}


@pytest.mark.parametrize("flags", [(), ("--no-worker-activity",)])
def test_an_engine_that_runs_a_job_again(twelve: Trial, flags: tuple[str, ...]) -> None:
    """The second attempt leaves out what the first one has ended; each element is counted once."""
    engine = ("--executor", f"{ENGINES}:retrying", *SINGLY)

    ended = twelve.start(*engine, "--elements-list", twelve.write_list(), *flags, HOOK=KILL_ABOVE).wait()

    assert (twelve.folder / "user.log.killed").exists()
    assert ended.summary["elements"] == ended.summary["processed"] + ended.summary["failed"] == 12, ended
    assert set(twelve.user_calls.values()) == {1}
    assert flags or twelve.states["processed"] == ended.summary["processed"], ended


def test_an_engine_without_the_working_directory(twelve: Trial) -> None:
    """What a killed job of a queue had ended cannot be known there: the run says so."""
    engine = ("--executor", f"{ENGINES}:elsewhere", *SINGLY)

    ended = twelve.start(*engine, HOOK=KILL_ABOVE).wait()

    assert (ended.summary["uncertain"], ended.code) == (1, 75), ended
    assert "job 1 did not tell all before it ended" in ended.log
    assert twelve.states["started"] == twelve.states["queued"] == 0, ended


def test_jobs_that_cannot_be_told_to_stop(twelve: Trial) -> None:
    """As where the disk is full, or a scheduler is gone: the run waits for them as long as for any, and ends."""
    hook = """
import shutil
shutil.rmtree(context.work_dir)
open(os.environ["USER_LOG"] + ".ready", "w").close()
time.sleep(60)
"""
    process = twelve.start(*THREADS, "--jobs", "1", "--grace", "0", HOOK=hook)
    twelve.wait_for_file("user.log.ready")

    process.signal()
    ended = process.wait()

    assert ended.code == 143, ended
    assert "the jobs of the engine cannot be told to stop: FileNotFoundError" in ended.log
    assert "a mistake in arkworker" not in ended.log


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("nonsense", "is not an executor"),
        ("dask:", "the address of the Dask scheduler is missing"),
        (f"{ENGINES}:missing", "missing"),
        (f"{ENGINES}:nothing", "which is not an executor"),
        (f"{ENGINES}:failing", "no cluster today"),
    ],
)
def test_engines_that_are_none(twelve: Trial, named: str, reason: str) -> None:
    """One line says what is wrong, and nothing is claimed."""
    if named.startswith("dask"):
        pytest.importorskip("distributed", reason="the extra dask is not installed")

    ended = twelve.start("--executor", named).wait()

    assert (ended.code, reason in ended.log, "Traceback" in ended.log) == (78, True, False), ended
    assert dict(twelve.states) == {"queued": 12}


def test_a_cache_is_for_one_machine(twelve: Trial) -> None:
    """Engines may run jobs on others."""
    path = twelve.folder / "cache.sqlite"
    open_cache(path, create=True).dispose()

    ended = twelve.start(*THREADS, "--dev", "--database", str(path), USES_CACHE="1").wait()

    assert (ended.code, "a cache belongs to one machine" in ended.log) == (78, True), ended
