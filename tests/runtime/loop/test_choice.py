"""Which elements a run works on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from arkworker.errors import ConfigurationError
from arkworker.runtime.loop.choice import Choice, Shard
from arkworker.runtime.loop.in_hand import InHand
from arkworker.runtime.loop.outcome import Tally
from arkworker.settings.platform import Settings

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
        ({"shard": "/4"}, "the number of this part is missing"),
        (
            {"slurm_array_task_id": 9, "slurm_array_task_count": 4},
            "task 9, counted from the first as 0, is not one of 4",
        ),
    ],
)
def test_shard_that_cannot_be_told(settings: dict[str, Any], message: str) -> None:
    """It is refused before anything starts: elements must not be left out."""
    with pytest.raises(ConfigurationError, match=message):
        choice_of(**settings).tell_part()
