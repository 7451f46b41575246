"""Long runs over elements: every kind of fault, stops at random moments, and memory; an hour or two of one core.

Faults befall 2,000 elements, each kind alone and all of them mixed; `CAMPAIGN_ELEMENTS=200` is over sooner.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from element_runs import FAULTS, trial

if TYPE_CHECKING:
    from pathlib import Path

    from element_runs import Ended, Trial

pytestmark = pytest.mark.campaign

ELEMENTS = int(os.environ.get("CAMPAIGN_ELEMENTS", "2000"))
MIXED = tuple(FAULTS)
KINDS = [(kind,) for kind in FAULTS] + [MIXED]


def judge(made: Trial, ended: list[Ended]) -> None:
    """What stays started was reported as uncertain, and the numbers are those of the server."""
    uncertain = sum(one.summary["uncertain"] for one in ended)
    assert made.states["started"] <= uncertain, ended
    assert made.states["processed"] <= sum(one.summary["processed"] for one in ended), ended
    for one in ended:
        parts = [one.summary[name] for name in ("processed", "failed", "skipped", "uncertain")]
        assert one.summary["elements"] == sum(parts), one
        assert one.summary["exit_code"] == one.code, one
        assert one.code in (69, 75 if one.summary["uncertain"] else 0), one


def judge_repeats(made: Trial) -> None:
    """What went through user code twice had a report of its start whose answer was lost."""
    twice = {element for element, calls in made.user_calls.items() if calls > 1}
    reports = made.emulator.ledger.calls("UpdateWorkerActivity")
    befallen = {call.body["element_id"] for call in reports if call.faults and call.body["state"] == "started"}
    assert twice <= befallen


@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("listed", [False, True], ids=["queue", "list"])
def test_faults(tmp_path: Path, kinds: tuple[str, ...], rate: float, processes: int, listed: bool) -> None:  # noqa: FBT001 - a parameter
    """Nothing is lost unreported, whatever goes wrong, before and after the server acted."""
    with trial(tmp_path, ELEMENTS) as made:
        made.befall(kinds, rate)
        flags = ["--elements-list", made.write_list()] if listed else []
        running = [made.start(*flags, name=str(number)) for number in range(processes)]

        ended = [process.wait(600) for process in running]

        judge(made, ended)
        judge_repeats(made)
        if processes == 1:
            assert max(made.user_calls.values()) == 1
            assert made.states["processed"] == ended[0].summary["processed"], ended
            assert made.states["error"] == ended[0].summary["failed"], ended
        if not listed:
            assert max(made.user_calls.values()) == 1
        if rate < 0.5:
            assert made.states["queued"] == 0, ended


@pytest.mark.parametrize("seed", range(50))
def test_stops(tmp_path: Path, seed: int) -> None:
    """A signal at any moment leaves nothing started."""
    dice = random.Random(seed)
    with trial(tmp_path, 300) as made:
        flags = ["--elements-list", made.write_list()] if dice.random() < 0.5 else []
        grace = dice.choice(["0", "0.2", "8"])
        process = made.start(*flags, "--grace", grace, WORK=dice.choice(["0", "0.01", "0.05", "0.3"]))
        made.wait_for("RetrieveElement")
        time.sleep(dice.random() ** 2)

        number = dice.choice([signal.SIGTERM, signal.SIGINT])
        process.signal(number)
        ended = process.wait()

        assert ended.code in (128 + number, 0), ended
        assert made.states["started"] == 0, ended
        assert ended.seconds < 10, ended


def test_kills(tmp_path: Path) -> None:
    """Killed again and again, a task still comes to its end."""
    dice = random.Random(1)
    with trial(tmp_path, 200) as made:
        for name in range(12):
            process = made.start(name=str(name), WORK="0.02")
            time.sleep(0.5 + dice.random())
            process.signal(signal.SIGKILL)
            process.wait()
            assert made.states["started"] <= 8

        ended = made.start(name="last").wait()

        assert ended.code in (0, 75), ended
        assert max(made.user_calls.values()) == 1


def test_memory_is_flat(tmp_path: Path) -> None:
    """Of 20,000 elements, the last find the process as the first did."""
    hook = """
import threading
count = context.__dict__.setdefault("_count", [0])
count[0] += 1
if count[0] in (2000, 20000):
    status = open("/proc/self/status").read()
    print("SIZE", status.split("VmRSS:")[1].split()[0], len(os.listdir("/proc/self/fd")), threading.active_count())
"""
    with trial(tmp_path, 20000) as made:
        ended = made.start(HOOK=hook).wait(1800)

    assert ended.code == 0, ended.summary
    (early, *early_others), (late, *late_others) = (
        [int(part) for part in found] for found in re.findall(r"SIZE (\d+) (\d+) (\d+)", ended.log)
    )
    assert late - early < 5 * 1024  # kB
    assert late_others == early_others
