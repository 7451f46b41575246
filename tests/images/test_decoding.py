"""Files that are no images, or too much of one."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from arkworker.errors import ImageError
from arkworker.images.decoding import decode, pixel_limit

if TYPE_CHECKING:
    from collections.abc import Callable


def saved(image: Image.Image, kind: str) -> bytes:
    body = io.BytesIO()
    image.save(body, format=kind)
    return body.getvalue()


def failure(body: bytes, limit: int | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        decode(io.BytesIO(body), "page", limit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def png_of_size(width: int, height: int) -> bytes:
    """A valid start of a large image, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP", "PPM"])
def test_formats_of_scans_are_opened(kind: str) -> None:
    """And are in memory at once: the file may be closed."""
    file = io.BytesIO(saved(Image.new("RGB", (30, 20), "red"), kind))
    image = decode(file, "page", None)
    file.close()

    assert (image.size, image.convert("RGB").getpixel((0, 0))[0] > 250) == ((30, 20), True)  # type: ignore[index]


@pytest.mark.parametrize("body", [b"", b"<html>no such image</html>", b"\0" * 1000, b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_an_error(body: bytes) -> None:
    """An error page, an empty file."""
    assert failure(body) in {"page is no image", "page is a damaged or incomplete image (OSError)"}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP", "PPM"])
def test_a_cut_image_is_an_error(kind: str, drawing: Callable[[int, int], Image.Image]) -> None:
    """Never half a page with grey below."""
    body = saved(drawing(60, 60), kind)

    assert failure(body[: len(body) // 2]).startswith("page is")


def test_any_damage_is_an_error_or_an_image(drawing: Callable[[int, int], Image.Image]) -> None:
    """Whatever byte is wrong, nothing else escapes."""
    for kind in ("PNG", "TIFF", "JPEG", "GIF", "WEBP"):
        body = bytearray(saved(drawing(8, 8), kind))
        for place in range(0, len(body), 7):
            damaged = body.copy()
            damaged[place] ^= 0xFF
            try:
                decode(io.BytesIO(bytes(damaged)), "page", 10_000)
            except ImageError as error:
                assert str(error).startswith("page")  # noqa: PT017 -- either is right


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """A hundred bytes that claim to be ten thousand million pixels."""
    assert "ARKINDEX_MAX_IMAGE_PIXELS" in failure(png_of_size(100_000, 100_000))


def test_the_limit_can_be_lowered(recwarn: pytest.WarningsRecorder) -> None:
    """As Pillow's: refused beyond twice the limit."""
    body = saved(Image.new("L", (30, 20)), "PNG")

    assert "ARKINDEX_MAX_IMAGE_PIXELS" in failure(body, 299)
    assert decode(io.BytesIO(body), "page", 600).size == (30, 20)
    assert list(recwarn) == []


def test_the_limit_can_be_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 0; and Pillow has its own again afterwards."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    body = saved(Image.new("L", (30, 20)), "PNG")

    assert decode(io.BytesIO(body), "page", 0).size == (30, 20)
    assert Image.MAX_IMAGE_PIXELS == 10
    assert "ARKINDEX_MAX_IMAGE_PIXELS" in failure(body)


def test_pillows_limit_comes_back_after_an_error() -> None:
    """Other code in the process relies on it."""
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ZeroDivisionError), pixel_limit(5):
        _ = 1 / 0

    assert before == Image.MAX_IMAGE_PIXELS


def test_formats_that_start_programs_are_refused() -> None:
    """PostScript would be run by an interpreter."""
    body = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n"

    assert failure(body) == "page: images of format EPS are not opened"
