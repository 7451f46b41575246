"""What a run does when Arkindex, or a part of it, is out of reach for good; in real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from element_runs import trial

from arkworker.emulator import Fault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("prefetch", ["0", "2"])
def test_list_ends_when_arkindex_is_out_of_reach(tmp_path: Path, prefetch: str) -> None:
    """The elements of a list do not all fail one after the other: the run ends, worth a retry."""
    with trial(tmp_path, 20) as made:
        for operation in ("UpdateWorkerActivity", "RetrieveElement"):
            made.emulator.faults.add(operation, Fault.answer(502))

        ended = made.start("--prefetch", prefetch, "--elements-list", made.write_list()).wait()

        assert ended.code == ended.summary["exit_code"] == 69, ended
        assert ended.summary["elements"] < 10, ended
        assert dict(made.states) == {"queued": 20}


def test_nothing_more_is_claimed_when_no_report_gets_through(tmp_path: Path) -> None:
    """Elements whose state cannot be reported are counted, and no more are claimed to stay started."""
    with trial(tmp_path, 60) as made:
        made.emulator.faults.add("UpdateWorkerActivity", Fault.answer(500))

        ended = made.start().wait()

        assert ended.code == 69, ended
        assert made.states["started"] == ended.summary["uncertain"] < 30, ended
        assert made.states["queued"] > 30, ended


def test_one_report_that_never_gets_through(tmp_path: Path) -> None:
    """It is counted, tried less and less often, and holds up none of the others."""
    with trial(tmp_path, 40) as made:
        poison = made.elements[0]
        made.emulator.faults.add(
            "UpdateWorkerActivity", Fault.answer(500), where=lambda call: call.body["element_id"] == poison
        )

        ended = made.start().wait()

        assert (ended.code, ended.summary["processed"], ended.summary["uncertain"]) == (75, 39, 1), ended
        assert dict(made.states) == {"started": 1, "processed": 39}
        tried = [c for c in made.emulator.ledger.calls("UpdateWorkerActivity") if c.body["element_id"] == poison]
        assert len(tried) <= 5 * (1 + 5 + 2), "then after 0, 4, 8 and 16 others, and twice in the end"
