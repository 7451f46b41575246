"""Local image files as elements: what `RetrieveElement` would answer if they were on Arkindex."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, NoReturn
from uuid import NAMESPACE_URL, uuid5

from arkworker.text import printable

logger = logging.getLogger("arkworker.images")

TYPE = "page"
#: What the names of image files end in, in a folder that may hold other files: all formats that can be opened.
IMAGES = frozenset({
    ".avif", ".bmp", ".gif", ".j2k", ".jp2", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
})  # fmt: skip


def image_files(path: Path) -> list[Path]:
    """The file itself; or the images in a folder, by their names, and then those in each folder in it.

    Hidden files and folders are left out, and links to folders are not followed.

    Raises:
        OSError: A folder cannot be read.
    """
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(names) if not name.startswith(".") and is_image_name(name)]
    return found


def is_image_name(name: str) -> bool:
    """Whether a file of that name should be an image."""
    return Path(name).suffix.lower() in IMAGES


def _raise(error: OSError) -> NoReturn:
    raise error


def describe_file(path: Path) -> tuple[str, dict[str, Any]]:
    """The id and the answer for an image file: the same id each time, and the whole image as a page.

    Of a file that is not an image, the size is unknown; opening it says why. Of one with several pages, a warning says
    that only the first is opened.
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
        from arkworker.images.pixels import measure_with_pages  # it imports Pillow, which is an extra

        size, has_more = measure_with_pages(path)
    except Exception:  # noqa: BLE001 - Pillow's readers raise about anything on a damaged file
        return None
    if has_more:
        told = "%s holds several pages, and only the first is opened: save each in a file of its own"
        logger.warning(told, printable(str(path)))
    return size
