"""A small IIIF Image API, versions 2 and 3: crop, resize, mirror, rotate, grey, as JPEG or PNG.

An image without a file is drawn: a page with grey lines, of the right size, so that a corpus needs no scans.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image as Pillow, ImageDraw, ImageOps

from arkworker.emulator.failures import ApiFailureError, missing
from arkworker.errors import ImageError
from arkworker.images import pixels

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Image, Polygon

PREFIX = "/iiif"
FORMATS = {"jpg": ("JPEG", "image/jpeg"), "png": ("PNG", "image/png")}
TILE = 512
LARGEST = 100_000_000  # pixels of one answer
LONGEST_JPEG = 65_500  # pixels of a side


class Request(NamedTuple):
    """The parameters of a IIIF image request, as they stand in its address."""

    region: str
    size: str
    rotation: str
    quality: str
    extension: str


def url(image: Image, site: Site) -> str:
    """The base address of an image."""
    return image.external_url or f"{site.storage_url}{PREFIX}/{site.iiif_version}/{image.id}"


def server(image: Image, site: Site) -> str:
    """The address of the server that an image is on."""
    return url(image, site).rpartition("/")[0]


def crop_url(image: Image, polygon: Polygon, site: Site) -> str:
    """The address of the rectangle around a polygon, in full size."""
    xs, ys = [point[0] for point in polygon], [point[1] for point in polygon]
    left, top = int(min(xs)), int(min(ys))
    region = f"{left},{top},{max(1, round(max(xs)) - left)},{max(1, round(max(ys)) - top)}"
    return f"{url(image, site)}/{region}/{'max' if site.iiif_version == 3 else 'full'}/0/default.jpg"


def information(image: Image, site: Site, version: int) -> dict[str, Any]:
    """The `info.json` of an image."""
    address = f"{site.storage_url}{PREFIX}/{version}/{image.id}"
    tiles = [{"width": TILE, "scaleFactors": [1, 2, 4, 8]}]
    size: dict[str, Any] = {"width": image.width, "height": image.height, "tiles": tiles}
    if site.max_image_size is not None:
        size["maxWidth"], size["maxHeight"] = site.max_image_size
    context = f"http://iiif.io/api/image/{version}/context.json"
    if version == 3:
        service = {"type": "ImageService3", "protocol": "http://iiif.io/api/image", "profile": "level2"}
        return {"@context": context, "id": address, **service, **size}
    profile = ["http://iiif.io/api/image/2/level2.json"]
    return {"@context": context, "@id": address, "protocol": "http://iiif.io/api/image", "profile": profile, **size}


def render(image: Image, request: Request, site: Site) -> tuple[bytes, str]:
    """The bytes and the content type that a request asks for.

    Raises:
        ApiFailureError: 400 for a request that is malformed, or larger than this server gives; 404 without pixels.
    """
    if request.extension not in FORMATS:
        raise _refuse("format")
    left, top, right, bottom = _region(request.region, image.width, image.height)
    width, height = _size(request.size, right - left, bottom - top)
    if width * height > LARGEST:
        raise _refuse("size")
    if site.max_image_size and (width > site.max_image_size[0] or height > site.max_image_size[1]):
        raise _refuse("size: larger than this server gives")
    picture = _open(image)
    if (box := (left, top, right, bottom)) != (0, 0, *picture.size):
        picture = picture.crop(box)  # of a large box, Pillow 10 warns
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Pillow.Resampling.LANCZOS)
    picture = _quality(_rotate(picture, request.rotation), request.quality)
    name, content_type = FORMATS[request.extension]
    if name == "JPEG" and max(picture.size) > LONGEST_JPEG:
        raise _refuse("format: a JPEG cannot be so long")
    buffer = io.BytesIO()
    picture.save(buffer, name)
    return buffer.getvalue(), content_type


def measure(file: str | Path) -> tuple[int, int]:
    """The width and the height of an image file, upright.

    Raises:
        OSError: It is not an image, or cannot be read.
    """
    try:
        return pixels.measure(file)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise about anything on a damaged file
        raise OSError(f"it is a damaged image ({type(error).__name__})") from None


def store(image: Image, path: Path) -> None:
    """Have the image as a file at `path`: a drawn one becomes a JPEG, any other is there, or is linked."""
    if path.exists():
        return
    if image.file:
        path.symlink_to(image.file)
    else:
        draw(image.width, image.height).save(path, "JPEG")


def _open(image: Image) -> Pillow.Image:
    if not image.file:
        return draw(image.width, image.height)
    try:
        with image.file.open("rb") as file:
            return pixels.decode(file, str(image.file), None)
    except (OSError, ImageError):
        raise missing("The file of this image cannot be read.") from None


def draw(width: int, height: int) -> Pillow.Image:
    """A page with a margin and grey lines."""
    page = Pillow.new("RGB", (width, height), (244, 238, 224))
    pen = ImageDraw.Draw(page)
    margin, step = width // 10, max(8, height // 24)
    for number, top in enumerate(range(2 * step, height - 2 * step, step)):
        right = width - margin - (number * 37 % 5) * width // 20
        pen.rectangle((margin, top, max(margin, right), top + step // 3), fill=(120, 108, 92))
    return page


def _region(text: str, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is asked for, inside of the image."""
    if text == "full":
        return 0, 0, width, height
    if text == "square":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
    percent = text.startswith("pct:")
    values = _numbers(text.removeprefix("pct:"), 4, "region")
    if percent:
        values = [v * (height if i % 2 else width) / 100 for i, v in enumerate(values)]
    left, top = int(values[0]), int(values[1])
    # What lies outside of the image is left out; a region with nothing inside is an error.
    right, bottom = min(round(values[0] + values[2]), width), min(round(values[1] + values[3]), height)
    if right <= left or bottom <= top:
        raise _refuse("region")
    return left, top, right, bottom


