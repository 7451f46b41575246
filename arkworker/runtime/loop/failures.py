"""What went wrong with elements: each distinct error with its traceback once, all of them grouped in the end."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arkworker.runtime import log_lines
from arkworker.runtime.user_errors import described, message_of, place_of, trace_of
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Hashable

logger = logging.getLogger("arkworker.elements")

MOST_GROUPS = 100  # kept; what goes beyond is counted together
MOST_SHAPES = 5  # of messages from one place; what goes beyond differs in no way that helps
MOST_SHOWN = 10
MOST_NAMED = 10  # elements of a group
LONGEST_TRACE = 4000  # characters, the last ones


# Ids and other words with digits in them, numbers, and what is in quotes, where it is not an apostrophe.
_DETAILS = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)|[\w-]*\d[\w.-]*""")


@dataclass(slots=True)
class Group:
    """Errors of one kind, raised at one place.

    Attributes:
        text: The first of them, in one line.
        count: How many there are.
        elements: The first ones that they concern.
        trace: Where the first was raised, as Python shows it; empty where that does not concern the worker's author.
    """

    text: str
    count: int = 0
    elements: list[str] = field(default_factory=list)
    trace: str = ""

    def add(self, element_id: str) -> None:
        self.count += 1
        if len(self.elements) < MOST_NAMED:
            self.elements.append(printable(element_id, 60))

    def __str__(self) -> str:
        times = "once" if self.count == 1 else f"{self.count} times"
        more = self.count - len(self.elements)
        return f"failed {times}: {self.text} ({', '.join(self.elements)}{f' and {more} more' if more else ''})"


class Failures:
    """Logs failures as they come, and groups them for the end. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Hashable, Group] = {}
        self._shapes: dict[Hashable, set[str]] = {}  # of the messages of a type of error from one place

    def add(self, element_id: str, error: BaseException, *, traced: bool) -> None:
        """An element failed.

        Args:
            element_id: Its id.
            error: Why.
            traced: Whether the author of the worker wants to see where: not for what Arkindex answered.
        """
        message, text = message_of(error), described(error)
        place, shape = (type(error), place_of(error)), _shape_of(message)
        with self._lock:
            shapes = self._shapes.setdefault(place, set()) if len(self._shapes) < MOST_GROUPS else set()
            if len(shapes) < MOST_SHAPES:
                shapes.add(shape)
            kind = place, shape if shape in shapes else None
        is_new = self.note(element_id, kind, text)
        shown = (type(error), error, trace_of(error)) if traced and is_new else None
        if shown is not None:
            self.illustrate(kind, "".join(traceback.format_exception(*shown)))
        with log_lines.about(element_id):
            logger.error("element %s failed: %s", printable(element_id, 60), text, exc_info=shown)

    def add_reason(self, element_id: str, reason: str) -> None:
        """An element failed for a reason that is not an exception."""
        self.note(element_id, reason, reason)
        with log_lines.about(element_id):
            logger.warning("element %s ends in error: %s", printable(element_id, 60), reason)

    def illustrate(self, kind: Hashable, trace: str) -> None:
        """Keep an example of failures of a kind: the traceback of the first."""
        with self._lock:
            if (group := self._groups.get(kind)) is not None:
                group.trace = group.trace or trace[-LONGEST_TRACE:]

    @property
    def groups(self) -> list[Group]:
        """All failures, grouped, the most frequent first."""
        with self._lock:
            return sorted(self._groups.values(), key=lambda group: -group.count)

    def report(self) -> None:
        """Log all failures, grouped, the most frequent first."""
        groups = self.groups
        for group in groups[:MOST_SHOWN]:
            logger.error("%s", group)
        if len(groups) > MOST_SHOWN:
            rest = sum(group.count for group in groups[MOST_SHOWN:])
            logger.error("failed %d more times, in %d other ways", rest, len(groups) - MOST_SHOWN)

    def note(self, element_id: str, kind: Hashable, text: str) -> bool:
        """Count a failure among those of its kind; whether it is the first."""
        with self._lock:
            is_new = kind not in self._groups
            if is_new and len(self._groups) >= MOST_GROUPS:
                kind, text, is_new = None, "other errors", False
            self._groups.setdefault(kind, Group(text)).add(element_id)
        return is_new


def _shape_of(message: str) -> str:
    """Equal for messages that differ by a name in quotes, an id or a number only."""
    return _DETAILS.sub("#", message[:300])
