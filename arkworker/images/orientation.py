"""Between the coordinates of an image and those of its mirrored and rotated view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from arkworker.geometry import BoundingBox, PixelBox, Point, Polygon, as_polygon, bounding_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Orientation(NamedTuple):
    """What an image goes through before a worker sees it: mirrored left to right, then turned clockwise.

    Attributes:
        rotation_angle: Degrees.
        mirrored: Whether left and right are exchanged, before the rotation.
    """

    rotation_angle: float = 0
    mirrored: bool = False


UPRIGHT = Orientation()


def apply_orientation(
    polygon: Iterable[Any], box: PixelBox, orientation: Orientation, size: Sequence[float] | None = None
) -> Polygon:
    """A polygon of the whole image, in the coordinates of the oriented view of `box`; a closed ring of integers.

    Args:
        polygon: Its points.
        box: The part of the image that is viewed.
        orientation: How it is viewed.
        size: Width and height of the view, if it is scaled.

    Raises:
        ValueError: The polygon has fewer than three points, or one that is not a pair of numbers; no such size.
    """
    ring = _closed(polygon)
    centre, (left, top, width, height) = _centre(box), _view(box, orientation)
    across, down = _scale((width, height), size)
    if orientation.mirrored:
        ring = [_mirror(point, centre) for point in ring]
    if orientation.rotation_angle:
        ring = [_rotate(point, orientation.rotation_angle, centre) for point in ring]
    return tuple((int((x - left) / across), int((y - top) / down)) for x, y in ring)


def revert_orientation(
    polygon: Iterable[Any], box: PixelBox, orientation: Orientation, size: Sequence[float] | None = None
) -> Polygon:
    """A polygon found on the oriented view of `box`, in the coordinates of the whole image; a closed ring of integers.

    Args:
        polygon: Its points.
        box: The part of the image that was viewed.
        orientation: How it was viewed.
        size: Width and height of the view, if it was scaled.

    Raises:
        ValueError: The polygon has fewer than three points, or one that is not a pair of numbers; no such size.
    """
    centre, (left, top, width, height) = _centre(box), _view(box, orientation)
    across, down = _scale((width, height), size)
    ring = [(x * across + left, y * down + top) for x, y in _closed(polygon)]
    if orientation.rotation_angle:
        ring = [_rotate(point, -orientation.rotation_angle, centre) for point in ring]
    if orientation.mirrored:
        ring = [_mirror(point, centre) for point in ring]
    return tuple((int(x), int(y)) for x, y in ring)


def _closed(polygon: Iterable[Any]) -> list[Point]:
    ring = list(as_polygon(polygon))
    if ring and ring[0] != ring[-1]:
        ring.append(ring[0])
    if len(ring) < 4:
        raise ValueError("a polygon has at least 3 different points")
    return ring


def _centre(box: PixelBox) -> Point:
    return (box.x + box.width + box.x) / 2.0, (box.y + box.height + box.y) / 2.0


def _view(box: PixelBox, orientation: Orientation) -> BoundingBox:
    """Where the view is, and how large before it is scaled: a turned rectangle takes another place."""
    return bounding_box(_rotate(point, orientation.rotation_angle, _centre(box)) for point in box.corners)


def _scale(whole: Point, size: Sequence[float] | None) -> Point:
    """How many pixels of the image one of the view is, across and down."""
    if size is None:
        return 1, 1
    if len(size) != 2 or not all(side > 0 for side in size):
        raise ValueError(f"{size!r} is not the width and height of an image")
    return whole[0] / size[0], whole[1] / size[1]


def _mirror(point: Point, centre: Point) -> Point:
    return 2 * centre[0] - point[0], point[1]


def _rotate(point: Point, angle: float, centre: Point) -> Point:
    """Clockwise on the screen, as y grows downwards."""
    radians = angle % 360 * math.pi / 180.0
    cosine, sine = _exact(math.cos(radians)), _exact(math.sin(radians))
    (x, y), (x0, y0) = point, centre
    return (
        cosine * x - sine * y + (x0 - x0 * cosine + y0 * sine),
        sine * x + cosine * y + (y0 - x0 * sine - y0 * cosine),
    )


def _exact(ratio: float) -> float:
    """Right angles must leave whole pixels whole: what is zero up to the rounding of π is zero."""
    return 0.0 if abs(ratio) < 2.5e-16 else ratio
