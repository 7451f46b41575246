"""Polygons as the cache stores them: JSON text."""

from __future__ import annotations

import json
import math
from typing import Any

Points = list[list[float]]
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder().encode


def write_points(points: Any) -> str | None:
    """The text of a polygon.

    Raises:
        ValueError: It is no list of points [x, y]; the next task would refuse the whole cache.
    """
    if points is None:
        return None
    if not _is_polygon(points):
        raise ValueError("a polygon is a list of points [x, y] with finite coordinates")
    return _encode(points)


def read_points(text: str | None) -> Any:
    """The points of a polygon.

    The published library writes a polygon that it updates as the text of a list, inside a JSON string: read twice.
    """
    value = None if text is None else _decode(text)
    return _decode(value) if isinstance(value, str) else value


def are_points(text: bytes) -> bool:
    """Whether the text is a polygon that can be read: a list of points [x, y], or null."""
    try:
        points = read_points(text.decode())
    except (ValueError, RecursionError):
        return False
    return points is None or _is_polygon(points)


def _is_polygon(points: object) -> bool:
    return isinstance(points, list | tuple) and all(_is_point(point) for point in points)


def _is_point(point: object) -> bool:
    return isinstance(point, list | tuple) and len(point) == 2 and _is_number(point[0]) and _is_number(point[1])


def _is_number(number: object) -> bool:
    return type(number) is int or (isinstance(number, float) and math.isfinite(number))
