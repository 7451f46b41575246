"""Where what user code found goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence, Set as AbstractSet
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from arkworker.element import Element

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """Takes the results of one element, after user code has succeeded and its cache is committed.

    Called from several threads, in one of them for each element. The element is `processed` only when it returns.
    """

    def publish(self, element: Element, results: Sequence[Any]) -> None:
        """Send the results of an element; whatever is raised ends the element in error."""


class CountingPublisher:
    """Publishes nothing, as in developer mode, and says how much that was."""

    def publish(self, element: Element, results: Sequence[Any]) -> None:
        logger.info("%s: %d results, not published: this run is read-only", element, len(results))


def collect(returned: Any) -> tuple[Any, ...]:
    """What `process_element` returned or yields, as a tuple. Runs the rest of a generator: this is user code."""
    if returned is None:
        return ()
    if isinstance(returned, Iterator | Sequence | AbstractSet) and not isinstance(returned, str | bytes):
        return tuple(returned)
    return (returned,)
