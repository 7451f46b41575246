"""Putting images together from tiles."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from arkworker.errors import ImageError
from arkworker.geometry import PixelBox
from arkworker.images.tiles import SIDE_BY_SIDE, TiledImage, assemble, read_information

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

INFORMATION = {"@id": "x", "width": 300, "height": 200, "tiles": [{"width": 64}]}


def png(image: Image.Image) -> io.BytesIO:
    body = io.BytesIO()
    image.save(body, format="PNG")
    body.seek(0)
    return body


class Server:
    """Gives the tiles of an image, each a few pixels larger or smaller than asked when told so."""

    def __init__(self, image: Image.Image, information: Any = INFORMATION, excess: int = 0) -> None:
        self.image, self.information, self.excess = image, information, excess
        self.asked: list[str] = []

    def download(self, url: str) -> io.BytesIO:
        path = url.removeprefix("http://x/page/")
        self.asked.append(path)
        if path == "info.json":
            return io.BytesIO(json.dumps(self.information).encode())
        x, y, width, height = (int(part) for part in path.split("/")[0].split(","))
        return png(self.image.crop((x, y, x + width + self.excess, y + height + self.excess)))

    def assemble(self, box: PixelBox | None = None, limit: int | None = None) -> Image.Image:
        return assemble("http://x/page", box, self.download, declared=(300, 200), limit=limit)


@pytest.mark.parametrize("box", [PixelBox(280, 0, 100, 100), PixelBox(0, 150, 10, 51)])
def test_a_box_beyond_an_image_of_unknown_size(box: PixelBox, drawing: Callable[[int, int], Image.Image]) -> None:
    """It is refused, where Arkindex could not cut the box: there is nothing but black beyond the image."""
    server = Server(drawing(300, 200))

    with pytest.raises(ImageError, match="its polygon reaches beyond the image of 300 by 200 pixels"):
        assemble("http://x/page", box, server.download, declared=None, limit=None)
    assert server.asked == ["info.json"]


@given(st.integers(0, 299), st.integers(0, 199), st.data())
def test_tiles_cover_the_box_once(x: int, y: int, data: st.DataObject) -> None:
    """And no more than the tiles that it touches are asked for."""
    box = PixelBox(x, y, data.draw(st.integers(1, 300 - x)), data.draw(st.integers(1, 200 - y)))
    tiled = TiledImage(300, 200, data.draw(st.integers(1, 80)), data.draw(st.integers(1, 80)), "full")
    tiles = list(tiled.tiles(box))
    overlaps = [
        (min(t.x + t.width, x + box.width) - max(t.x, x)) * (min(t.y + t.height, y + box.height) - max(t.y, y))
        for t in tiles
    ]

    assert (min(overlaps) > 0, sum(overlaps)) == (True, box.width * box.height)
    assert len(tiles) == tiled.count(box)


@pytest.mark.parametrize("box", [None, PixelBox(0, 0, 300, 200), PixelBox(10, 20, 100, 70), PixelBox(64, 64, 64, 64)])
def test_the_pixels_are_those_of_the_image(box: PixelBox | None, drawing: Callable[[int, int], Image.Image]) -> None:
    """For the whole of it and for parts."""
    image = drawing(300, 200)
    x, y, width, height = box or (0, 0, 300, 200)

    assert Server(image).assemble(box).tobytes() == image.crop((x, y, x + width, y + height)).tobytes()


def test_tiles_are_fetched_side_by_side(drawing: Callable[[int, int], Image.Image]) -> None:
    """Every request waits here until so many others are under way."""
    server, barrier = Server(drawing(256, 128), {**INFORMATION, "width": 256, "height": 128}), threading.Barrier(4)

    def download(url: str) -> io.BytesIO:
        if not url.endswith("info.json"):
            barrier.wait(timeout=20)
        return server.download(url)

    assemble("http://x/page", None, download, declared=None, limit=None)

    assert (len(server.asked), SIDE_BY_SIDE) == (9, 4)


def test_a_failing_tile_ends_the_others(drawing: Callable[[int, int], Image.Image]) -> None:
    """Its error is raised, and what has not begun is not asked for."""
    server = Server(drawing(300, 200), {**INFORMATION, "tiles": [{"width": 10}]})

    def download(url: str) -> io.BytesIO:
        body = server.download(url)
        if not url.endswith("info.json"):
            raise ImageError("no tile", 404)
        return body

    with pytest.raises(ImageError, match="no tile"):
        assemble("http://x/page", None, download, declared=None, limit=None)
    assert len(server.asked) <= 1 + SIDE_BY_SIDE


def test_a_tile_that_is_a_little_too_large_is_cut(
    drawing: Callable[[int, int], Image.Image], caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, as some servers round."""
    image = drawing(300, 200)

    assert Server(image, excess=2).assemble().tobytes() == image.tobytes()
    assert "the excess is cut off" in caplog.text


