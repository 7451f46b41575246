"""Where the ink of a page is, and which of it belongs to pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Labels = NDArray[np.int64]

# Paper is estimated on a page this many times smaller, as the brightest of some such pixels around.
PAPER_SCALE = 8
PAPER_WINDOW = 7


def find_ink(image: Image.Image, contrast: float) -> Mask:
    """Tell ink from paper, whatever the light and the colour of either.

    Args:
        image: The page.
        contrast: How much darker than the paper around it ink is, in its darkest colour channel: 0 to 1. Red ink is
            dark in green and blue, and as black as black there.
    """
    channels = [np.asarray(channel, np.float32) / _paper(channel) for channel in image.convert("RGB").split()]
    darkest: NDArray[np.float32] = np.min(channels, axis=0)
    return darkest < 1 - contrast


def _paper(channel: Image.Image) -> NDArray[np.float32]:
    """What the channel would be with no ink on it."""
    small = channel.resize([max(1, side // PAPER_SCALE) for side in channel.size], Image.Resampling.BOX)
    small = small.filter(ImageFilter.MaxFilter(PAPER_WINDOW)).filter(ImageFilter.GaussianBlur(PAPER_WINDOW / 2))
    return np.maximum(np.asarray(small.resize(channel.size, Image.Resampling.BICUBIC), np.float32), 1)


@dataclass(frozen=True, eq=False)
class Components:
    """The connected parts of a mask, numbered from 0; letters, mostly.

    Attributes:
        labels: For each pixel the number of its component, -1 outside.
        left, top, right, bottom: For each component its box; right and bottom are outside of it.
        area: For each component its pixels.
    """

    labels: Labels
    left: Labels
    top: Labels
    right: Labels
    bottom: Labels
    area: Labels

    @property
    def width(self) -> Labels:
        return self.right - self.left

    @property
    def height(self) -> Labels:
        return self.bottom - self.top

    def mask(self, keep: Mask) -> Mask:
        """The pixels of the components to keep."""
        kept: Mask = np.append(keep, np.False_)[self.labels]  # label -1 is the last
        return kept


def find_components(mask: Mask) -> Components:
    """Find the parts connected by sides or corners, as runs of pixels that touch runs of the row below."""
    rows, starts, ends = _find_runs(mask)
    # Two more, so that the end of a row touches no start of the next.
    numbers = _number_runs(rows, starts, ends, mask.shape[1] + 2)
    count = int(numbers.max(initial=-1)) + 1
    left, top = np.full(count, mask.shape[1]), np.full(count, mask.shape[0])
    right, bottom = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(left, numbers, starts)
    np.minimum.at(top, numbers, rows)
    np.maximum.at(right, numbers, ends)
    np.maximum.at(bottom, numbers, rows + 1)
    labels = np.full(mask.shape, -1)
    labels[mask] = np.repeat(numbers, ends - starts)
    return Components(labels, left, top, right, bottom, np.bincount(numbers, ends - starts, count).astype(np.int64))


def _find_runs(mask: Mask) -> tuple[Labels, Labels, Labels]:
    """The row, the start and the end of each horizontal run of a mask."""
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    return rows, starts, np.nonzero(steps == -1)[1]


def _number_runs(rows: Labels, starts: Labels, ends: Labels, stride: int) -> Labels:
    """The component of each run: of two that touch the smaller number wins, until nothing changes."""
    upper, lower = _find_touching(rows * stride + starts, rows * stride + ends, stride)
    numbers = np.arange(len(rows))
    while True:
        before = numbers.copy()
        smallest = np.minimum(before[upper], before[lower])
        np.minimum.at(numbers, before[upper], smallest)
        np.minimum.at(numbers, before[lower], smallest)
        while not np.array_equal(numbers, numbers[numbers]):
            numbers = numbers[numbers]
        if np.array_equal(numbers, before):
            return np.unique(numbers, return_inverse=True)[1].reshape(-1)


def _find_touching(starts: Labels, ends: Labels, stride: int) -> tuple[Labels, Labels]:
    """Pairs of runs of neighbouring rows that touch; positions count through the page, `stride` to a row."""
    first = np.searchsorted(ends, starts + stride, "left")
    counts = np.maximum(np.searchsorted(starts, ends + stride, "right") - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    return upper, np.repeat(first, counts) + within


def find_pictures(components: Components, letter: float) -> list[Box]:
    """The boxes of woodcuts and large initials: well filled, and of more than four letters' height.

    Args:
        components: The ink of the page.
        letter: The usual height of a letter, in pixels.
    """
    box_area = components.width * components.height
    large = (components.height > 4 * letter) & (components.width > 2.5 * letter) & (components.area > 0.1 * box_area)
    boxes: list[Box] = []
    for number in np.flatnonzero(large):
        box = _solid_box(components, int(number))
        for part in [other for other in boxes if other.meets(box)]:
            boxes.remove(part)
            box = box.join(part)
        boxes.append(box)
    return boxes


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; right and bottom are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def join(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def _solid_box(components: Components, number: int) -> Box:
    """The box of a picture, without the letters that touch it: they are narrow in one direction."""
    left, top = int(components.left[number]), int(components.top[number])
    part = components.labels[top : components.bottom[number], left : components.right[number]] == number
    rows = np.flatnonzero(_extent(part) > 0.25 * part.shape[1])
    columns = np.flatnonzero(_extent(part.T) > 0.25 * part.shape[0])
    return Box(left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)


def _extent(part: Mask) -> Labels:
    """For each row the distance from its first to its last pixel."""
    length = part.shape[1] - part.argmax(axis=1) - part[:, ::-1].argmax(axis=1)
    return np.where(part.any(axis=1), length, 0)
