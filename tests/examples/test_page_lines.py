"""The worker of the demo, on pages whose lines are known."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from layout import PageLayout

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "examples" / "page_lines" / "pages"


def look_at(image: Image.Image, columns: int = 2) -> PageLayout:
    from layout import find_layout

    return find_layout(image, contrast=0.35, smallest=5, columns=columns)


def blank(width: int = 800, height: int = 600) -> Image.Image:
    return Image.new("RGB", (width, height), (235, 220, 190))


def write(image: Image.Image, left: int, right: int, top: int, lines: int, *, colour: str = "black") -> None:
    """Draw made-up words: letters of 8 by 12 pixels, some with a stroke above or below, a line each 32 pixels."""
    draw, chance = ImageDraw.Draw(image), random.Random(7)  # the same words each time
    for line in range(lines):
        across, base = left, top + 32 * line
        while across + 8 <= right:
            above, below = chance.choice([(0, 0), (0, 0), (7, 0), (0, 7)])
            draw.rectangle((across, base, across + 7, base + 11), outline=colour, width=2)
            draw.rectangle((across, base - above, across + 2, base + 11 + below), fill=colour)
            across += 11 if chance.random() < 0.8 else 22


def middles(layout: PageLayout) -> list[int]:
    return [round(float(np.mean([down for _, down in line.polygon]))) for line in layout.lines]


def test_an_empty_page_has_no_lines() -> None:
    """Paper alone is not text."""
    layout = look_at(blank())

    assert (layout.lines, layout.pictures, layout.columns) == ((), (), 0)


def test_a_picture_alone_has_no_lines() -> None:
    """A page without text is not a failure."""
    page = blank()
    ImageDraw.Draw(page).ellipse((200, 100, 600, 500), outline="black", width=40)

    assert look_at(page).lines == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3)])
def test_the_smallest_pages_do_no_harm(size: tuple[int, int]) -> None:
    """An image of hardly any pixels is a page with nothing on it."""
    assert look_at(blank(*size)).lines == ()


def test_noise_is_no_failure() -> None:
    """Ink everywhere gives something or nothing, in reasonable time."""
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)

    assert look_at(Image.fromarray(noise)).width == 400


def test_each_line_is_found_where_it_is() -> None:
    """Ten lines in, ten outlines out, around their letters."""
    page = blank()
    write(page, 100, 700, 100, 10)

    layout = look_at(page)

    assert middles(layout) == pytest.approx([106 + 32 * line for line in range(10)], abs=3)
    assert layout.columns == 1
    assert {min(across for across, _ in line.polygon) for line in layout.lines} == {100}


@pytest.mark.parametrize("angle", [-5.0, -2.0, 3.0, 6.0])
def test_a_sloping_page_is_levelled(angle: float) -> None:
    """A page that was put askew on the scanner has the same lines, and its slope is told."""
    page = blank()
    write(page, 150, 650, 150, 9)

    layout = look_at(page.rotate(-angle, Image.Resampling.BICUBIC, fillcolor=(235, 220, 190)))

    assert len(layout.lines) == 9
    assert layout.slope == pytest.approx(angle, abs=0.3)


def test_columns_are_read_one_after_the_other() -> None:
    """A title across the page comes first, then the left column, then the right one."""
    page = blank()
    write(page, 250, 550, 60, 1)
    write(page, 80, 385, 120, 8)
    write(page, 415, 720, 120, 8)

    layout = look_at(page)

    assert [line.column for line in layout.lines] == [0] + [1] * 8 + [2] * 8
    assert middles(layout)[1] == pytest.approx(middles(layout)[9], abs=3)


def test_one_column_when_no_more_are_looked_for() -> None:
    """The option for the number of columns is obeyed."""
    page = blank()
    write(page, 80, 385, 120, 8)
    write(page, 415, 720, 120, 8)

    assert {line.column for line in look_at(page, columns=1).lines} == {1}


def test_lines_that_bend_are_followed() -> None:
    """Where the page bends into the spine, the outline bends too."""
    page = blank()
    write(page, 100, 700, 100, 10)
    bent = np.asarray(page).copy()
    for across in range(page.width):
        bent[:, across] = np.roll(bent[:, across], round(20 * (across / page.width) ** 2), axis=0)

    layout = look_at(Image.fromarray(bent))
    upper = [line.polygon[: len(line.polygon) // 2] for line in layout.lines]

    assert len(layout.lines) == 10
    assert all(12 <= edge[-1][1] - edge[0][1] <= 22 for edge in upper)


def test_red_ink_counts() -> None:
    """What is printed in red is text like the rest."""
    page = blank()
    write(page, 100, 700, 100, 5)
    write(page, 100, 700, 260, 5, colour="#c0402a")

    assert len(look_at(page).lines) == 10


def test_light_that_falls_off_does_not_matter() -> None:
    """A shadow on one side of the page hides no line and makes none."""
    page = blank()
    write(page, 100, 700, 100, 10)
    light = np.linspace(0.35, 1, page.width)[None, :, None]

    assert len(look_at(Image.fromarray((np.asarray(page) * light).astype(np.uint8))).lines) == 10


def test_a_picture_is_not_read_as_text() -> None:
    """A woodcut beside the lines is told apart from them."""
    page = blank()
    write(page, 300, 700, 100, 10)
    draw = ImageDraw.Draw(page)
    for step in range(0, 180, 12):
        draw.rectangle((100 + step // 3, 100 + step // 3, 260 - step // 3, 300 - step // 3), outline="black", width=3)
    draw.line((100, 100, 260, 300), fill="black", width=3)

    layout = look_at(page)

    assert len(layout.lines) == 10
    assert [(box.left, box.top, box.right, box.bottom) for box in layout.pictures] == [(100, 100, 261, 301)]


def test_components_touch_by_sides_and_corners() -> None:
    """A spiral is one piece however it winds, two squares apart are two."""
    from ink import find_components

    drawing = ["#######", "......#", ".###..#", ".#....#", ".######", ".......", "##...#.", "##..#.."]
    found = find_components(np.array([[character == "#" for character in row] for row in drawing]))

    assert sorted(found.area.tolist()) == [2, 4, 20]


@pytest.mark.parametrize(("name", "lines", "columns", "pictures"), [("breviary", 67, 2, 2), ("sermon", 27, 1, 2)])
def test_the_pages_of_the_demo(name: str, lines: int, columns: int, pictures: int) -> None:
    """Every line of the two old prints is found, counted by eye."""
    with Image.open(PAGES / f"{name}.jpg") as image:
        layout = look_at(image)

    assert (len(layout.lines), layout.columns, len(layout.pictures)) == (lines, columns, pictures)
