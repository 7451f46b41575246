"""A picture of a page with what was found drawn on it."""

from __future__ import annotations

from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layout import PageLayout, TextLine

    Colour = tuple[int, int, int]

# Neighbouring lines differ, and for every eye.
LINE_COLOURS = ((0, 90, 181), (220, 80, 0))
PICTURE_COLOUR = (0, 125, 80)
PALER = 0.2  # the page, so that what is drawn stands out
LEAST_HEIGHT = 1300  # smaller pages are enlarged, for the numbers to be readable


def draw_layout(image: Image.Image, layout: PageLayout) -> Image.Image:
    """Draw the lines, numbered in reading order, and the boxes of the pictures over the page."""
    scale = max(1, -(-LEAST_HEIGHT // image.height))
    page = image.convert("RGB").resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
    page = Image.blend(page, Image.new("RGB", page.size, "white"), PALER)
    draw = ImageDraw.Draw(page, "RGBA")
    for box in layout.pictures:
        corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
        _draw_outline(draw, _enlarge(corners, scale), PICTURE_COLOUR, thickness=5)
    _draw_lines(draw, layout.lines, scale)
    return page


def _draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[TextLine], scale: int) -> None:
    if not lines:
        return
    # The height of a usual line, for all numbers alike.
    font = ImageFont.load_default(0.45 * scale * median(line.polygon[-1][1] - line.polygon[0][1] for line in lines))
    for number, (line, colour) in enumerate(zip(lines, cycle(LINE_COLOURS), strict=False), start=1):
        points = _enlarge(line.polygon, scale)
        _draw_outline(draw, points, colour, thickness=2)
        place = (points[0][0] - 6, (points[0][1] + points[-1][1]) / 2)
        draw.text(place, str(number), (*colour, 255), font, anchor="rm", stroke_width=3, stroke_fill="white")


def _enlarge(points: Sequence[tuple[int, int]], scale: int) -> list[tuple[int, int]]:
    return [(across * scale, down * scale) for across, down in points]


def _draw_outline(
    draw: ImageDraw.ImageDraw, points: Sequence[tuple[int, int]], colour: Colour, *, thickness: int
) -> None:
    draw.polygon(points, fill=(*colour, 30))
    draw.line([*points, points[0]], fill=(*colour, 255), width=thickness, joint="curve")
