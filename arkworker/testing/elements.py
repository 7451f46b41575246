"""Elements in a test, as those of a run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.reading.sessions import Sessions

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.elements import Element
    from arkworker.runtime.context import WorkerContext


def bind_element(element: Element, context: WorkerContext[Any], cache: Session | None = None) -> Element:
    """The element as `process_element` would get it: what belongs to it can be read, and its image opened.

    Args:
        element: One that was made by hand.
        context: As `make_context` makes it.
        cache: The session that is read, as that of the fixture `cache`; without one, and without the fixture
            `arkindex`, there is nothing to read.
    """
    if cache is not None:
        context.services.sessions = Sessions(lambda: nullcontext(cache))
    return context.bind_element(element)
