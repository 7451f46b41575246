"""Files that are no images, or too much of one."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from arkworker.errors import ImageError
from arkworker.images.pixels import decode, measure, pixel_limit

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
    assert failure(body) in {"page is not an image", "page is a damaged or incomplete image (OSError)"}


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


INK, PAPER = (5, 5), (15, 15)


def scan(mode: str, ink: float, paper: float) -> Image.Image:
    """White paper of 20 by 20 with ink in the first quarter."""
    if mode.startswith("I;16"):  # Pillow cannot paste into it
        row = struct.Struct(">H" if mode.endswith("B") else "<H")
        values = [int(ink if x < 10 and y < 10 else paper) for y in range(20) for x in range(20)]
        return Image.frombytes(mode, (20, 20), b"".join(map(row.pack, values)))
    page = Image.new(mode, (20, 20), paper)
    page.paste(ink, (0, 0, 10, 10))
    return page


def opened(image: Image.Image, kind: str, **options: Any) -> Image.Image:
    body = io.BytesIO()
    image.save(body, format=kind, **options)
    return decode(io.BytesIO(body.getvalue()), "page", None)


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (scan("I;16", 3000, 60000), "PNG", {}),
        (scan("I;16", 3000, 60000), "TIFF", {}),
        (scan("I;16B", 3000, 60000), "TIFF", {}),
        (scan("I;16", 3000, 60000), "JPEG2000", {}),
        (scan("I;16", 11 * 16, 234 * 16), "PNG", {}),  # 12 bits
        (scan("I;16B", 11 * 16, 234 * 16), "TIFF", {}),
        (scan("I;16", 11, 234), "PNG", {}),
        (scan("I", 3000, 60000), "PPM", {}),
        (scan("I", 3000, 60000), "TIFF", {}),
        (scan("I", 11, 234), "TIFF", {}),
        (scan("F", 3000 / 65536, 60000 / 65536), "TIFF", {}),
        (scan("F", 11.5, 234.5), "TIFF", {}),
        (scan("F", 3000, 60000), "TIFF", {}),
        (scan("I;16", 62535, 5535), "TIFF", {"tiffinfo": {262: 0}}),  # white is zero
    ],
)
def test_scans_of_many_bits_are_scaled(image: Image.Image, kind: str, options: Any) -> None:
    """As the same scan of 8 bits: neither all white nor all black."""
    page = opened(image, kind, **options)

    assert (page.mode, page.getpixel(INK), page.getpixel(PAPER)) == ("L", 11, 234)


@pytest.mark.parametrize(
    "image", [scan("F", -0.5, 0.5), scan("F", -1e30, 1e30), scan("I", -5, 5), scan("I", 70000, 2_000_000_000)]
)
def test_values_of_no_usual_range_are_stretched(image: Image.Image) -> None:
    """From the least to the greatest."""
    page = opened(image, "TIFF")

    assert (page.getpixel(INK), page.getpixel(PAPER)) == (0, 255)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_do_not_spoil_a_scan(odd: float) -> None:
    """Masked pixels of a float scan."""
    image = scan("F", 3000 / 65536, 60000 / 65536)
    image.putpixel((0, 0), odd)
    page = opened(image, "TIFF")

    assert (page.getpixel(INK), page.getpixel(PAPER)) == (11, 234)


def test_large_unsigned_numbers_are_not_negative() -> None:
    """Pillow reads 32 bits as signed, so that white would be black."""
    body = io.BytesIO()
    scan("I", 3000 << 16, (60000 << 16) - 2**32).save(body, format="TIFF")
    content = body.getvalue().replace(struct.pack("<HHIH", 339, 3, 1, 2), struct.pack("<HHIH", 339, 3, 1, 1))
    page = decode(io.BytesIO(content), "page", None)

    assert (page.getpixel(INK), page.getpixel(PAPER)) == (11, 234)


def transparent(mode: str) -> Image.Image:
    page = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    page.paste((0, 0, 0, 255), (0, 0, 10, 10))
    return page.convert(mode)


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (transparent("RGBA"), "PNG", {}),
        (transparent("RGBA"), "TIFF", {}),
        (transparent("RGBA"), "WEBP", {"lossless": True}),
        (transparent("RGBA"), "GIF", {}),
        (transparent("LA"), "PNG", {}),
        (transparent("P"), "PNG", {}),
        (scan("L", 0, 7), "PNG", {"transparency": 7}),
        (scan("1", 0, 1), "PNG", {"transparency": 1}),
        (scan("CMYK", (0, 0, 0, 255), (0, 0, 0, 0)), "TIFF", {}),  # type: ignore[arg-type] # a colour, too
        (scan("1", 0, 1), "TIFF", {}),
    ],
)
def test_what_is_transparent_is_white(image: Image.Image, kind: str, options: Any) -> None:
    """As on paper; and no mode is left that would shrink badly."""
    page = opened(image, kind, **options)

    assert page.mode in ("L", "RGB")
    assert (page.convert("L").getpixel(INK), page.convert("L").getpixel(PAPER)) == (0, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("tag", range(10))
def test_a_file_is_upright_once(kind: str, tag: int, drawing: Callable[[int, int], Image.Image]) -> None:
    """As Pillow turns it by its note; the note is gone, so that nobody turns it again."""
    exif, body = Image.Exif(), io.BytesIO()
    exif[0x0112] = tag
    drawing(30, 20).save(body, format=kind, exif=exif)
    page = decode(io.BytesIO(body.getvalue()), "page", None)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(body.getvalue())))

    assert (page.size, page.tobytes()) == (upright.size, upright.tobytes())
    assert measure(io.BytesIO(body.getvalue())) == page.size
    assert ImageOps.exif_transpose(page).tobytes() == page.copy().tobytes() == page.tobytes()


@pytest.mark.filterwarnings("error")
def test_an_image_too_large_to_open_can_be_measured(drawing: Callable[[int, int], Image.Image]) -> None:
    """A run that lifts the limit knows the polygon of its page, too."""
    body = io.BytesIO()
    drawing(30, 20).save(body, format="PNG")

    with pixel_limit(10):
        assert measure(io.BytesIO(body.getvalue())) == (30, 20)
        assert Image.MAX_IMAGE_PIXELS == 10


def late_notes(body: bytes) -> bytes:
    """A PNG file with its notes behind the pixels, where ExifTool puts them."""
    start = body.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(body[start : start + 4], "big")
    last = body.index(b"IEND") - 4
    return body[:start] + body[end:last] + body[start:end] + body[last:]


@pytest.mark.parametrize(("place", "frames"), [(bytes, 1), (late_notes, 1), (bytes, 2)])
def test_a_png_is_measured_without_its_pixels(
    place: Callable[[bytes], bytes],
    frames: int,
    drawing: Callable[[int, int], Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may be too many for the memory; the notes that make it upright are found wherever they are."""
    exif, body = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    more = [Image.new("RGB", (30, 20), "white")] * (frames - 1)
    drawing(30, 20).save(body, format="PNG", exif=exif, save_all=frames > 1, append_images=more)
    content = place(body.getvalue())
    assert decode(io.BytesIO(content), "page", None).size == (20, 30)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)

    assert measure(io.BytesIO(content)) == (20, 30)


