"""Projection profiles: how much ink there is along a direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ink import Components, Labels, Mask
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEEPEST = 0.14  # slope, eight degrees


def average(values: NDArray[np.generic], height: float, width: float) -> Floats:
    """The mean over a window around each pixel; outside there is nothing."""
    mean = values.astype(float)
    for axis, length in enumerate((height, width)):
        half = max(0, round(length) // 2)
        around = [(0, 0), (0, 0)]
        around[axis] = (half + 1, half)
        sums = np.cumsum(np.pad(mean, around), axis=axis)
        window = 2 * half + 1
        upper, lower = np.arange(window, sums.shape[axis]), np.arange(sums.shape[axis] - window)
        mean = (sums.take(upper, axis) - sums.take(lower, axis)) / window
    return mean


def find_slope(components: Components, letters: Mask, letter: float) -> float:
    """The slope at which the profile of the page has the sharpest peaks: pixels downwards for each to the right."""
    across = (components.left + components.right)[letters] / 2
    feet = components.bottom[letters].astype(float)
    slopes = np.linspace(-STEEPEST, STEEPEST, 141)
    return float(max(slopes, key=lambda slope: _sharpness(feet - slope * across, letter)))


def _sharpness(feet: Floats, letter: float) -> float:
    profile = np.bincount(((feet - feet.min()) * 4 / letter).astype(int)).astype(float)
    return float(np.square(profile).sum())


def shear(labels: Labels, slope: float) -> Labels:
    """Move the columns of pixels up or down until lines of that slope are level."""
    height, width = labels.shape
    rows = np.arange(height)[:, None] + np.rint(slope * (np.arange(width) - width / 2)).astype(int)
    moved = np.take_along_axis(labels, np.clip(rows, 0, height - 1), axis=0)
    return np.where((rows >= 0) & (rows < height), moved, -1)
