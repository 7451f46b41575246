"""Polygons, their boxes, and what is left of them inside an image."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from arkworker.geometry import BoundingBox, PixelBox, as_polygon, bounding_box, pixel_box, trim_polygon


def test_points_become_tuples() -> None:
    """Any sequences and number types make the same polygon; integers stay integers."""
    numpy = pytest.importorskip("numpy")

    assert as_polygon(numpy.array([[1, 2], [3, 4]])) == as_polygon([(1, 2), [3, 4]]) == ((1, 2), (3, 4))
    assert repr(as_polygon(numpy.array([[1, 2]]))) == "((1, 2),)"
    assert repr(as_polygon(numpy.array([[1.5, 2]], dtype="float32"))) == "((1.5, 2.0),)"


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("abc", "a polygon should be a list of points"),
        ({"x": 1}, "a polygon should be a list of points"),
        ({(1, 2), (3, 4)}, "a polygon should be a list of points"),
        ([{1, 2}], "point 1 is not a pair of numbers"),
        ([[Decimal("nan"), 1]], "point 1 is far out of bounds"),
        (12, "a polygon should be a list of points"),
        ([[1, 2], [3]], "point 2 is not a pair of numbers"),
        ([[1, 2, 3]], "point 1 is not a pair of numbers"),
        (["12"], "point 1 is not a pair of numbers"),
        ([[1, "2"]], "point 1 is not a pair of numbers"),
        ([[1, True]], "point 1 is not a pair of numbers"),
        ([[1, None]], "point 1 is not a pair of numbers"),
        ([[1, math.nan]], "point 1 is far out of bounds"),
        ([[math.inf, 1]], "point 1 is far out of bounds"),
        ([[10**400, 1]], "point 1 is far out of bounds"),
    ],
)
def test_what_is_no_polygon_is_refused(points: Any, message: str) -> None:
    """One line says which point is wrong."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        as_polygon(points)


def test_decimal_coordinates() -> None:
    """Numbers of the standard library are numbers."""
    assert as_polygon([(Decimal("0.5"), Fraction(1, 4))]) == ((0.5, 0.25),)


def test_the_bounding_box_keeps_the_kind_of_numbers() -> None:
    """Integers give integers, fractions stay exact."""
    assert repr(bounding_box([[3, 9], [-1, 4], [2, 6]])) == "BoundingBox(x=-1, y=4, width=4, height=5)"
    assert bounding_box([[0.5, 0], [2, 1.25]]) == BoundingBox(0.5, 0, 1.5, 1.25)


def test_nothing_has_no_bounding_box() -> None:
    """A polygon without points is refused."""
    with pytest.raises(ValueError, match="without points"):
        bounding_box([])


@pytest.mark.parametrize(
    ("polygon", "expected"),
    [
        ([[10, 10], [20, 10], [20, 30]], PixelBox(10, 10, 10, 20)),
        ([[10.2, 10.9], [20.1, 10.9], [20.1, 30.5]], PixelBox(10, 10, 11, 21)),
        ([[-5, -7], [20, -7], [20, 30]], PixelBox(0, 0, 20, 30)),
        ([[50, 60], [500, 60], [500, 600]], PixelBox(50, 60, 50, 20)),
        ([[-125.79, 0], [14, 0], [14, 9]], PixelBox(0, 0, 14, 9)),  # 14 is not -125.79 + 139.79, as floats go
    ],
)
def test_the_pixel_box_is_inside_the_image(polygon: Any, expected: PixelBox) -> None:
    """Whole pixels that the polygon touches, cut at the borders of the image."""
    assert pixel_box(polygon, 100, 80) == expected


def test_the_pixel_box_of_an_image_of_unknown_size_is_not_cut_at_the_far_side() -> None:
    """Only negative coordinates are known to be outside."""
    assert pixel_box([[-5, 1], [500, 1], [500, 600]], None, None) == PixelBox(0, 1, 500, 599)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([], "0 points"),
        ([[1, 1], [2, 2]], "2 points"),
        ([[5, 1], [5, 9], [5, 4]], "no area"),
        ([[1, 5], [9, 5], [4, 5]], "no area"),
        ([[200, 1], [300, 1], [300, 9]], "entirely outside"),
        ([[100, 1], [300, 1], [300, 9]], "entirely outside"),
        ([[-9, 1], [0, 1], [0, 9]], "entirely outside"),
    ],
)
def test_a_polygon_that_encloses_nothing_has_no_pixel_box(polygon: Any, message: str) -> None:
    """The reason is in the message."""
    with pytest.raises(ValueError, match=message):
        pixel_box(polygon, 100, 80)


def test_trimming_moves_points_to_the_border() -> None:
    """Each point goes to the nearest place in the image."""
    assert trim_polygon([[-5, 10], [50, -1], [150, 90]], 100, 80) == ((0, 10), (50, 0), (100, 80))


def test_fractions_are_trimmed_as_well() -> None:
    """Models find outlines between pixels."""
    assert trim_polygon([[-0.5, 10.25], [50, 9], [100.5, 80.75]], 100, 80) == ((0, 10.25), (50, 9), (100, 80))


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([[1, 1], [2, 2]], "at least 3 points"),
        ([[1, 1], [2, 2], [3, "4"]], "point 3 is not a pair of numbers"),
        ([[101, 1], [150, 9], [130, 5]], "entirely outside the image of 100 by 80"),
        ([[1, -9], [50, -2], [30, -5]], "entirely outside"),
    ],
)
def test_what_cannot_be_trimmed_is_refused(polygon: Any, message: str) -> None:
    """The reason is in the message."""
    with pytest.raises(ValueError, match=message):
        trim_polygon(polygon, 100, 80)
