"""Whether what Arkindex shows is what was sent; what it rounds, closes or trims does not count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from arkworker.errors import ArkworkerError
from arkworker.geometry import as_polygon, bounding_box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

W = TypeVar("W")
F = TypeVar("F")

PIXELS = 1.5  # that the sides of a box may differ by, after rounding
SMALL = 1e-4  # that stored numbers may differ by, relatively or absolutely


class AmbiguousError(ArkworkerError):
    """Some of what one request created is there, and some is not: it cannot be told what became of it."""


def assign(wanted: Sequence[W], found: Sequence[F], *tests: Callable[[W, F], bool]) -> list[F] | None:
    """For each thing that was sent, the one that is there; None when none of them is. The tests grow laxer.

    Raises:
        AmbiguousError: Some are there. A request is carried out as a whole, or not at all.
    """
    left = list(found)
    chosen: dict[int, F] = {}
    for test in tests:
        for number, one in enumerate(wanted):
            match = (
                next((i for i, other in enumerate(left) if test(one, other)), None) if number not in chosen else None
            )
            if match is not None:
                chosen[number] = left.pop(match)
    if not chosen:
        return None
    if len(chosen) < len(wanted):
        raise AmbiguousError(f"{len(chosen)} of its {len(wanted)} results are on Arkindex, and the others are not")
    return [chosen[number] for number in range(len(wanted))]


def same_text(one: Any, other: Any) -> bool:
    """Equal but for blanks around it, and for how lines end."""
    return _plain(one) == _plain(other)


def _plain(text: Any) -> str:
    return str(text).replace("\r\n", "\n").strip()


def same_number(one: Any, other: Any) -> bool:
    """Equal as stored numbers are; two nulls are."""
    try:
        return math.isclose(float(one), float(other), rel_tol=SMALL, abs_tol=SMALL)
    except (TypeError, ValueError):
        return one is None and other is None


def same_box(one: Any, other: Any) -> bool:
    """Whether two polygons, or nulls, have the same box around them."""
    if not one or not other:
        return not one and not other
    try:
        pairs = zip(_sides(one), _sides(other), strict=True)
    except ValueError:
        return False
    return all(abs(a - b) <= PIXELS for a, b in pairs)


def _sides(polygon: Any) -> tuple[float, float, float, float]:
    box = bounding_box(as_polygon(polygon))
    return box.x, box.y, box.x + box.width, box.y + box.height
