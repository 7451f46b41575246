"""What is on a page: its text lines, in columns, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from columns import cut_blocks
from ink import Box, find_components, find_ink, find_pictures
from profiles import find_slope, shear
from text_lines import distance, trace_lines

if TYPE_CHECKING:
    from ink import Components, Labels, Mask
    from PIL import Image
    from profiles import Floats


@dataclass(frozen=True)
class TextLine:
    """A line of text.

    Attributes:
        polygon: Its outline in pixels of the page, clockwise from the top left corner.
        column: The column that it stands in, from 1; 0 where it spans all of them.
    """

    polygon: tuple[tuple[int, int], ...]
    column: int


@dataclass(frozen=True)
class PageLayout:
    """What was found on a page.

    Attributes:
        width, height: The size of the page, in pixels.
        slope: How much the lines fall towards the right, in degrees.
        columns: How many columns of text there are, at the most.
        lines: The text lines in reading order.
        pictures: The boxes of woodcuts and large initials.
    """

    width: int
    height: int
    slope: float
    columns: int
    lines: tuple[TextLine, ...]
    pictures: tuple[Box, ...]


def find_layout(image: Image.Image, *, contrast: float, smallest: int, columns: int) -> PageLayout:
    """Find the text lines and the pictures of a page.

    Args:
        image: The page, upright.
        contrast: See `find_ink`.
        smallest: What is less than this high, in pixels, is a speck.
        columns: The most columns to look for.
    """
    components = find_components(find_ink(image, contrast))
    letters = _look_like_letters(components, smallest)
    letter = float(np.median(components.height[letters])) if letters.any() else float(smallest)
    pictures = find_pictures(components, letter)
    letters &= ~_stand_in(components, pictures)
    if not letters.any():
        return PageLayout(*image.size, slope=0.0, columns=0, lines=(), pictures=tuple(pictures))
    slope = find_slope(components, letters, letter)
    text = shear(np.where(components.mask(letters), components.labels, -1), slope)
    lines = _find_lines(text, letter, columns)
    return PageLayout(
        *image.size,
        slope=float(np.degrees(np.arctan(slope))),
        columns=max((column for column, _ in lines), default=0) or min(1, len(lines)),
        lines=tuple(TextLine(_place(outline, slope, image.size), column) for column, outline in lines),
        pictures=tuple(pictures),
    )


def _find_lines(text: Labels, letter: float, columns: int) -> list[tuple[int, Floats]]:
    """The column and the outline of each line, in reading order."""
    lines = [
        (column, outline + np.array([box.left, box.top]))
        for column, box in cut_blocks(text, letter, columns)
        for outline in trace_lines(text[box.top : box.bottom, box.left : box.right], letter)
    ]
    return [
        (column, outline)
        for column, outline in lines
        # What is narrow and has no line close above or below is a stain, and no page number.
        if np.ptp(outline[:, 0]) > 2 * letter
        or any(distance(outline, other) <= 4 * letter for _, other in lines if other is not outline)
    ]


def _look_like_letters(components: Components, smallest: int) -> Mask:
    """Components that are neither specks, nor rules, nor touch the edge of the page, which is shadow as a rule."""
    height, width = components.labels.shape
    inside = (components.left > 0) & (components.top > 0) & (components.right < width) & (components.bottom < height)
    ink = (components.height >= smallest) & (components.area >= smallest**2 / 3)
    fill = components.area / (components.width * components.height)
    flat = components.width / components.height
    rules = (flat > 8) | (fill > 0.85) | ((flat > 3) & (fill < 0.2))
    kept: Mask = inside & ink & ~rules
    return kept


def _stand_in(components: Components, pictures: list[Box]) -> Mask:
    """Components whose middle is in a picture."""
    across, down = (components.left + components.right) / 2, (components.top + components.bottom) / 2
    inside = np.zeros(len(components.area), bool)
    for box in pictures:
        inside |= (across >= box.left) & (across < box.right) & (down >= box.top) & (down < box.bottom)
    return inside


def _place(polygon: Floats, slope: float, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Take a polygon back to the page as it was before `shear`."""
    width, height = size
    across = np.clip(polygon[:, 0], 0, width)
    down = np.clip(polygon[:, 1] + slope * (across - width / 2), 0, height)
    return tuple(zip(np.rint(across).astype(int).tolist(), np.rint(down).astype(int).tolist(), strict=True))
