"""The task that a worker runs in, as Ponos describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from arkworker.errors import ApiContentError

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATION = "RetrieveTask"


class _Api(Protocol):
    @property
    def request(self) -> Callable[..., Any]: ...


def retrieve_parents(api: _Api, task_id: str) -> list[str]:
    """The ids of a task's parents, in order.

    Raises:
        ApiError: The task cannot be retrieved, or its `parents` are no list of ids.
    """
    answer = api.request(OPERATION, id=task_id)
    parents = answer.get("parents") if isinstance(answer, dict) else None
    if not isinstance(parents, list) or not all(isinstance(parent, str) and parent for parent in parents):
        raise ApiContentError(OPERATION, "parents: should be a list of ids", status=200)
    return parents
