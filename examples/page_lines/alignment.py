"""Which line of a known text stands on which line of the page."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from layout import TextLine


@dataclass(frozen=True)
class Reading:
    """What stands on a line.

    Attributes:
        text: The text.
        confidence: How well its length fits that of the line, among the other lines: from 0 to 1.
    """

    text: str
    confidence: float


def align(lines: Sequence[TextLine], texts: Iterable[str]) -> list[Reading | None]:
    """The readings of the lines, in order, from the first text that has as many lines; None for each without one."""
    for text in texts:
        parts = [part.strip() for part in text.splitlines() if part.strip()]
        if parts and len(parts) == len(lines):
            return list(_readings(lines, parts))
    return [None] * len(lines)


def _readings(lines: Sequence[TextLine], parts: Sequence[str]) -> Iterable[Reading]:
    widths = [_letter_width(line, part) for line, part in zip(lines, parts, strict=True)]
    usual = median(widths)
    for part, width in zip(parts, widths, strict=True):
        yield Reading(part, min(width, usual) / max(width, usual))


def _letter_width(line: TextLine, text: str) -> float:
    """The width of a letter in heights of the line, so that headings compare with the rest; a bent line is not high."""
    across = [point[0] for point in line.polygon]
    height = line.polygon[-1][1] - line.polygon[0][1]
    return max(1, max(across) - min(across)) / max(1, height) / len(text)
