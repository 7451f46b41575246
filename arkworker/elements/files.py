"""Image files at a desk as elements: what `RetrieveElement` would answer, were they on Arkindex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from pathlib import Path

TYPE = "page"


def describe_file(path: Path) -> tuple[str, dict[str, Any]]:
    """The id and the answer for an image file: the same id each time, and the whole image as a page.

    Of a file that is not an image, the size is unknown; opening it says why.
    """
    place = path.absolute()
    identifier = str(uuid5(NAMESPACE_URL, place.as_uri()))
    image: dict[str, Any] = {"url": str(place), "path": path.name}
    polygon: list[list[int]] = []
    if size := _measure(path):
        width, height = size
        image |= {"width": width, "height": height}
        polygon = [[0, 0], [0, height], [width, height], [width, 0], [0, 0]]
    return identifier, {
        "id": identifier,
        "type": TYPE,
        "name": path.stem,
        "zone": {"polygon": polygon, "image": image},
    }


def _measure(path: Path) -> tuple[int, int] | None:
    try:
        from arkworker.images.pixels import measure  # it imports Pillow, which is an extra

        return measure(path)
    except Exception:  # noqa: BLE001 - Pillow's readers raise about anything on a damaged file
        return None
