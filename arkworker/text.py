"""Text from outside, on its way into a message."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def printable(text: str, limit: int = 200) -> str:
    """The text on one line, with what a terminal would obey written as an escape, at most `limit` characters."""
    shown = text[:limit]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return escaped if len(text) <= limit else f"{escaped}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean threshold?`, or nothing when no known name is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    # Names typed by people; a very long one is not a misspelling and would only cost time.
    matches = get_close_matches(name.lower()[:100], by_lower, n=1, cutoff=0.6)
    return f"did you mean {printable(by_lower[matches[0]])}?" if matches else ""
