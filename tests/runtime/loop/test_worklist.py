"""Where elements come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client.attempts import Outcome
from arkworker.errors import ApiContentError
from arkworker.runtime.loop.in_hand import InHand, Stage
from arkworker.runtime.loop.outcome import Tally
from arkworker.runtime.loop.worklist import MOST_REPEATS, Queue, Resumed, not_begun

if TYPE_CHECKING:
    from collections.abc import Iterator


class Claims:
    """Stands for a client: each claim is answered with the next id."""

    def __init__(self, ids: Iterator[str]) -> None:
        self._ids = ids

    def request_with_outcome(self, _operation: str) -> Outcome:
        return Outcome({"id": next(self._ids)})


def queue_of(*ids: str, notes: InHand) -> Queue:
    claims: Any = Claims(iter(ids))
    return Queue(claims, Tally(), notes)


def test_queue_that_hands_out_one_id_for_ever() -> None:
    """It is a defect of the queue, which ends the run; a person may have started an element again, once or twice."""
    notes = InHand(None, "")
    queue = queue_of(*["1"] * (MOST_REPEATS + 1), notes=notes)
    for _ in range(MOST_REPEATS):
        assert queue.take() is not None
        notes.forget("1")

    with pytest.raises(ApiContentError, match="hands out element 1 again and again"):
        queue.take()


def test_element_that_is_handed_out_while_it_is_in_hand() -> None:
    """It is worked on once."""
    queue = queue_of("1", "1", "2", notes=InHand(None, ""))

    assert [job and job.id for job in (queue.take(), queue.take())] == ["1", "2"]


def test_what_a_killed_run_had_not_begun_comes_first() -> None:
    """What it held is ours, what it was starting perhaps; the rest of what it had is not for user code."""
    stages = {"1": Stage.HELD, "2": Stage.STARTING, "3": Stage.WORKING}
    resumed = Resumed(not_begun(stages), stages, queue_of("4", notes=InHand(None, "")))

    jobs = [job for job in (resumed.take() for _ in range(3)) if job is not None]

    assert [(job.id, job.is_held, job.is_perhaps_held) for job in jobs] == [
        ("1", True, False),
        ("2", False, True),
        ("4", True, False),
    ]
