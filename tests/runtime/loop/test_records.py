"""Runs that record, in processes of their own: stopped, killed, started again, and then published."""

from __future__ import annotations

import json
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from element_runs import trial, wait_until
from results_files import ResultsFile

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Trial

RESULTS = """
from arkworker import Child, Transcription
text = Transcription(text=element.name, confidence=1)
result = [Child(type="text_line", polygon=[(0, 0), (0, 5), (5, 5)], results=[text]), text]
"""


def file_of(made: Trial) -> ResultsFile:
    return ResultsFile(made.emulator, made.folder / "results.jsonl", made.run, "", made.elements)


def flags_of(made: Trial, *, listed: bool) -> list[str]:
    chosen = ["--elements-list", made.write_list()] if listed else []
    return ["--results", str(made.folder / "results.jsonl"), *chosen]


def lines_of(made: Trial) -> int:
    path = made.folder / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def judge(made: Trial, log: str) -> None:
    """Every page that is processed has its results once, and no other has any."""
    found = file_of(made).census()
    processed = [name for name, state in made.emulator.activity_states(made.run).items() if state == "processed"]
    assert set(found.values()) <= {1}, log
    assert sorted(key[1] for key in found if key[0] == "element") == sorted(processed), log
    assert sum(key[0] == "transcription" for key in found) == 2 * len(processed), log


@pytest.mark.parametrize("listed", [True, False], ids=["list", "queue"])
def test_a_killed_run_goes_on(tmp_path: Path, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """With what was in hand, and without what is recorded."""
    with trial(tmp_path, 8) as made:
        flags = flags_of(made, listed=listed)
        process = made.start(*flags, HOOK=RESULTS, WORK="0.1", name="first")
        wait_until(lambda: lines_of(made) > 3)
        process.signal(signal.SIGKILL)
        process.wait()

        ended = made.start(*flags, HOOK=RESULTS).wait()
        code, log, _ = file_of(made).publish()

        assert (ended.code in (0, 0 if listed else 75), code) == (True, 0), f"{ended}{log}"
        judge(made, log)
        # In a queue, the one that user code was killed with is a failure, and claims on their way are lost.
        lost = made.states["started"] + made.states["error"]
        assert (made.states["processed"] + lost, lost <= 4 * (not listed)) == (8, True), made.states


def test_a_stopped_run_records_what_it_held(tmp_path: Path) -> None:
    """A signal ends it in good order; the next run works on all that was claimed."""
    with trial(tmp_path, 6) as made:
        flags = flags_of(made, listed=False)
        process = made.start(*flags, "--grace", "0", HOOK=RESULTS, WORK="0.3", name="first")
        wait_until(lambda: lines_of(made) > 1)
        process.signal(signal.SIGTERM)
        ended = process.wait()

        states = [json.loads(line).get("reason") for line in (tmp_path / "results.jsonl").read_text().splitlines()[1:]]
        assert (ended.code, "interrupted" in states) == (143, True), ended
        again = made.start(*flags, HOOK=RESULTS).wait()
        code, log, _ = file_of(made).publish()

        assert (again.code, code, made.states) == (0, 0, {"processed": 6}), log
        judge(made, log)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(50))
def test_fifty_kills(tmp_path: Path, seed: int) -> None:
    """Killed at random moments of recording, then at random moments of publishing."""
    dice = random.Random(seed)
    with trial(tmp_path, 30) as made:
        listed = dice.random() < 0.7
        flags = flags_of(made, listed=listed)
        for number in range(dice.randint(1, 4)):
            process = made.start(*flags, HOOK=RESULTS, WORK="0.02", name=str(number))
            time.sleep(0.4 + dice.random())
            process.signal(signal.SIGKILL)
            process.wait()
        ended = made.start(*flags, HOOK=RESULTS, name="last").wait()
        assert ended.code in (0, 75), ended
        file = file_of(made)
        for _ in range(dice.randint(1, 4)):
            publication = file.start()
            time.sleep(0.4 + dice.random())
            publication.kill()
            publication.communicate()

        code, log, _ = file.publish()

        assert code == 0, log
        judge(made, log)
        if listed:
            assert made.states == {"processed": 30}
