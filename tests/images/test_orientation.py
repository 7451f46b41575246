"""From the coordinates of a view back to those of the image."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arkworker.geometry import PixelBox
from arkworker.images.orientation import Orientation, apply_orientation, revert_orientation

BOX = PixelBox(10, 20, 100, 50)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (Orientation(0), (10, 20)),
        (Orientation(90), (10, 70)),
        (Orientation(180), (110, 70)),
        (Orientation(270), (110, 20)),
        (Orientation(-90), (110, 20)),
        (Orientation(0, mirrored=True), (110, 20)),
        (Orientation(90, mirrored=True), (110, 70)),
        (Orientation(180, mirrored=True), (10, 70)),
        (Orientation(270, mirrored=True), (10, 20)),
    ],
)
def test_the_corner_of_the_view_is_a_corner_of_the_box(orientation: Orientation, corner: tuple[int, int]) -> None:
    """Which one depends on rotation and mirroring; mirroring comes first."""
    assert revert_orientation([(0, 0), (5, 0), (5, 5)], BOX, orientation)[0] == corner


@given(
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 500),
    st.integers(1, 500),
    st.sampled_from([0, 90, 180, 270, -90, 450, 3690]),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=3, max_size=6, unique=True),
)
def test_right_angles_lose_nothing(
    x: int,
    y: int,
    width: int,
    height: int,
    angle: int,
    mirrored: bool,  # noqa: FBT001 -- drawn
    polygon: list[tuple[int, int]],
) -> None:
    """There and back gives the same polygon, closed."""
    box, orientation = PixelBox(x, y, width, height), Orientation(angle, mirrored)

    there = apply_orientation(polygon, box, orientation)

    assert revert_orientation(there, box, orientation) == (*polygon, polygon[0])


def test_a_closed_polygon_is_not_closed_again() -> None:
    """The last point is the first, once."""
    ring = ((0, 0), (5, 0), (5, 5), (0, 0))

    assert revert_orientation(ring, PixelBox(0, 0, 9, 9), Orientation()) == ring


@pytest.mark.parametrize("polygon", [[], [(0, 0)], [(0, 0), (1, 1)], [(0, 0), (1, 1), (0, 0)]])
def test_fewer_than_three_different_points_are_refused(polygon: list[tuple[int, int]]) -> None:
    """They enclose nothing."""
    with pytest.raises(ValueError, match="at least 3 different points"):
        revert_orientation(polygon, BOX, Orientation())
