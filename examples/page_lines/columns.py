"""The columns of a page, and the headings that span them.

All lengths are in letters: the median height of what looks like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from ink import Box
from profiles import average

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ink import Labels, Mask

GUTTER = 0.5  # the least width of the white between two columns
# Shares of the text's rows that may cross the gutter between columns (headings do), and that a column has at least.
CROSSING_ROWS = 0.08
COLUMN_ROWS = 0.3


def cut_blocks(text: Labels, letter: float, most_columns: int) -> Iterator[tuple[int, Box]]:
    """Columns and what spans them, in reading order: the number of the column, 0 for all of them, and the place."""
    width = text.shape[1]
    gutters = _find_gutters(text >= 0, letter, most_columns)
    edges = [0, *(gutter.middle for gutter in gutters), width]
    crossed = _rows_across(text, gutters)
    for top, bottom in pairwise(cuts(crossed)):
        if crossed[top] or not gutters:
            yield 0 if gutters else 1, Box(0, top, width, bottom)
            continue
        for column, (left, right) in enumerate(pairwise(edges), start=1):
            yield column, Box(left, top, right, bottom)


def cuts(flags: Mask) -> list[int]:
    """The bounds of the stretches of equal flags."""
    return [0, *(np.flatnonzero(np.diff(flags)) + 1).tolist(), len(flags)]


@dataclass(frozen=True, order=True)
class Gutter:
    """The white between two columns."""

    width: int
    middle: int


def _find_gutters(text: Mask, letter: float, most_columns: int) -> list[Gutter]:
    """The widest white strips with text on both sides, from left to right."""
    lines = average(text, letter, letter) > 0.05
    rows = np.count_nonzero(lines, axis=0) / max(1, np.count_nonzero(lines.any(axis=1)))
    free = np.count_nonzero(text, axis=0) <= CROSSING_ROWS * np.count_nonzero(text.any(axis=1))
    gutters = [
        Gutter(right - left, (left + right) // 2)
        for left, right in pairwise(cuts(free))
        if free[left] and right - left >= GUTTER * letter and left > 0 and right < len(free)
        if rows[:left].max() >= COLUMN_ROWS and rows[right:].max() >= COLUMN_ROWS
    ]
    return sorted(sorted(gutters, reverse=True)[: most_columns - 1], key=lambda gutter: gutter.middle)


def _rows_across(text: Labels, gutters: list[Gutter]) -> Mask:
    """The rows of letters that stand in a gutter."""
    rows = np.zeros(len(text), bool)
    for gutter in gutters:
        reach = max(1, gutter.width // 4)
        letters = np.unique(text[:, gutter.middle - reach : gutter.middle + reach])
        rows |= np.isin(text, letters[letters >= 0]).any(axis=1)
    return rows