def test_a_tile_that_is_too_small_is_an_error(drawing: Callable[[int, int], Image.Image]) -> None:
    """It would leave a black gap."""
    with pytest.raises(ImageError, match=r"has \d+ by \d+ pixels instead of \d+ by \d+"):
        Server(drawing(300, 200), excess=-1).assemble()


@pytest.mark.parametrize("tile", [{"width": 64}, {"width": 64, "height": None}, {"width": 64, "height": 64}])
@pytest.mark.parametrize(("key", "size"), [("id", "max"), ("@id", "full")])
def test_the_widest_tiles_are_chosen(tile: Any, key: str, size: str) -> None:
    """Square where no height is given; the size is asked for as the version of IIIF wants it."""
    information = {key: "x", "width": 300, "height": 200, "tiles": [{"width": 16}, tile, {"width": "80"}, 7]}
    body = io.BytesIO(json.dumps(information).encode())

    assert read_information(body, "info.json") == TiledImage(300, 200, 64, 64, size)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b'{"tiles": [], "width": 1, "height": 1}',
        b'{"tiles": {"width": 5}, "width": 1, "height": 1}',
        b'{"tiles": [{"width": 0}], "width": 1, "height": 1}',
        b'{"tiles": [{"width": 5, "height": -5}], "width": 1, "height": 1}',
        b'{"tiles": [{"width": 5}], "width": true, "height": 1}',
        b'{"tiles": [{"width": 5}], "width": 1e3, "height": 1}',
        b'{"tiles": [{"width": 5}], "height": 1}',
        b'{"tiles": [{"width": 5}], "width": 99999999999, "height": 1}',
    ],
)
def test_information_that_makes_no_sense_is_an_error(body: bytes) -> None:
    """One line that names the address."""
    with pytest.raises(ImageError, match=r"^http://x/info\.json"):
        read_information(io.BytesIO(body), "http://x/info.json")


def test_another_image_than_arkindex_knows_is_an_error(drawing: Callable[[int, int], Image.Image]) -> None:
    """Polygons would be at other places."""
    with pytest.raises(ImageError, match="says 600 by 400 pixels, Arkindex 300 by 200"):
        Server(drawing(300, 200), {**INFORMATION, "width": 600, "height": 400}).assemble()


def test_too_many_tiles_are_not_asked_for(drawing: Callable[[int, int], Image.Image]) -> None:
    """A server that says its tiles are one pixel wide is broken, or wants to be asked all day."""
    server = Server(drawing(300, 200), {**INFORMATION, "tiles": [{"width": 1}]})

    with pytest.raises(ImageError, match="60000 tiles are needed"):
        server.assemble()
    assert server.asked == ["info.json"]


def test_the_limit_of_pixels_holds_for_the_whole(drawing: Callable[[int, int], Image.Image]) -> None:
    """Before memory is taken for it."""
    server = Server(drawing(300, 200))

    with pytest.raises(ImageError, match="ARKINDEX_MAX_IMAGE_PIXELS"):
        server.assemble(limit=29_999)
    assert server.asked == ["info.json"]
    assert server.assemble(limit=30_000).size == (300, 200)