@pytest.mark.parametrize(("size", "expected"), [((30, 20), (30, 20)), ((20, 30), (20, 30)), ((None, None), (20, 30))])
def test_a_file_of_the_size_that_is_known_stays_as_it_lies(
    size: Any, expected: tuple[int, int], drawing: Callable[[int, int], Image.Image]
) -> None:
    """An image server that obeys no notes has told Arkindex this size, and polygons are drawn on what it gives."""
    exif, body = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    drawing(30, 20).save(body, format="PNG", exif=exif)

    assert decode(io.BytesIO(body.getvalue()), "page", None, size=size).size == expected


def test_what_a_server_gives_is_upright(drawing: Callable[[int, int], Image.Image]) -> None:
    """Some keep the note of the file that they have turned."""
    exif, body = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    drawing(30, 20).save(body, format="PNG", exif=exif)
    page = decode(io.BytesIO(body.getvalue()), "page", None, is_file=False)

    assert (page.size, ImageOps.exif_transpose(page).size) == ((30, 20), (30, 20))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_notes_leave_the_pixels(kind: str) -> None:
    """Whatever is wrong with the orientation, the scan is sound."""
    body = io.BytesIO()
    Image.new("RGB", (30, 20), "white").save(body, format=kind, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert decode(io.BytesIO(body.getvalue()), "page", None).size == (30, 20)
    assert measure(io.BytesIO(body.getvalue())) == (30, 20)


@pytest.mark.parametrize(
    "image", [scan("I;16", 3000, 60000), scan("I", -5, 5), scan("F", 0.1, 0.9), transparent("RGBA"), transparent("LA")]
)
def test_strips_are_converted_as_the_whole(image: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images take the memory of one conversion for some rows at a time."""
    whole = opened(image, "TIFF")
    monkeypatch.setattr("arkworker.images.pixels._STRIP", 50)

    strips = opened(image, "TIFF")

    assert (strips.mode, strips.tobytes()) == (whole.mode, whole.tobytes())
