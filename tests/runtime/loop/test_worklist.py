"""Where elements come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from arkworker.arkindex.client.attempts import Outcome
from arkworker.errors import ApiContentError, ConfigurationError
from arkworker.runtime.loop.in_hand import InHand, Stage
from arkworker.runtime.loop.outcome import Tally
from arkworker.runtime.loop.worklist import MOST_REPEATS, Choice, Queue, Resumed, Shard, not_begun
from arkworker.settings.platform import Settings

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


IDS = [str(UUID(int=number)) for number in range(1, 101)]


def choice_of(**settings: Any) -> Choice:
    return Choice(Settings.model_construct(**settings), None, {}, list)


def ids_of(**settings: Any) -> list[str]:
    client: Any = None
    found = choice_of(element=tuple(IDS), **settings).worklist(client, Tally(), InHand(None, ""))
    return [job.id for job in iter(found.take, None)]


def test_shards_share_nothing_and_leave_nothing_out() -> None:
    """Each element is in one part, the same one in whatever order they are listed."""
    parts = [ids_of(shard=f"{number}/4") for number in range(1, 5)]
    again = [one for one in reversed(IDS) if Shard(1, 4).has(one)]

    assert sorted(one for part in parts for one in part) == IDS
    assert all(len(part) > 10 for part in parts)
    assert again == parts[1][::-1]


@pytest.mark.parametrize(
    "settings",
    [
        {"slurm_array_task_id": 1, "slurm_array_task_count": 4},
        {"slurm_array_task_id": 11, "slurm_array_task_min": 10, "slurm_array_task_count": 4},
        {"job_completion_index": 1, "shard": "/4"},
        {"slurm_array_task_id": 3, "slurm_array_task_count": 4, "shard": "2/4"},
    ],
)
def test_shard_of_an_array_job(settings: dict[str, Any]) -> None:
    """As Slurm or Kubernetes says, unless a person does."""
    assert choice_of(**settings).shard == Shard(1, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shard": "/4"}, "it is not known which part this is"),
        ({"slurm_array_task_id": 9, "slurm_array_task_count": 4}, "task 9 from the first one is not one of 4"),
    ],
)
def test_shard_that_cannot_be_told(settings: dict[str, Any], message: str) -> None:
    """It is refused before anything starts: elements must not be left out."""
    with pytest.raises(ConfigurationError, match=message):
        choice_of(**settings).check()
