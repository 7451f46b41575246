"""Polygons in the coordinates of an image: x to the right, y downwards, in pixels."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Point: TypeAlias = tuple[float, float]
Polygon: TypeAlias = tuple[Point, ...]

# Far beyond any scan, and near enough for every coordinate to be an exact float.
LARGEST_COORDINATE = 2**31


class BoundingBox(NamedTuple):
    """The smallest upright rectangle around a polygon, in pixels."""

    x: float
    y: float
    width: float
    height: float


class PixelBox(NamedTuple):
    """A rectangle of whole pixels inside an image."""

    x: int
    y: int
    width: int
    height: int

    @property
    def corners(self) -> Polygon:
        right, bottom = self.x + self.width, self.y + self.height
        return ((self.x, self.y), (right, self.y), (right, bottom), (self.x, bottom))

    def fits_in(self, width: int, height: int) -> bool:
        """Whether it lies within an image of this size."""
        return self.x + self.width <= width and self.y + self.height <= height


def scalar(value: Any) -> Any:
    """What an array, a tensor or a number of a library holds, where that is one value, and not a masked one."""
    is_single = getattr(value, "shape", None) == () and callable(getattr(value, "item", None))
    return value.item() if is_single and not getattr(value, "mask", False) else value


def as_polygon(points: Iterable[Any]) -> Polygon:
    """The polygon as a tuple of (x, y), whatever sequences and number types it is made of.

    Raises:
        ValueError: A point is not a pair of finite numbers.
    """
    if isinstance(points, (str, bytes, dict, AbstractSet)):  # what has no order has no outline
        raise ValueError("a polygon should be a list of points")  # noqa: TRY004 -- pydantic and callers expect a value error
    try:
        return tuple(_as_point(number, point) for number, point in enumerate(points, start=1))
    except TypeError:
        raise ValueError("a polygon should be a list of points") from None


def _as_point(number: int, point: Any) -> Point:
    if isinstance(point, (str, bytes, dict, AbstractSet)) or not hasattr(point, "__len__") or len(point) != 2:
        raise ValueError(f"point {number} is not a pair of numbers")
    x, y = point
    return _as_coordinate(number, x), _as_coordinate(number, y)


def _as_coordinate(number: int, value: Any) -> float:
    coordinate: float
    if type(value) is int or type(value) is float:  # almost always; the questions below cost ten times as much
        coordinate = value
    else:
        value = scalar(value)
        if not isinstance(value, (Real, Decimal)) or isinstance(value, bool):
            raise ValueError(f"point {number} is not a pair of numbers")
        coordinate = int(value) if isinstance(value, Integral) else float(value)
    if not -LARGEST_COORDINATE <= coordinate <= LARGEST_COORDINATE:  # also refuses NaN
        raise ValueError(f"point {number} is far out of bounds")
    return coordinate


def bounding_box(polygon: Iterable[Any]) -> BoundingBox:
    """The box around a polygon; integers stay integers.

    Raises:
        ValueError: The polygon has no point, or one that is not a pair of numbers.
    """
    points = as_polygon(polygon)
    if not points:
        raise ValueError("a polygon without points has no bounding box")
    xs, ys = zip(*points, strict=True)
    return BoundingBox(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def pixel_box(polygon: Iterable[Any], image_width: int | None, image_height: int | None) -> PixelBox:
    """The whole pixels that a polygon touches, inside the image as far as its size is known.

    Raises:
        ValueError: Nothing is left: fewer than three points, no area, or all of it outside.
    """
    points = as_polygon(polygon)
    if len(points) < 3:
        raise ValueError(f"its polygon has {len(points)} points, at least 3 are needed")
    xs, ys = zip(*points, strict=True)
    if min(xs) == max(xs) or min(ys) == max(ys):
        raise ValueError("its polygon has no area")
    left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
    right, bottom = math.ceil(max(xs)), math.ceil(max(ys))
    right, bottom = min(right, image_width or right), min(bottom, image_height or bottom)
    if right <= left or bottom <= top:
        raise ValueError("its polygon is entirely outside the image")
    return PixelBox(left, top, right - left, bottom - top)


def trim_polygon(polygon: Iterable[Any], image_width: int, image_height: int) -> Polygon:
    """The polygon with every point moved inside the image: 0 ≤ x ≤ width, 0 ≤ y ≤ height.

    Raises:
        ValueError: Fewer than three points, one that is not a pair of numbers, or all of it outside the image.
    """
    points = as_polygon(polygon)
    if len(points) < 3:
        raise ValueError(f"a polygon has at least 3 points, this one has {len(points)}")
    beyond = not any(x <= image_width and y <= image_height for x, y in points)
    if beyond or not any(x >= 0 and y >= 0 for x, y in points):
        raise ValueError(f"this polygon is entirely outside the image of {image_width} by {image_height}")
    return tuple((min(image_width, max(0, x)), min(image_height, max(0, y))) for x, y in points)
