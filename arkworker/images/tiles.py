"""Putting an image together from the tiles of a IIIF server that does not send larger parts."""

from __future__ import annotations

import json
import logging
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event
from typing import IO, TYPE_CHECKING, Any

from PIL import Image

from arkworker.errors import ImageError
from arkworker.geometry import PixelBox
from arkworker.images.iiif import below
from arkworker.images.pixels import check_size, decode
from arkworker.text import presentable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

logger = logging.getLogger("arkworker.images")

SIDE_BY_SIDE = 4  # downloads at a time: kind to the server, and enough to hide the network's latency
MOST_TILES = 10_000
LARGEST_INFORMATION = 2**20


@dataclass(frozen=True)
class TiledImage:
    """What a server says of an image in `info.json`; sizes in pixels."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    size: str  # how the size of a tile is asked for: `max` since IIIF 3, `full` before

    def tiles(self, box: PixelBox) -> Iterator[PixelBox]:
        """The tiles that a box touches, column by column."""
        for x in range(box.x // self.tile_width * self.tile_width, box.x + box.width, self.tile_width):
            for y in range(box.y // self.tile_height * self.tile_height, box.y + box.height, self.tile_height):
                width, height = min(self.tile_width, self.width - x), min(self.tile_height, self.height - y)
                yield PixelBox(x, y, width, height)

    def count(self, box: PixelBox) -> int:
        columns = -(-(box.x % self.tile_width + box.width) // self.tile_width)
        rows = -(-(box.y % self.tile_height + box.height) // self.tile_height)
        return columns * rows


def read_information(body: IO[bytes], shown: str) -> TiledImage:
    """What `info.json` says; the widest tiles, as they need the fewest requests.

    Raises:
        ImageError: It is not what IIIF promises, or offers no tiles.
    """
    try:
        information = json.loads(body.read(LARGEST_INFORMATION))
    except (ValueError, RecursionError):
        raise ImageError(f"{shown} is not the information on an image") from None
    if not isinstance(information, dict):
        raise ImageError(f"{shown} is not the information on an image")
    tile = _widest(information.get("tiles"))
    if tile is None:
        raise ImageError(f"{shown}: the server gives neither the whole image nor tiles")
    sizes = [information.get("width"), information.get("height"), tile["width"], tile.get("height") or tile["width"]]
    if not all(_is_size(value) for value in sizes):
        raise ImageError(f"{shown} has no plausible sizes")
    width, height, tile_width, tile_height = sizes
    return TiledImage(width, height, tile_width, tile_height, "max" if "id" in information else "full")


def _widest(tiles: Any) -> dict[str, Any] | None:
    choices = [tile for tile in tiles if isinstance(tile, dict)] if isinstance(tiles, list) else []
    return max((tile for tile in choices if _is_size(tile.get("width"))), key=lambda tile: tile["width"], default=None)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def assemble(
    base: str,
    box: PixelBox | None,
    download: Callable[[str], IO[bytes]],
    *,
    declared: tuple[int, int] | None,
    limit: int | None,
) -> Image.Image:
    """The pixels of a box, or of the whole image, from tiles.

    Args:
        base: The IIIF address of the image.
        box: None for the whole.
        download: Gives the body at an address; called from several threads.
        declared: The size that Arkindex knows, which the polygons are for.
        limit: The largest image; see `pixel_limit`.

    Raises:
        ImageError: The server has no tiles, or other ones than it says, or another image than Arkindex knows; or the
            box reaches beyond the image.
    """
    address = below(base, "info.json")
    with download(address) as body:
        tiled = read_information(body, presentable(address))
    if declared is not None and declared != (tiled.width, tiled.height):
        sizes = f"{tiled.width} by {tiled.height} pixels, Arkindex {declared[0]} by {declared[1]}"
        raise ImageError(f"{presentable(address)} says {sizes}")
    box = box or PixelBox(0, 0, tiled.width, tiled.height)
    if not box.fits_in(tiled.width, tiled.height):
        raise ImageError(f"its polygon reaches beyond the image of {tiled.width} by {tiled.height} pixels")
    check_size(box.width, box.height, limit)
    if tiled.count(box) > MOST_TILES:
        raise ImageError(f"{presentable(address)}: {tiled.count(box)} tiles are needed, which is too many")

    def fetch(tile: PixelBox) -> tuple[PixelBox, Image.Image]:
        url = below(base, f"{','.join(map(str, tile))}/{tiled.size}/0/default.jpg")
        with download(url) as body:
            image = decode(body, presentable(url), limit, is_file=False)
        return tile, _fitted(image, tile, presentable(url))

    canvas = Image.new("RGB", (box.width, box.height))
    for tile, image in _side_by_side(fetch, tiled.tiles(box)):
        canvas.paste(image, (tile.x - box.x, tile.y - box.y))
    return canvas


def _side_by_side(
    fetch: Callable[[PixelBox], tuple[PixelBox, Image.Image]], tiles: Iterable[PixelBox]
) -> Iterator[tuple[PixelBox, Image.Image]]:
    """The tiles as they arrive; the first that fails ends it."""
    executor = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="arkworker-tiles")
    failed = Event()

    def fetch_unless_failed(tile: PixelBox) -> tuple[PixelBox, Image.Image]:
        if failed.is_set():
            raise CancelledError
        try:
            return fetch(tile)
        except BaseException:
            # Set here, not where the results are read: that thread may be slow to come to it.
            failed.set()
            raise

    try:
        for done in as_completed([executor.submit(fetch_unless_failed, tile) for tile in tiles]):
            if not isinstance(done.exception(), CancelledError):
                yield done.result()
    finally:
        executor.shutdown(cancel_futures=True)


def _fitted(image: Image.Image, tile: PixelBox, shown: str) -> Image.Image:
    """Some servers round: a tile that is a little too large is cut, one that is too small would leave a gap."""
    width, height = image.size
    if width < tile.width or height < tile.height:
        raise ImageError(f"{shown} has {width} by {height} pixels instead of {tile.width} by {tile.height}")
    if image.size == (tile.width, tile.height):
        return image
    logger.warning("%s has %d by %d pixels; the excess is cut off", shown, width, height)
    return image.crop((0, 0, tile.width, tile.height))