def _size(text: str, full_width: int, full_height: int) -> tuple[int, int]:
    text = text.removeprefix("^")
    if text in ("full", "max"):
        return full_width, full_height
    if text.startswith("pct:"):
        (share,) = _numbers(text[4:], 1, "size")
        return max(1, round(full_width * share / 100)), max(1, round(full_height * share / 100))
    match = re.fullmatch(r"(!?)(\d{0,5}),(\d{0,5})", text)
    if match is None or not (match[2] or match[3]):
        raise _refuse("size")
    width, height = int(match[2] or 0), int(match[3] or 0)
    if match[1]:
        scale = min(width / full_width, height / full_height)
        width, height = round(full_width * scale), round(full_height * scale)
    width = width or round(full_width * height / full_height)
    height = height or round(full_height * width / full_width)
    return max(1, width), max(1, height)


def _rotate(picture: Pillow.Image, text: str) -> Pillow.Image:
    if text.startswith("!"):
        picture = ImageOps.mirror(picture)
    (angle,) = _numbers(text.removeprefix("!"), 1, "rotation")
    if angle > 360:
        raise _refuse("rotation")
    return picture.rotate(-angle, expand=True) if angle % 360 else picture


def _quality(picture: Pillow.Image, text: str) -> Pillow.Image:
    if text in ("default", "color"):
        return picture
    if text == "gray":
        return picture.convert("L")
    if text == "bitonal":
        return picture.convert("1")
    raise _refuse("quality")


def _numbers(text: str, count: int, part: str) -> list[float]:
    pieces = text.split(",")
    if len(pieces) != count or not all(re.fullmatch(r"\d{1,7}(\.\d{1,7})?", piece, re.ASCII) for piece in pieces):
        raise _refuse(part)
    return [float(piece) for piece in pieces]


def _refuse(part: str) -> ApiFailureError:
    return ApiFailureError(400, [((part.partition(":")[0],), "invalid", f"Bad IIIF {part}.")])
