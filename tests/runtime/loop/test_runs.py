"""Whole runs over elements, in real processes, judged by what the server saw."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import LONG, Trial, trial, wait_until
from PIL import Image

from arkworker.emulator import Fault
from arkworker.storage.cache import merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from element_runs import Ended


@pytest.fixture
def ten(tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path) as made:
        yield made


def run(made: Trial, *flags: str, **variables: Any) -> Ended:
    return made.start(*flags, **variables).wait()


def test_queue_is_processed(ten: Trial) -> None:
    """Every element of the queue goes through user code once, and the summary says so."""
    ended = run(ten)

    assert ended.numbers == [10, 10, 0, 0, 0, 0], ended
    assert dict(ten.states) == {"processed": 10}
    assert ten.user_calls == dict.fromkeys(ten.elements, 1)


def test_last_line_sums_up(ten: Trial) -> None:
    """The last line of the log holds the numbers."""
    ended = run(ten)

    assert "10 processed, 0 failed, 0 skipped, 0 uncertain" in ended.log.splitlines()[-1]


def test_list_is_started_and_processed(ten: Trial) -> None:
    """The elements of a list are reported started, then processed."""
    ended = run(ten, "--elements-list", ten.write_list())

    assert ended.code == 0, ended
    assert ten.emulator.ledger.history(ten.elements[0])[1:] == ["started", "processed"]
    assert dict(ten.states) == {"processed": 10}


def test_list_keeps_its_order(ten: Trial) -> None:
    """User code gets the elements of a list in their order, however they are fetched."""
    ended = run(ten, "--prefetch", "4", "--elements-list", ten.write_list())

    assert ended.code == 0, ended
    assert list(ten.user_calls) == ten.elements


def test_other_process_has_it(ten: Trial) -> None:
    """A conflict on the first attempt is a skip: neither done nor failed."""
    first = run(ten, "--element", *ten.elements[:4])
    second = run(ten, "--element", *ten.elements)

    assert first.numbers == [4, 4, 0, 0, 0, 0], first
    assert second.numbers == [10, 6, 0, 4, 0, 0], second


def test_failures_are_errors(ten: Trial) -> None:
    """What user code fails on ends in error, with one traceback and the elements named; the run goes on."""
    ended = run(ten, HOOK="if element.name.endswith(('3', '5')): raise ValueError(element.name)")

    assert ended.numbers == [10, 8, 2, 0, 0, 0], ended
    assert dict(ten.states) == {"processed": 8, "error": 2}
    assert ended.log.count("Traceback") == 1
    assert "failed 2 times: ValueError" in ended.log


def test_strict(ten: Trial) -> None:
    """With --strict, one failure is enough for exit code 1."""
    ended = run(ten, "--strict", HOOK="if element.name.endswith('3'): raise ValueError")

    assert ended.numbers == [10, 9, 1, 0, 0, 1], ended


def test_every_element_failed(ten: Trial) -> None:
    """A run in which nothing succeeded is a failure."""
    ended = run(ten, HOOK="raise ValueError")

    assert (ended.code, ended.numbers) == (1, [10, 0, 10, 0, 0, 1]), ended


def test_empty_queue_is_done(tmp_path: Path) -> None:
    """An empty queue is not a failure."""
    with trial(tmp_path, 0) as made:
        assert run(made).code == 0


def test_empty_list_is_a_failure(ten: Trial) -> None:
    """A list that a person gave and that is empty is a mistake."""
    (ten.folder / "none.json").write_text("[]")

    ended = run(ten, "--elements-list", str(ten.folder / "none.json"))

    assert ended.code == 1, ended
    assert "the list of elements is empty" in ended.log


def test_exit_in_user_code(ten: Trial) -> None:
    """`sys.exit(0)` in user code fails its element and ends the run; what was claimed ahead ends in error."""
    ended = run(ten, WORK="0.05", HOOK="raise SystemExit(0)")

    assert ended.code == 1, ended
    # Of a claim whose answer is still under way, on a busy machine, it cannot be known.
    assert ten.states["started"] <= ended.summary["uncertain"], ended
    assert ten.states["processed"] == 0
    assert sum(ten.user_calls.values()) == 1


def test_exit_in_user_code_during_a_slow_claim(ten: Trial) -> None:
    """Nobody is in a hurry: the claim is waited for, and its element ends in error."""
    ten.emulator.faults.add("StartWorkerActivity", Fault.delay(1.2, acted=True), skip=1, times=1)

    ended = run(ten, HOOK="raise SystemExit(0)")

    assert (ended.code, ended.summary["uncertain"], ten.states["started"]) == (1, 0, 0), ended


def test_memory_error_in_user_code(ten: Trial) -> None:
    """Where memory runs out for one element, the run goes on."""
    ended = run(ten, HOOK="if element.name.endswith('3'): raise MemoryError")

    assert ended.numbers == [10, 9, 1, 0, 0, 0], ended


def test_unreachable_element_ends_in_error(ten: Trial) -> None:
    """An element that cannot be retrieved is reported, not left started."""
    refused = ten.elements[2]
    path = f"/api/v1/element/{refused}/"
    ten.emulator.faults.add("RetrieveElement", Fault.answer(500), where=lambda call: call.path == path)

    ended = run(ten)

    assert ended.numbers == [10, 9, 1, 0, 0, 0], ended
    assert ten.emulator.ledger.history(refused)[1:] == ["started", "error"]


def test_no_worker_activity(ten: Trial) -> None:
    """The switch leaves the states alone."""
    ended = run(ten, "--no-worker-activity", "--element", *ten.elements)

    assert ended.code == 0, ended
    assert dict(ten.states) == {"queued": 10}


def test_strictly_one_after_the_other(ten: Trial) -> None:
    """Without prefetch, the next claim follows the report of the last element."""
    ended = run(ten, "--prefetch", "0")

    assert ended.code == 0, ended
    names = [call.operation for call in ten.emulator.ledger.calls()]
    cycle = ["StartWorkerActivity", "RetrieveElement", "UpdateWorkerActivity"]
    assert names[names.index(cycle[0]) :] == cycle * 10 + cycle[:1]


def cache_with(ten: Trial, elements: list[str]) -> Path:
    """A cache with some initial elements."""
    path = ten.folder / "db.sqlite"
    merge([], path)
    with closing(sqlite3.connect(path)) as base:
        for element in elements:
            values = (element.replace("-", ""), "page", 0, 0, 1)
            base.execute(
                "INSERT INTO elements (id, type, rotation_angle, mirrored, initial) VALUES (?,?,?,?,?)", values
            )
        base.commit()
    return path


def test_worker_run_with_an_initial_cache(ten: Trial) -> None:
    """As with the published library, its initial elements are those of the run; their states are reported."""
    path = cache_with(ten, ten.elements[:3])

    ended = run(ten, "-d", str(path), USES_CACHE="1")

    assert ended.numbers == [3, 3, 0, 0, 0, 0], ended
    assert list(ten.user_calls) == ten.elements[:3]
    assert ten.states == {"processed": 3, "queued": 7}


def test_worker_run_with_a_cache_of_other_elements(ten: Trial) -> None:
    """A cache without initial elements leaves the queue as it is."""
    ended = run(ten, "-d", str(cache_with(ten, [])), USES_CACHE="1")

    assert ended.numbers == [10, 10, 0, 0, 0, 0], ended


def test_developer_mode_with_a_cache(ten: Trial) -> None:
    """At a desk, elements come from the cache, with no request at all."""
    path = cache_with(ten, ten.elements[:3])

    ended = run(ten, "-d", str(path), ARKINDEX_WORKER_RUN_ID="", ARKINDEX_API_URL="", USES_CACHE="1", PONOS_TASK="")

    assert ended.numbers == [3, 3, 0, 0, 0, 0], ended
    assert list(ten.user_calls) == ten.elements[:3]
    assert ten.emulator.ledger.calls() == []


def test_developer_mode_with_nothing_to_do(ten: Trial) -> None:
    """In developer mode, a run without elements is a mistake of the person who started it."""
    ended = run(ten, ARKINDEX_WORKER_RUN_ID="")

    assert ended.code == 78, ended
    assert "there are no elements to work on" in ended.log


@pytest.mark.parametrize("uses_cache", ["", "1"])
def test_developer_mode_with_a_misspelt_cache(ten: Trial, tmp_path: Path, uses_cache: str) -> None:
    """The cache that was named is in the message."""
    flags = ("-d", str(tmp_path / "pagse.sqlite"))

    ended = run(ten, *flags, ARKINDEX_WORKER_RUN_ID="", USES_CACHE=uses_cache, PONOS_TASK="")

    assert ended.code == 78, ended
    assert "pagse.sqlite'" in ended.log
    assert ("holds none, or does not exist" if uses_cache else "this worker does not use a cache") in ended.log


def test_image_files_are_pages(ten: Trial, tmp_path: Path) -> None:
    """In developer mode, each file is an element; one that is not an image is noticed when it is opened."""
    paths = [tmp_path / name for name in ("a b.png", "c.png")]
    for path in paths:
        Image.new("RGB", (30, 40)).save(path)
    (tmp_path / "no.png").write_text("no image")
    given = [str(path) for path in (*paths, paths[0], tmp_path / "no.png")]

    ended = run(ten, "--image", *given, ARKINDEX_WORKER_RUN_ID="", ARKINDEX_API_URL="", ARKINDEX_TASK_TOKEN="")

    assert ended.numbers == [3, 3, 0, 0, 0, 0], ended
    assert len(set(ten.user_calls)) == 3
    assert ten.emulator.ledger.calls() == []


def test_a_folder_of_images(ten: Trial, tmp_path: Path) -> None:
    """Each image in it is a page, once, also where it is named beside its folder."""
    folder = tmp_path / "pages"
    (folder / "second").mkdir(parents=True)
    for name in ("b.PNG", "a.jpg", "second/c.tif"):
        Image.new("RGB", (30, 40)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    desk = {"ARKINDEX_WORKER_RUN_ID": "", "ARKINDEX_API_URL": "", "ARKINDEX_TASK_TOKEN": ""}

    ended = run(ten, "--image", str(folder), str(folder / "a.jpg"), **desk)

    assert ended.numbers == [3, 3, 0, 0, 0, 0], ended
    names = [line.split()[1] for line in (tmp_path / "user.log").read_text().splitlines()]
    assert names == ["a", "b", "c"]


def test_image_files_are_pages_beside_a_cache(ten: Trial, tmp_path: Path) -> None:
    """A cache that knows nothing of the files keeps no worker from them."""
    Image.new("RGB", (30, 40)).save(tmp_path / "a.png")
    merge([], tmp_path / "db.sqlite")
    flags = ["--image", str(tmp_path / "a.png"), "-d", str(tmp_path / "db.sqlite")]

    ended = run(ten, *flags, ARKINDEX_WORKER_RUN_ID="", ARKINDEX_API_URL="", USES_CACHE="1", PONOS_TASK="")

    assert ended.numbers == [1, 1, 0, 0, 0, 0], ended


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (["--image", "nowhere.png"], {"ARKINDEX_WORKER_RUN_ID": ""}, "nowhere.png'"),
        (["--image", str(Path(__file__).parent)], {"ARKINDEX_WORKER_RUN_ID": ""}, "there is no image in the folder"),
        (["--image", "/dev/null"], {"ARKINDEX_WORKER_RUN_ID": ""}, "there is no file or folder"),
        (["--image", __file__], {}, "results for local image files cannot be published"),
        (["--image", __file__, "--set", "a:b"], {"ARKINDEX_WORKER_RUN_ID": ""}, "the elements are already given"),
    ],
)
def test_image_files_are_for_a_desk(ten: Trial, flags: list[str], environment: dict[str, str], message: str) -> None:
    """A file that is not there, a worker run, and other elements beside the files are refused at once."""
    ended = run(ten, *flags, **environment)

    assert (ended.code, message in ended.log) == (78, True), ended
    assert ten.user_calls == {}


@pytest.mark.parametrize("given", ["not-an-id", "../../etc"])
def test_ids_are_checked_first(ten: Trial, given: str) -> None:
    """One wrong id, and nothing starts."""
    ended = run(ten, "--element", ten.elements[0], given)

    assert ended.code == 78, ended
    assert dict(ten.states) == {"queued": 10}


def test_wrong_id_in_a_list(ten: Trial) -> None:
    """The file, the line and the item are named, and nothing starts."""
    path = ten.folder / "typed.json"
    path.write_text(json.dumps([{"id": ten.elements[0]}, {"id": "page-2"}], indent=2))

    ended = run(ten, TASK_ELEMENTS=str(path))

    assert ended.code == 78, ended
    assert f"{path}:6:11" in ended.log
    assert "item 2 of the list: 'page-2' is not the id of an element" in ended.log
    assert dict(ten.states) == {"queued": 10}


def test_lost_claims_are_counted(ten: Trial) -> None:
    """A claim whose answer is lost is counted, and the exit code says that Arkindex cannot tell."""
    ten.emulator.faults.add("StartWorkerActivity", Fault.reset(acted=True), times=2)

    ended = run(ten)

    assert ended.numbers == [10, 8, 0, 0, 2, 75], ended
    assert dict(ten.states) == {"processed": 8, "started": 2}


def test_refused_end_is_counted(ten: Trial) -> None:
    """An element whose end is refused at the first attempt does not count as a success: Arkindex says otherwise."""
    ten.emulator.faults.add("UpdateWorkerActivity", Fault.answer(409), times=1)

    ended = run(ten)

    assert ended.numbers == [10, 9, 0, 0, 1, 75], ended
    assert dict(ten.states) == {"processed": 9, "started": 1}


def test_repeated_start_is_ours(ten: Trial) -> None:
    """A conflict on the repeat of a start whose answer was lost does not mean another process."""
    ten.befall(["reset"], 0.3, acted=[True], seed=5)

    ended = run(ten, "--elements-list", ten.write_list())

    assert ended.numbers[:5] == [10, 10, 0, 0, 0], ended
    assert dict(ten.states) == {"processed": 10}


@pytest.mark.parametrize("prefetch", ["0", "2"])
@pytest.mark.parametrize("listed", [False, True], ids=["queue", "list"])
def test_nothing_is_lost_unreported(tmp_path: Path, prefetch: str, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """With 30 % of mixed faults, what stays started is not more than what is reported as uncertain."""
    with trial(tmp_path, 40) as made:
        made.befall(["500", "503", "429", "reset", "close", "cut", "malformed"], 0.3)

        ended = run(made, "--prefetch", prefetch, *(["--elements-list", made.write_list()] if listed else []))

        states, summary = made.states, ended.summary
        assert states["queued"] == 0, ended
        assert states["started"] <= summary["uncertain"], ended
        assert (states["processed"], states["error"]) == (summary["processed"], summary["failed"]), ended
        assert ended.code == (75 if summary["uncertain"] else 0), ended
        assert set(made.user_calls.values()) == {1}, ended


def test_two_processes_share_a_queue(tmp_path: Path) -> None:
    """Each element goes through one of them, once."""
    with trial(tmp_path, 30) as made:
        processes = [made.start(name=name, WORK="0.02") for name in ("one", "two")]

        ended = [process.wait() for process in processes]

        assert [one.code for one in ended] == [0, 0], ended
        assert dict(made.states) == {"processed": 30}
        assert set(made.user_calls.values()) == {1}
        assert sum(one.summary["processed"] for one in ended) == 30


def test_unreachable_arkindex(ten: Trial) -> None:
    """Claims that keep failing end the run with 69, and what was in hand is done."""
    ten.emulator.faults.add("StartWorkerActivity", Fault.answer(500), skip=4)

    ended = run(ten)

    assert ended.code == 69, ended
    assert dict(ten.states) == {"processed": 4, "queued": 6}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_current_element_finish(tmp_path: Path, number: int) -> None:
    """The current element ends as usual, what was claimed ahead ends in error, nothing stays started."""
    with trial(tmp_path, 50) as made:
        process = made.start(WORK="0.2")
        made.wait_for("UpdateWorkerActivity", 2)

        process.signal(number)
        ended = process.wait()

        assert ended.code == 128 + number, ended
        assert made.states["started"] <= ended.summary["uncertain"], ended  # of a claim that was under way
        assert sum(made.user_calls.values()) == made.states["processed"] == ended.summary["processed"], ended
        # Two are claimed ahead; between two elements, the next one is not begun either.
        assert made.states["error"] == ended.summary["failed"] <= 3, ended
        assert ended.log.count(f"stopping after signal {number}: what is being processed has") == 1, ended
        assert f"stopped by signal {number}; {ended.summary['elements']} elements in" in ended.log.splitlines()[-1]
        assert (tmp_path / "user.teardown").exists()


HANGING = {
    "a sleep": "time.sleep(600)",
    "code that catches everything": "while True:\n try: time.sleep(9)\n except: pass",
}


@pytest.mark.parametrize("hook", HANGING.values(), ids=HANGING)
def test_grace_time_ends(tmp_path: Path, hook: str) -> None:
    """User code that does not finish in time is interrupted, or left behind; its element ends in error."""
    with trial(tmp_path, 5) as made:
        process = made.start("--grace", "0.2", HOOK=hook)
        made.wait_for("StartWorkerActivity", 3)

        process.signal()
        ended = process.wait()

        assert ended.code == 143, ended
        assert made.states["started"] <= ended.summary["uncertain"], ended  # of a claim that was under way
        assert made.states["error"] == ended.summary["failed"] == 3 - made.states["started"], ended
        assert ended.seconds < 30, ended


PATIENT = """
from arkworker import Transcription
from arkworker.runtime.loop import clients, guard
clients.LAST_STATES, guard.FAREWELL = 90, 91  # however slow the machine is
result = Transcription(text="a", confidence=1.0)
"""


def test_publication_that_does_not_end(tmp_path: Path) -> None:
    """It is cut off after the grace time; its element does not stay started, but counts as uncertain."""
    with trial(tmp_path, 1) as made:
        made.emulator.faults.add("CreateTranscription", Fault.delay(LONG))
        process = made.start("--grace", "0.1", HOOK=PATIENT)
        made.wait_for("CreateTranscription")

        process.signal()
        ended = process.wait()

        assert (dict(made.states), ended.numbers) == ({"error": 1}, [1, 0, 0, 0, 1, 143]), ended


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """A second signal does not wait for anything."""
    with trial(tmp_path, 5) as made:
        process = made.start("--grace", "300", HOOK="time.sleep(600)")
        made.wait_for("StartWorkerActivity", 3)

        process.signal()
        made.wait_for("UpdateWorkerActivity")
        time.sleep(0.1)  # what comes within a moment is one signal, sent to a group
        process.signal()
        ended = process.wait()

        assert ended.code == 143, ended
        assert ended.seconds < 30, ended


def test_signal_ends_waits(tmp_path: Path) -> None:
    """A signal ends the wait between two attempts at a claim."""
    with trial(tmp_path, 5) as made:
        made.emulator.faults.add("StartWorkerActivity", Fault.answer(500))
        process = made.start(WAITS="100")
        made.wait_for("StartWorkerActivity")

        process.signal()
        ended = process.wait()

        assert (ended.code, dict(made.states)) == (143, {"queued": 5}), ended
        assert ended.seconds < 30, ended


def test_kill_leaves_a_few(tmp_path: Path) -> None:
    """SIGKILL leaves the current and the prefetched elements started, no more."""
    with trial(tmp_path, 50) as made:
        process = made.start(WORK="0.05")
        made.wait_for("UpdateWorkerActivity", 3)

        process.signal(signal.SIGKILL)
        process.wait()

        assert made.states["started"] <= 5  # that whose report was under way, the current one, three ahead


@pytest.mark.parametrize("listed", [False, True], ids=["queue", "list"])
def test_next_run_ends_what_a_killed_one_began(tmp_path: Path, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """After SIGKILL, the next run of the task reports the element that was in user code, and goes on with the rest."""
    with trial(tmp_path, 12) as made:
        flags = ["--elements-list", made.write_list()] if listed else []
        process = made.start(*flags, HOOK="os.path.exists(os.environ['USER_LOG'] + '.calm') or time.sleep(60)")
        made.wait_for("RetrieveElement", 3)
        wait_until(lambda: bool(made.user_calls))
        process.signal(signal.SIGKILL)
        process.wait()
        (tmp_path / "user.log.calm").touch()

        ended = run(made, *flags, HOOK="pass")

        assert ended.numbers == [12, 11, 1, 0, 0, 0], ended
        assert dict(made.states) == {"processed": 11, "error": 1}
        assert set(made.user_calls.values()) == {1}
        assert not list(tmp_path.rglob("*.journal"))


@pytest.mark.parametrize("listed", [False, True], ids=["claim", "start"])
def test_next_run_knows_what_was_lost_with_the_process(tmp_path: Path, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """Killed while a claim is under way, it is uncertain; while a start is reported, the element is taken for ours."""
    with trial(tmp_path, 5) as made:
        flags = ["--elements-list", made.write_list()] if listed else []
        operation = "UpdateWorkerActivity" if listed else "StartWorkerActivity"
        made.emulator.faults.add(operation, Fault.delay(60, acted=True), times=1)
        process = made.start(*flags)
        wait_until(lambda: made.states["started"] > 0)
        process.signal(signal.SIGKILL)
        process.wait()

        ended = run(made, *flags)

        expected = [5, 5, 0, 0, 0, 0] if listed else [5, 4, 0, 0, 1, 75]
        assert ended.numbers == expected, ended
        assert made.states["started"] == ended.summary["uncertain"]


def test_next_run_knows_what_was_uncertain(tmp_path: Path) -> None:
    """A run that was killed before its summary had lost the answer of a claim: the next one tells."""
    with trial(tmp_path, 5) as made:
        made.emulator.faults.add("StartWorkerActivity", Fault.reset(acted=True), times=1)
        process = made.start(HOOK="time.sleep(60)")
        wait_until(lambda: bool(made.user_calls))
        process.signal(signal.SIGKILL)
        process.wait()

        ended = run(made)

        assert (ended.code, ended.summary["uncertain"] > 0) == (75, True), ended
        assert made.states["started"] <= ended.summary["uncertain"], ended


def test_queue_that_hands_out_one_element_for_ever(tmp_path: Path) -> None:
    """The run ends, worth a retry, and says why."""
    with trial(tmp_path, 3) as made:
        body = json.dumps({"id": made.elements[0], "name": "x", "type_id": "t"}).encode()
        answer = Fault.answer(200, body, headers={"content-type": "application/json"})
        made.emulator.faults.add("StartWorkerActivity", answer)

        ended = run(made)

        assert ended.code == 69, ended
        assert "again and again" in ended.log
        assert len(made.emulator.ledger.calls("StartWorkerActivity")) < 50


def test_time_limit(tmp_path: Path) -> None:
    """An element that takes longer than it may ends in error; the others go on."""
    with trial(tmp_path, 5) as made:
        ended = run(made, "--element-timeout", "0.3", HOOK="element.name.endswith('3') and time.sleep(60)")

        assert ended.numbers == [5, 4, 1, 0, 0, 0], ended
        assert "time limit passed" in ended.log


def test_summary_in_no_directory(ten: Trial) -> None:
    """A file that cannot be written is told before anything starts."""
    ended = run(ten, "--summary", str(ten.folder / "none" / "summary.json"))

    assert ended.code == 78, ended
    assert dict(ten.states) == {"queued": 10}


def test_results_are_not_published_in_developer_mode(ten: Trial) -> None:
    """What user code returns at a desk stays there."""
    code = "from arkworker.elements.results import Transcription; result = [Transcription(text='A', confidence=0.5)]"
    tokens = {"ARKINDEX_API_TOKEN": ten.emulator.token, "ARKINDEX_TASK_TOKEN": ""}

    ended = run(ten, "--dev", "--element", ten.elements[0], HOOK=code, **tokens)

    assert ended.code == 0, ended
    assert {call.method for call in ten.emulator.ledger.calls()} == {"GET"}


def test_list_that_is_none(ten: Trial) -> None:
    """A file of another shape is refused, with its name."""
    (ten.folder / "odd.json").write_text(json.dumps({"id": ten.elements[0]}))

    ended = run(ten, "--elements-list", str(ten.folder / "odd.json"))

    assert ended.code == 78, ended
    assert "should be a JSON list of objects" in ended.log
