"""Make an element ready for user code: report its start where it was not claimed, and retrieve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.activities import is_refusal
from arkworker.arkindex.reading.remote import RETRIEVE, element_of
from arkworker.errors import ApiContentError, ApiError
from arkworker.runtime.loop.journal import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.activities import Activities
    from arkworker.arkindex.client import Client
    from arkworker.elements import Element
    from arkworker.runtime.loop.jobs import Job
    from arkworker.runtime.loop.journal import Journal


@dataclass(frozen=True)
class Retrieval:
    """Works in the threads of the intake.

    Attributes:
        client: What elements are retrieved with.
        activities: Where the start of an element is reported, unless it was claimed; None where it is not.
        bind: Binds an element to the run.
        is_stopped: Whether the run is being stopped.
        journal: Where it is noted that an element is in hand.
        is_late: Whether user code's own thread looks for the element in the cache first.
    """

    client: Client
    activities: Activities | None
    bind: Callable[[Element], Element]
    is_stopped: Callable[[], bool]
    journal: Journal
    is_late: bool = False

    def prepare(self, job: Job) -> None:
        """Bring a job to where user code can have it, or note on it why not."""
        if not job.is_held and self.is_stopped():
            job.is_dropped = True
            return
        job.is_unreached = not job.is_held
        try:
            if not job.is_held and self.activities is not None and not self._start(job, self.activities):
                return
            if job.is_held and self.activities is not None:
                self.journal.note(job.id, Stage.HELD)
            if not self.is_stopped() and not self.is_late:
                job.element = self.retrieve(job.id, job.answer)
            job.is_unreached = False
        except ApiError as error:
            job.is_unreached = job.is_unreached and not (is_refusal(error) or isinstance(error, ApiContentError))
            if not self.is_stopped():
                job.failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this element alone
            job.is_unreached, job.failure = False, error

    def retrieve(self, element_id: str, answer: Any = None) -> Element:
        """The element, from an answer that is there already or from Arkindex.

        Raises:
            ApiError: It cannot be had, or another came in its place.
        """
        if answer is None:
            answer = self.client.request(RETRIEVE, id=element_id)
        return self.bind(element_of(answer, element_id))

    def _start(self, job: Job, activities: Activities) -> bool:
        """Report the start; False when there is nothing more to do here."""
        try:
            job.is_held = activities.start(job.id)
        except ApiError as error:
            job.is_held = bool(error.uncertain)
            if self.is_stopped() and not job.is_held:
                job.is_dropped = True
                return False
            raise
        job.is_taken, job.is_unreached = not job.is_held, False
        return job.is_held
