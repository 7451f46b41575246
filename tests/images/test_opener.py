"""Where the pixels of an element come from, and what happens when a place fails."""

from __future__ import annotations

import io
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from arkworker.elements.model import Element
from arkworker.errors import ApiUnavailableError, ConfigurationError, ImageError
from arkworker.images.download import Downloader
from arkworker.images.opener import ImageOpener, _opener_of, default_opener

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT = 300, 200
WHOLE = [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]
PART = [[10, 20], [110, 20], [110, 90], [10, 90]]


class FakeClock:
    def now(self) -> float:
        return 0

    def sleep(self, seconds: float) -> None:
        """Waits no time at all."""


@pytest.fixture
def page(server: Any, drawing: Callable[[int, int], Image.Image]) -> Image.Image:
    """The image that the server has."""
    image = drawing(WIDTH, HEIGHT)
    server.images["page"] = image
    return image


def answer(server: Any, polygon: Any = WHOLE, *, s3: str | None = None, **values: Any) -> dict[str, Any]:
    image = {"url": f"{server.url}/iiif/page", "width": WIDTH, "height": HEIGHT, **values.pop("image", {})}
    if s3 is not None:
        image["s3_url"] = f"{server.url}/s3/page?signature={s3}"
    return {"id": "x", "zone": {"polygon": polygon, "image": image}, **values}


def bound(payload: dict[str, Any], **options: Any) -> Element:
    return Element.from_api(payload).bind(ImageOpener(Downloader(clock=FakeClock()).get, **options))


def test_a_part_is_asked_of_the_server(server: Any, page: Image.Image) -> None:
    """Without an address of the zone, it is made from that of the image."""
    assert bound(answer(server, PART)).open_image().tobytes() == page.crop((10, 20, 110, 90)).tobytes()
    assert server.asked == ["/iiif/page/10,20,100,70/full/0/default.jpg"]


@pytest.mark.usefixtures("page")
def test_the_address_of_the_zone_is_preferred(server: Any) -> None:
    """Its region, rotation, quality and query stay; size and format are those asked for."""
    payload = answer(server, PART)
    payload["zone"]["url"] = f"{server.url}/iiif/page/10,20,100,70/full/0/gray.jpg?key=1"
    bound(payload).open_image(max_width=50, extension="png")

    assert server.asked == ["/iiif/page/10,20,100,70/50,/0/gray.png?key=1"]


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("zone_url", ["https://x/y", "", "no address", "http://x/full/full/default.jpg"])
def test_an_address_of_the_zone_that_is_not_iiif_is_not_used(server: Any, zone_url: str) -> None:
    """The image's own is."""
    payload = answer(server, PART)
    payload["zone"]["url"] = zone_url

    assert bound(payload).open_image().size == (100, 70)


def test_the_direct_address_comes_first_for_a_whole_image(server: Any, page: Image.Image) -> None:
    """It spares the image server."""
    assert bound(answer(server, s3="valid")).open_image().tobytes() == page.tobytes()
    assert server.asked == ["/s3/page?signature=valid"]


def test_a_part_of_a_direct_image_is_cropped(server: Any, page: Image.Image) -> None:
    """Where the image server has failed."""
    server.say("/iiif/page/10,20,100,70/full/0/default.jpg", *[{"status": 500}] * 3)
    image = bound(answer(server, PART, s3="valid")).open_image()

    assert image.tobytes() == page.crop((10, 20, 110, 90)).tobytes()


def test_an_expired_address_is_replaced_by_a_fresh_one(server: Any, page: Image.Image) -> None:
    """The API is asked for the element once."""
    ids = []

    def refresh(element_id: str) -> str:
        ids.append(element_id)
        return f"{server.url}/s3/page?signature=valid"

    element = bound(answer(server, s3="expired"), refresh=refresh)

    assert element.open_image().tobytes() == page.tobytes()
    assert (ids, server.asked) == (["x"], ["/s3/page?signature=expired", "/s3/page?signature=valid"])


def unavailable(_id: str) -> str:
    raise ApiUnavailableError("RetrieveElement", "connection refused")


@pytest.mark.parametrize("refresh", [None, unavailable, lambda _id: None, lambda _id: ""])
def test_without_a_fresh_address_the_image_server_is_asked(server: Any, page: Image.Image, refresh: Any) -> None:
    """Whether nobody can be asked, or nobody knows."""
    assert bound(answer(server, s3="expired"), refresh=refresh).open_image().tobytes() == page.tobytes()


