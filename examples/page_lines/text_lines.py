"""The text lines of a column, by a profile that slides along them: they may be curved.

All lengths are in letters: the median height of what looks like one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ink import find_components
from profiles import average

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ink import Components, Labels, Mask
    from profiles import Floats

WINDOW_WIDTH = 6  # of the profile that slides along a line
WINDOW_HEIGHT = 0.5
WORD_GAP = 0.8  # between what stands alone
LARGEST_GAP = 3  # between two words of a line
TALL = 2.2  # letters of headings, initials, letters that touch those of the next line


def trace_lines(text: Labels, letter: float) -> list[Floats]:
    """Outlines of the lines in a block, in reading order."""
    cores = _find_cores(text, letter)
    owners = _share_out(text, cores, letter)
    outlines = []
    for number in range(len(cores.area)):
        pieces = _find_pieces(*_where(owners == number), letter)
        outlines += [_outline(rows, columns, _centre(cores, number), letter) for rows, columns in pieces]
    return _order(outlines, letter)


def _where(mask: Mask) -> tuple[Labels, Labels]:
    rows, columns = np.nonzero(mask)
    return rows, columns


def _find_cores(text: Labels, letter: float) -> Components:
    """Where the profile that slides along the lines is above its surroundings: one ribbon for each line."""
    tall = _heights(text)[text] > TALL * letter
    lines = find_components(_slide(~tall & (text >= 0), letter))
    initials = [number for number in np.unique(text[tall]) if _is_initial(text, int(number), lines, letter)]
    return find_components(_slide((text >= 0) & ~np.isin(text, initials), letter))


def _is_initial(text: Labels, number: int, lines: Components, letter: float) -> bool:
    """Whether a tall letter has nothing on its left and two lines on its right."""
    rows, columns = np.nonzero(text == number)
    height = slice(rows.min(), rows.max() + 1)
    before = text[height, max(0, columns.min() - round(1.5 * letter)) : columns.min()]
    after = lines.labels[height, columns.max() + 1 : columns.max() + 1 + round(2 * letter)]
    return not (before >= 0).any() and len(np.unique(after[after >= 0])) >= 2


def _slide(text: Mask, letter: float) -> Mask:
    profile = average(average(text, WINDOW_HEIGHT * letter, WINDOW_WIDTH * letter), WINDOW_HEIGHT * letter, 1)
    surroundings = average(profile, 3 * letter, WINDOW_WIDTH * letter)
    return (profile > surroundings) & (profile > 0.05)


def _share_out(text: Labels, cores: Components, letter: float) -> Labels:
    """For each pixel of text its core, -1 elsewhere: the one that most of its letter is nearest to.

    What is as high as two lines is letters that touch: there each pixel goes to the core nearest to itself.
    """
    nearest = np.where(text >= 0, _nearest(cores.labels, 1.5 * letter), -1)
    found = nearest >= 0
    pairs, counts = np.unique(np.stack([text[found], nearest[found]]), axis=1, return_counts=True)
    choice = np.full(int(text.max(initial=-1)) + 2, -1)  # the last one is for -1, paper
    order = np.argsort(counts, kind="stable")
    choice[pairs[0, order]] = pairs[1, order]  # of several the last, the largest, stays
    return np.where(_heights(text)[text] > TALL * letter, nearest, choice[text])


def _heights(text: Labels) -> Labels:
    """The height of each letter by its number, and 0 at the end, for -1."""
    rows = np.nonzero(text >= 0)[0]
    count = int(text.max(initial=-1)) + 2
    top, bottom = np.full(count, len(text)), np.zeros(count, np.int64)
    np.minimum.at(top, text[text >= 0], rows)
    np.maximum.at(bottom, text[text >= 0], rows + 1)
    heights: Labels = np.maximum(bottom - top, 0)
    return heights


def _nearest(labels: Labels, reach: float) -> Labels:
    """The nearest label above or below each pixel, -1 when it is out of reach."""
    rows = np.arange(len(labels))[:, None]
    far = 4 * len(labels)
    above = np.maximum.accumulate(np.where(labels >= 0, rows, -far), axis=0)
    below = np.minimum.accumulate(np.where(labels >= 0, rows, far)[::-1], axis=0)[::-1]
    closest = np.where(rows - above <= below - rows, above, below)
    found = np.take_along_axis(labels, np.clip(closest, 0, len(labels) - 1), axis=0)
    return np.where(np.abs(closest - rows) <= reach, found, -1)


def _find_pieces(rows: Labels, columns: Labels, letter: float) -> list[tuple[Labels, Labels]]:
    """The pixels of each line among those of a core: words that stand near each other, without lone specks."""
    words = [
        (rows[word], columns[word])
        for word in _split_at_gaps(columns, WORD_GAP * letter)
        if np.ptp(rows[word]) >= 0.5 * letter and np.count_nonzero(word) >= 0.25 * letter**2
    ]
    if not words:
        return []
    rows, columns = (np.concatenate(parts) for parts in zip(*words, strict=True))
    pieces = [(rows[piece], columns[piece]) for piece in _split_at_gaps(columns, LARGEST_GAP * letter)]
    return [piece for piece in pieces if np.ptp(piece[0]) >= 0.7 * letter and np.ptp(piece[1]) >= 0.4 * letter]


def _split_at_gaps(columns: Labels, gap: float) -> list[Mask]:
    """The pixels of each part of a line, between gaps that are wider."""
    places = np.unique(columns)
    bounds = places[np.flatnonzero(np.diff(places) > gap) + 1]
    part = np.searchsorted(bounds, columns, "right")
    return [part == number for number in range(len(bounds) + 1)] if len(columns) else []


def _centre(cores: Components, number: int) -> tuple[Labels, Floats]:
    """The columns of a core and its middle row in each."""
    left, top = cores.left[number], cores.top[number]
    core = cores.labels[top : cores.bottom[number], left : cores.right[number]] == number
    rows = np.arange(len(core))[:, None]
    return left + np.arange(core.shape[1]), top + (core * rows).sum(axis=0) / core.sum(axis=0)


def _outline(rows: Labels, columns: Labels, centre: tuple[Labels, Floats], letter: float) -> Floats:
    """A ribbon along the middle of a line, as high as its letters reach."""
    left, right = columns.min(), columns.max() + 1
    within = (centre[0] >= left) & (centre[0] < right)
    width = (right - left) / letter
    degree = 0 if width < 4 else 1 if width < 12 else 3
    curve = np.polynomial.Polynomial.fit(centre[0][within], centre[1][within], degree)
    top, bottom = np.percentile(rows - curve(columns), [1.5, 98.5])
    along = np.linspace(left, right, 2 + int(width / 4))
    upper, lower = curve(along) + top, curve(along) + bottom + 1
    return np.concatenate([np.column_stack([along, upper]), np.column_stack([along, lower])[::-1]])


def _order(outlines: Iterable[Floats], letter: float) -> list[Floats]:
    """From top to bottom, and from left to right where several stand side by side."""
    ordered: list[Floats] = []
    for outline in sorted(outlines, key=lambda points: float(points[:, 1].mean())):
        place = len(ordered)
        while place and _beside(outline, ordered[place - 1], letter) and outline[0, 0] < ordered[place - 1][0, 0]:
            place -= 1
        ordered.insert(place, outline)
    return ordered


def _beside(one: Floats, other: Floats, letter: float) -> bool:
    return abs(float(one[:, 1].mean() - other[:, 1].mean())) < 0.8 * letter and distance(one, other) == float("inf")


def distance(one: Floats, other: Floats) -> float:
    """The vertical distance of two outlines, which is infinite when neither is above the other."""
    if max(one[:, 0].min(), other[:, 0].min()) > min(one[:, 0].max(), other[:, 0].max()):
        return float("inf")
    return float(max(one[:, 1].min(), other[:, 1].min()) - min(one[:, 1].max(), other[:, 1].max()))
