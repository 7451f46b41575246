"""How elements end: the common protocol of Arkindex (`Reports`) and a results file (`ResultsFile`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from arkworker.arkindex.activities import State
from arkworker.errors import ApiError, PublicationError
from arkworker.runtime.loop.in_hand import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from arkworker.elements import Element
    from arkworker.runtime.loop.failures import Failures

LEFT_BEFORE = "an earlier run ended while it worked on this element"
ROUNDS = 2  # of attempts at what is still open when a run ends
_LONGEST_CHAIN = 20  # errors


@dataclass(slots=True, eq=False)
class Ending:
    """What is still to be done about an element after user code.

    Attributes:
        id: The id of the element.
        state: How it ended.
        element: The element; None where results have been published or there are none.
        results: What user code found, until it is published.
        reason: Why it ended in error.
        is_held: Its activity is `started` as far as we know, not merely perhaps.
        is_doubtful: Some of its results may be on Arkindex although that was not confirmed.
        uncertain: Reports so far that Arkindex may have acted upon although their answer was lost.
        tries: How often reporting it has failed.
        pause: How many other elements are to be reported before it is tried again.
    """

    id: str
    state: State
    element: Element | None = None
    results: tuple[Any, ...] = ()
    reason: str = ""
    is_held: bool = True
    is_doubtful: bool = False
    uncertain: int = 0
    tries: int = 0
    pause: int = 0


def leaves_doubt(error: BaseException) -> bool:
    """Whether what an error, or one that it was raised from, tried to write may be on Arkindex all the same."""
    shown: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if isinstance(shown, ApiError | PublicationError):
            return bool(shown.uncertain)
        shown = shown.__cause__ if shown is not None else None
    return False


class Ends(Protocol):
    """Ends each element once, and counts it then."""

    def begin(self, elements: Sequence[Element]) -> None:
        """User code gets these elements now: what it publishes meanwhile belongs to them."""

    def submit(self, ending: Ending) -> None:
        """End an element; from any thread."""

    def settle(self, current: Collection[str] = ()) -> dict[str, Exception]:
        """Write to the cache what was published, between two sessions of user code.

        Args:
            current: The elements that user code has just succeeded for.

        Returns:
            Why what user code itself published on one of those could not be written, by its id.
        """

    def close(self, *, rounds: int = ROUNDS, within: float | None = None) -> None:
        """Come to an end with all that was submitted, and count what cannot be ended as uncertain.

        Args:
            rounds: Of attempts at what is still open then.
            within: Seconds; None for as long as it takes.
        """


def end_left(left: Mapping[str, Stage], reason: str, ends: Ends, failures: Failures) -> None:
    """End what a process had in hand when it was killed, but for what user code had not begun.

    Args:
        left: How far its elements were, by their ids.
        reason: Why what user code had in hand ends in error.
        ends: Where elements end.
        failures: Told of those that failed.
    """
    for element_id, stage in left.items():
        if stage in (Stage.WORKING, Stage.PROCESSED, Stage.ERROR):
            if stage is Stage.WORKING:
                failures.add_reason(element_id, reason)
            state = State.PROCESSED if stage is Stage.PROCESSED else State.ERROR
            # It may have been reported just before.
            ends.submit(Ending(element_id, state, reason=reason if stage is Stage.WORKING else "", uncertain=1))
