"""The state of an element's activity on Arkindex: started, processed, error; and what a refusal means."""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, NamedTuple

from arkworker.errors import ApiResponseError
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.arkindex.client import Client
    from arkworker.errors import ApiError

logger = logging.getLogger("arkworker.elements")

UPDATE = "UpdateWorkerActivity"
#: Modes of processes in which Arkindex keeps no activities.
WITHOUT_ACTIVITIES = frozenset({"dataset", "export"})


class State(enum.StrEnum):
    """The states of an activity of an element."""

    STARTED = "started"
    PROCESSED = "processed"
    ERROR = "error"


class Activities(NamedTuple):
    """Those of one worker run.

    Attributes:
        client: What the updates are sent with.
        worker_run_id: The worker run.
        process_id: Its process.
    """

    client: Client
    worker_run_id: str
    process_id: str

    def start(self, element_id: str, *, uncertain: int = 0) -> bool:
        """Report that work on an element starts here.

        A conflict on the first attempt means that another process has it; on the repeat of one whose answer was lost
        it means that the lost one was applied: rather twice than never.

        Args:
            element_id: The element.
            uncertain: Earlier attempts that may have been applied, such as those of a run that was killed.

        Returns:
            False when another process has it.

        Raises:
            ApiError: The report was not accepted; its `uncertain` says whether it may have been applied.
        """
        try:
            self._update(element_id, State.STARTED)
        except ApiResponseError as error:
            if error.status != 409:
                raise
            if not error.uncertain + uncertain:
                return False
            logger.warning("element %s: the first report of its start had been applied", printable(element_id, 60))
        return True

    def end(self, element_id: str, state: State, *, uncertain: int = 0) -> None:
        """Report how work on an element ended.

        A conflict on the first attempt means that the activity was changed by another process or a person;
        on a repeat, that the lost attempt was applied.

        Args:
            element_id: The element.
            state: `processed` or `error`.
            uncertain: Earlier attempts that may have been applied.

        Raises:
            ApiError: The report was not accepted.
        """
        try:
            self._update(element_id, state)
        except ApiResponseError as error:
            if error.status != 409 or not error.uncertain + uncertain:
                raise

    def _update(self, element_id: str, state: State) -> None:
        body = {"element_id": element_id, "process_id": self.process_id, "state": str(state)}
        self.client.request(UPDATE, body, id=self.worker_run_id)


def is_refusal(error: ApiError) -> bool:
    """Whether the server understood and said no, so that trying again is pointless."""
    status = error.status if isinstance(error, ApiResponseError) else None
    return status is not None and 400 <= status < 500 and status not in (408, 429)