def test_a_fresh_address_that_fails_too_is_not_replaced_again(server: Any, page: Image.Image) -> None:
    """The image server is asked."""
    element = bound(answer(server, s3="expired"), refresh=lambda _id: f"{server.url}/s3/page?signature=expired2")

    assert element.open_image().tobytes() == page.tobytes()
    assert [path.partition("?")[0] for path in server.asked] == ["/s3/page"] * 2 + [
        "/iiif/page/full/full/0/default.jpg"
    ]


def test_a_direct_image_of_another_size_is_not_trusted(server: Any, page: Image.Image) -> None:
    """It may be stored turned: polygons are for what the image server gives."""
    body = io.BytesIO()
    page.rotate(90, expand=True).save(body, format="PNG")
    server.say("/s3/page", {"body": body.getvalue()})

    assert bound(answer(server, s3="valid")).open_image().tobytes() == page.tobytes()


@pytest.mark.usefixtures("page")
def test_when_everything_fails_one_line_says_so(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The error is the last one, the earlier ones are in the log; no signature is in either."""
    del server.images["page"]
    with pytest.raises(ImageError) as caught:
        bound(answer(server, s3="canary")).open_image()

    refused = f"{server.url}/iiif/page/full/max/0/default.jpg"
    assert str(caught.value) == f"image of element x: the server answers 404 for {refused}"
    assert caught.value.status == 404
    assert caplog.messages == [
        f"image of element x: the server answers 404 for {server.url}/s3/page?…; trying another way"
    ]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"max_width": 150}, (150, 100)),
        ({"max_height": 50}, (75, 50)),
        ({"max_width": 150, "max_height": 20}, (30, 20)),
        ({"max_width": 150, "max_height": 20, "preserve_ratio": False}, (150, 20)),
        ({"max_width": 150, "max_height": 900, "preserve_ratio": False}, (150, 200)),
        ({"max_width": 900}, (300, 200)),
        ({"max_width": 1}, (1, 1)),
    ],
)
@pytest.mark.parametrize("place", ["iiif", "s3", "file", "tiles", "level 0"])
def test_sizes_are_the_same_from_everywhere(
    server: Any, page: Image.Image, tmp_path: Path, place: str, options: Any, size: tuple[int, int]
) -> None:
    """A server that resizes, a direct address, a file, tiles, and a server that knows only the full size."""
    payload = answer(server)
    if place == "s3":
        payload["zone"]["image"] |= {"url": None, "s3_url": f"{server.url}/s3/page?signature=valid"}
    if place == "file":
        page.save(tmp_path / "page.png")
        payload["zone"]["image"]["url"] = str(tmp_path / "page.png")
    if place == "tiles":
        payload["zone"]["image"]["server"] = {"max_width": 20, "max_height": 20}
        server.max_size = 64
    server.refuses_sizes = place == "level 0"

    assert bound(payload, local_files=True).open_image(**options).size == size


@pytest.mark.parametrize("version", [2, 3])
def test_a_server_that_shrinks_unasked_is_asked_for_tiles(server: Any, page: Image.Image, version: int) -> None:
    """Arkindex did not know of its limits."""
    server.version, server.max_size = version, 100
    payload = answer(server, PART, image={"server": {"version": version}})

    assert bound({**payload}).open_image().size == (100, 70)
    assert bound(answer(server, image={"server": {"version": version}})).open_image().tobytes() == page.tobytes()


@pytest.mark.usefixtures("page")
def test_an_image_of_another_scale_is_an_error(server: Any) -> None:
    """Where there are no tiles either: polygons found on it would be wrong, and nobody would see it."""
    server.max_size = 100
    server.say("/iiif/page/info.json", {"status": 404})

    with pytest.raises(ImageError, match=r"answers 404 for .*/info\.json"):
        bound(answer(server)).open_image()
    assert server.asked == ["/iiif/page/full/full/0/default.jpg", "/iiif/page/info.json"]


def test_a_server_that_gives_more_than_asked_is_an_error(server: Any, page: Image.Image) -> None:
    """It ignored the region."""
    body = io.BytesIO()
    page.save(body, format="PNG")
    server.say("/iiif/page/10,20,100,70/full/0/default.jpg", {"body": body.getvalue()})

    with pytest.raises(ImageError, match="answers 300 by 200 pixels for 100 by 70"):
        bound(answer(server, PART)).open_image()


def test_a_polygon_across_the_border_gives_what_is_inside(server: Any, page: Image.Image) -> None:
    """Also with negative coordinates and fractions."""
    polygon = [[-50, -10.5], [40.2, -10.5], [40.2, 30]]

    assert bound(answer(server, polygon)).open_image().tobytes() == page.crop((0, 0, 41, 30)).tobytes()


@pytest.mark.parametrize("angle", [0, 90, 180, 270, 30, 45, 211])
@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_found_on_the_view_is_found_on_the_image(
    server: Any,
    angle: int,
    mirrored: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """A spot of the image is opened, located on the view, and its polygon reverted."""
    image = Image.new("L", (WIDTH, HEIGHT))
    image.paste(255, (60, 50, 70, 60))
    server.images["page"] = image
    element = bound(answer(server, PART, rotation_angle=angle, mirrored=mirrored))
    left, top, right, bottom = (
        element.open_image(mode="L").point(lambda value: 255 * (value > 128)).getbbox() or (0,) * 4
    )
    middle = ((left + right) / 2, (top + bottom) / 2)

    x, y = element.revert_orientation([middle, (left, top), (right, top)])[0]

    assert (abs(x - 65) <= 1, abs(y - 55) <= 1) == (True, True)


@pytest.mark.parametrize("angle", [0, 90, 180, 270, 30])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("limits", [{"max_width": 50}, {"max_width": 50, "max_height": 60, "preserve_ratio": False}])
def test_what_is_found_on_a_smaller_view_is_found_on_the_image(
    server: Any,
    angle: int,
    mirrored: bool,  # noqa: FBT001 -- a parameter
    limits: dict[str, Any],
) -> None:
    """The size of the view says how much smaller it is; there and back is the same place."""
    image = Image.new("L", (WIDTH, HEIGHT))
    image.paste(255, (60, 50, 70, 60))
    server.images["page"] = image
    element = bound(answer(server, PART, rotation_angle=angle, mirrored=mirrored))
    view = element.open_image(mode="L", **limits)
    left, top, right, bottom = view.point(lambda value: 255 * (value > 128)).getbbox() or (0,) * 4
    middle = ((left + right) / 2, (top + bottom) / 2)

    found = element.revert_orientation([middle, (left, top), (right, top)], size=view.size)
    again = element.revert_orientation(found, size=view.size, reverse=True)

    assert (abs(found[0][0] - 65) <= 2, abs(found[0][1] - 55) <= 2) == (True, True)
    assert (abs(again[0][0] - middle[0]) <= 2, abs(again[0][1] - middle[1]) <= 2) == (True, True)


@pytest.mark.parametrize("size", [(0, 10), (100,), (-5, 5), (float("nan"), 5)])
def test_a_size_that_no_image_has(server: Any, size: Any) -> None:
    """It is refused, instead of an outline somewhere else."""
    with pytest.raises(ValueError, match="is not the width and height of an image"):
        bound(answer(server, PART)).revert_orientation(PART, size=size)


def test_orientation_can_be_overruled(server: Any, page: Image.Image) -> None:
    """For those who want the image as it is stored."""
    element = bound(answer(server, rotation_angle=90, mirrored=True))

    assert element.open_image(rotation_angle=0, mirrored=False).tobytes() == page.tobytes()


def test_a_local_file_is_opened_in_developer_mode(page: Image.Image, tmp_path: Path) -> None:
    """By path or `file://` address, without any size known."""
    path = tmp_path / "a page.png"
    page.save(path)
    for address in (str(path), path.as_uri()):
        element = bound({"id": "x", "zone": {"image": {"url": address}}}, local_files=True)
        assert element.open_image().tobytes() == page.tobytes()


def test_a_local_file_is_not_opened_in_a_worker_run(tmp_path: Path) -> None:
    """An answer of the API does not choose files of this machine."""
    with pytest.raises(ImageError, match="local files are for developer mode"):
        bound({"id": "x", "zone": {"image": {"url": str(tmp_path)}}}).open_image()


@pytest.mark.parametrize("make", ["missing", "directory", "text", "device", "null byte"])
def test_a_file_that_is_no_image_is_an_error(tmp_path: Path, make: str) -> None:
    """One line."""
    path = tmp_path / "page.png"
    if make == "directory":
        path.mkdir()
    if make == "text":
        path.write_text("no image")
    address = {"device": "/dev/zero", "null byte": "a\0b"}.get(make, str(path))
    with pytest.raises(ImageError, match=r"there is no file|is not an image|cannot be read"):
        bound({"id": "x", "zone": {"image": {"url": address}}}, local_files=True).open_image()


@pytest.mark.parametrize("left", [250, 900])
def test_a_polygon_beyond_a_file_of_unknown_size_is_an_error(page: Image.Image, tmp_path: Path, left: int) -> None:
    """What is left of it, stretched to its box, would lead polygons that are found there astray."""
    page.save(tmp_path / "page.png")
    zone = {"polygon": [[left, 0], [950, 0], [950, 9]], "image": {"url": str(tmp_path / "page.png")}}

    with pytest.raises(ImageError, match="its polygon reaches beyond the image of 300 by 200 pixels"):
        bound({"id": "x", "zone": zone}, local_files=True).open_image()


@pytest.mark.parametrize("field", ["url", "s3_url", "zone"])
@pytest.mark.parametrize(
    "address", ["http://[::1", "http://[canary]/x", "https://x:y/z", "http://", "https://\0/", "file://[x"]
)
def test_an_address_that_is_none_is_an_error_of_the_image(field: str, address: str) -> None:
    """Whatever Arkindex says; not a ValueError of ours."""
    image: dict[str, Any] = {"url": "http://127.0.0.1:9/x", "width": WIDTH, "height": HEIGHT}
    zone: dict[str, Any] = {"polygon": PART, "image": image}
    if field == "zone":
        zone["url"] = f"{address}/full/max/0/default.jpg"
    else:
        image["url"] = None
        image[field] = address

    for width in (None, 50):
        with pytest.raises(ImageError, match="image of element x: "):
            bound({"id": "x", "zone": zone}, local_files=True).open_image(max_width=width)


@pytest.mark.parametrize("image", [{}, {"url": ""}, {"s3_url": "ftp://x/y"}, {"s3_url": "/etc/hostname"}])
def test_an_image_without_a_usable_address_is_an_error(image: Any) -> None:
    """An S3 address is a web address, in developer mode too."""
    with pytest.raises(ImageError, match=r"no address|not a web address"):
        bound({"id": "x", "zone": {"image": image}}, local_files=True).open_image()


def test_a_temporary_file_is_there_for_the_block(server: Any, page: Image.Image) -> None:
    """Named after its format, at its start, and gone afterwards, also when the block fails."""
    names = []

    def use() -> None:
        with bound(answer(server)).open_image_tempfile("png") as file:
            names.append(file.name)
            with Image.open(file) as image, Image.open(file.name) as again:
                assert (image.tobytes(), again.format, Path(file.name).suffix) == (page.tobytes(), "PNG", ".png")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert not Path(names[0]).exists()


@pytest.mark.usefixtures("page")
def test_a_temporary_file_is_a_jpeg_by_default(server: Any) -> None:
    """With the options of `open_image`."""
    with bound(answer(server)).open_image_tempfile(max_width=30) as file, Image.open(file.name) as image:
        assert (image.format, image.size) == ("JPEG", (30, 20))


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(("extension", "mode"), [("nothing", "RGB"), ("jpg", "RGBA"), ("xbm", "RGB")])
def test_a_format_that_cannot_be_written_is_an_error(server: Any, extension: str, mode: str) -> None:
    """One line, and no file is left."""
    with (
        pytest.raises(ImageError, match=f"cannot be written as {extension}"),
        bound(answer(server)).open_image_tempfile(extension, mode=mode),
    ):
        pass


@pytest.mark.usefixtures("page")
def test_no_room_for_a_temporary_file_is_an_error(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

    with (
        pytest.raises(ImageError, match="no temporary file for the image: No such file"),
        bound(answer(server)).open_image_tempfile(),
    ):
        pass


@pytest.mark.usefixtures("page")
def test_a_mode_that_is_none_is_an_error(server: Any) -> None:
    """One line."""
    with pytest.raises(ImageError, match="image of element x: it cannot be converted to the mode nonsense"):
        bound(answer(server)).open_image(mode="nonsense")


@pytest.mark.usefixtures("page")
def test_an_option_of_the_call_overrules_the_limit_of_pixels(server: Any) -> None:
    """In both directions."""
    element = bound(answer(server), max_image_pixels=100)

    assert element.open_image(max_image_pixels=0).size == (WIDTH, HEIGHT)
    with pytest.raises(ImageError, match="ARKINDEX_MAX_IMAGE_PIXELS"):
        element.open_image()


@pytest.mark.parametrize(("text", "limit"), [(None, None), ("", None), (" 5 ", 5), ("0", 0)])
def test_the_limit_is_read(
    text: str | None, limit: int | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty is absent; lifting it is a warning."""
    if text is not None:
        monkeypatch.setenv("ARKINDEX_MAX_IMAGE_PIXELS", text)
    _opener_of.cache_clear()

    assert default_opener().max_image_pixels == limit
    assert bool(caplog.records) == (limit == 0)


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "1e6", "٣", "9" * 5000, "canary\n"])
def test_a_limit_that_is_no_number_is_a_problem_of_the_configuration(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable, not the value."""
    monkeypatch.setenv("ARKINDEX_MAX_IMAGE_PIXELS", text)
    with pytest.raises(ConfigurationError, match=r"ARKINDEX_MAX_IMAGE_PIXELS.*not a number of pixels") as caught:
        default_opener()

    assert text not in str(caught.value)


def test_an_unbound_element_opens_its_image(server: Any, page: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a desk; the environment is read when it is asked."""
    element = Element.from_api(answer(server))

    assert element.open_image().tobytes() == page.tobytes()
    assert default_opener() is default_opener()
    monkeypatch.setenv("ARKINDEX_MAX_IMAGE_PIXELS", "10")
    assert default_opener().max_image_pixels == 10


@pytest.mark.usefixtures("page")
def test_openings_are_quiet(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What goes well is not logged."""
    with caplog.at_level(logging.INFO, logger="arkworker"):
        bound(answer(server, PART)).open_image()

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("limits", "largest"),
    [
        ({}, (300, 200)),
        ({"max_long": 150}, (150, 100)),
        ({"max_short": 50}, (75, 50)),
        ({"max_short": 150, "max_long": 100}, (100, 67)),
        ({"max_short": 900, "max_long": 900}, (300, 200)),
    ],
)
def test_images_are_resized_for_a_model(
    server: Any, page: Image.Image, limits: dict[str, int], largest: tuple[int, int]
) -> None:
    """From the largest within the limits, smaller and smaller; the image is opened once."""
    contents = list(bound(answer(server)).resized_images(extension="png", **limits))
    sizes = [Image.open(io.BytesIO(content)).size for content in contents]

    assert (sizes[0], sizes == sorted(sizes, reverse=True), len(sizes)) == (largest, True, 20)
    assert sizes[-1] == (round(largest[0] / 20), round(largest[1] / 20))
    assert (len(server.asked), page.size) == (1, (300, 200))


@pytest.mark.usefixtures("page")
def test_images_that_are_too_heavy_are_left_out(server: Any) -> None:
    """The first that is given is the largest that a model takes."""
    element = bound(answer(server))
    weights = [len(content) for content in element.resized_images(extension="png")]

    light = [len(content) for content in element.resized_images(extension="png", max_bytes=weights[3])]

    assert light == [weight for weight in weights if weight <= weights[3]]


@pytest.mark.parametrize("limits", [{"max_short": 0}, {"max_long": 1.5}, {"max_bytes": True}])
def test_a_limit_that_makes_no_sense_is_refused(limits: Any) -> None:
    """At once."""
    with pytest.raises(ValueError, match=r"max_.* should be an integer of at least 1"):
        bound({"id": "x"}).resized_images(**limits)


@pytest.mark.parametrize(
    "option",
    [{"rotation_angle": "90"}, {"rotation_angle": float("nan")}, {"extension": 5}, {"extension": ".jpg"}, {"mode": 1}],
)
def test_an_option_that_makes_no_sense_is_refused(option: Any) -> None:
    """By its name, before anything is asked for."""
    (name,) = option
    with pytest.raises(ValueError, match=f"^{name} should be "):
        bound({"id": "x", "zone": {"image": {}}}).open_image(**option)
