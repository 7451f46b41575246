"""One element on its way through the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arkworker.arkindex.activities import State
    from arkworker.elements import Element


@dataclass(slots=True)
class Job:
    """One element, from where it comes from to user code.

    Attributes:
        id: Its id.
        answer: What the source knows of it; None when it is to be retrieved.
        element: What user code gets; None until it is retrieved.
        failure: Why user code cannot have it.
        is_held: Its activity is ours to end: it was claimed or started here, or may have been.
        is_taken: Another process has it.
        is_dropped: The run was stopped before anything was done about it.
        is_unreached: No request about it got through.
    """

    id: str
    answer: Any = None
    element: Element | None = None
    failure: Exception | None = None
    is_held: bool = False
    is_taken: bool = False
    is_dropped: bool = False
    is_unreached: bool = False


@dataclass(slots=True)
class Ending:
    """What is still to be done about an element after user code.

    Attributes:
        id: The id of the element.
        state: What to report.
        element: The element; None where results have been published or there are none.
        results: What user code found, until it is published.
        is_held: Its activity is `started` as far as we know, not merely perhaps.
        uncertain: Reports so far that Arkindex may have acted upon although their answer was lost.
        tries: How often reporting it has failed.
        pause: How many other elements are to be reported before it is tried again.
    """

    id: str
    state: State
    element: Element | None = None
    results: tuple[Any, ...] = ()
    is_held: bool = True
    uncertain: int = 0
    tries: int = 0
    pause: int = 0
