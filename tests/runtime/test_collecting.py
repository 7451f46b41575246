"""What a report is made of: bounded, whatever the number of elements, and outlines where they belong."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from PIL import Image

from arkworker import Child
from arkworker.elements.model import Element
from arkworker.geometry import PixelBox
from arkworker.images.options import ImageOptions, Picture
from arkworker.images.orientation import Orientation
from arkworker.runtime import collecting
from arkworker.runtime.collecting import Collected, Timeline

BOX = [[10, 10], [30, 10], [30, 20], [10, 20]]


def element(number: int) -> Element:
    return Element(id=f"element-{number}", name="x" * 5000, type="page")


def seen(collected: Collected, *, size: tuple[int, int] = (100, 50), options: Any = None, **picture: Any) -> None:
    """An image of the first element has been opened."""
    collected.see(Picture(id="element-0", **picture), options or ImageOptions(), Image.new("RGB", size))


def test_time_is_divided_into_few_stretches() -> None:
    """However long a run is; no element is lost."""
    timeline = Timeline()
    for second in range(10_000):
        timeline.add(float(second), "processed", 1)
    assert len(timeline.bins) <= collecting.MOST_BINS
    assert sum(counts["processed"] for counts in timeline.bins) == 10_000
    assert timeline.seconds * len(timeline.bins) >= 10_000


def test_a_late_element() -> None:
    """Hours without one are stretches, too."""
    timeline = Timeline()
    timeline.add(0.0, "failed", 1)
    timeline.add(1e6, "processed", 2)
    assert (timeline.bins[0]["failed"], timeline.bins[-1]["processed"]) == (1, 2)
    assert len(timeline.bins) <= collecting.MOST_BINS


def test_ten_thousand_elements() -> None:
    """What is kept, and sent to a parent process, does not grow with their number."""
    collected = Collected()
    sizes = []
    for number in range(10_000):
        collected.see(Picture(id=f"element-{number}"), ImageOptions(), Image.new("L", (8, 8)))
        collected.worked([element(number)], [[Child(type="line", polygon=BOX)]], float(number))
        collected.count("processed", 1)
        collected.count_for(number, "processed", 1)
        if number in (100, 9_999):
            sizes.append(len(pickle.dumps(collected.highlights)))
    assert sizes[1] < sizes[0] * 1.1
    assert len(collected.processes) <= collecting.MOST_PROCESSES + 1
    assert [seconds for seconds, _, _ in sorted(collected.highlights.slowest, reverse=True)] == [
        float(number) for number in range(9_999, 9_989, -1)
    ]


def test_outlines_of_a_picture_are_bounded() -> None:
    """So many are drawn, with so many points; the others are counted."""
    collected = Collected()
    seen(collected)
    curve = [[x, x % 7] for x in range(1000)]
    collected.worked([element(0)], [[Child(type="line", polygon=curve)] * 1000], 1.0)
    (shown,) = collected.highlights.thumbnails
    assert (len(shown.outlines), shown.more) == (collecting.MOST_OUTLINES, 1000 - collecting.MOST_OUTLINES)
    assert max(map(len, shown.outlines)) <= collecting.MOST_POINTS + 1


@pytest.mark.parametrize(
    ("size", "picture", "options", "corner"),
    [
        ((100, 50), {}, ImageOptions(), (10, 10)),
        ((50, 50), {"box": PixelBox(5, 5, 50, 50)}, ImageOptions(), (5, 5)),
        ((50, 25), {"box": PixelBox(0, 0, 100, 50)}, ImageOptions(max_width=50), (5, 5)),
        ((50, 100), {"box": PixelBox(0, 0, 100, 50), "orientation": Orientation(90)}, ImageOptions(), (40, 10)),
        (
            (100, 50),
            {"box": PixelBox(0, 0, 100, 50), "orientation": Orientation(90)},
            ImageOptions(rotation_angle=0),
            (10, 10),
        ),
        ((100, 50), {"box": PixelBox(0, 0, 100, 50)}, ImageOptions(mirrored=True), (90, 10)),
    ],
    ids=["whole", "part", "smaller", "turned", "turned back", "mirrored"],
)
def test_outlines_lie_where_they_were_seen(
    size: tuple[int, int], picture: dict[str, Any], options: ImageOptions, corner: tuple[int, int]
) -> None:
    """Whatever part of the image was opened, and however."""
    collected = Collected()
    seen(collected, size=size, options=options, **picture)
    collected.worked([element(0)], [[Child(type="line", polygon=BOX)]], 1.0)
    assert collected.highlights.thumbnails[0].outlines[0][0] == corner


def test_no_outlines_where_they_cannot_be_placed() -> None:
    """A shrunk image of unknown size, or an element on an image of its own."""
    collected = Collected()
    seen(collected, options=ImageOptions(max_width=100))
    collected.worked([element(0)], [[Child(type="line", polygon=BOX)]], 1.0)
    other = Collected()
    seen(other)
    other.worked([element(0)], [[Child(type="line", polygon=BOX, image="11111111-1111-1111-1111-111111111111")]], 1.0)
    assert [shown.outlines for shown in collected.highlights.thumbnails + other.highlights.thumbnails] == [[], []]


def test_large_images_are_not_shrunk() -> None:
    """The work is not held up for a picture."""
    collected = Collected()
    seen(collected, size=(collecting.MOST_PIXELS // 1000 + 1, 1000))
    assert collected.highlights.thumbnails == []


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_image(mode: str) -> None:
    """No mode of Pillow makes an element fail."""
    collected = Collected()
    collected.see(Picture(id="element-0"), ImageOptions(mode=None), Image.new(mode, (400, 20)))
    assert [(shown.width, shown.height) for shown in collected.highlights.thumbnails] == [(320, 16)]


def test_an_image_that_cannot_be_shrunk() -> None:
    """Whatever its methods raise, the code that opened it does not notice."""

    class Odd(Image.Image):
        def resize(self, *_: Any, **__: Any) -> Image.Image:
            raise RuntimeError("no")

    image = Image.new("RGB", (9, 9))
    image.__class__ = Odd
    collected = Collected()
    collected.see(Picture(id="element-0"), ImageOptions(), image)
    assert collected.highlights.thumbnails == []
