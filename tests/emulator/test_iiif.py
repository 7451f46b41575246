from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import requests
from PIL import Image

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from pathlib import Path

    from tests.emulator.conftest import World


def url_of(world: World) -> str:
    found: str = world.client.get(f"/element/{world.pages[0]}/")["zone"]["image"]["url"]
    return found


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        ("full/full/0/default.jpg", (1000, 1400)),
        ("full/max/0/default.png", (1000, 1400)),
        ("square/max/0/default.jpg", (1000, 1000)),
        ("10,20,30,40/full/0/default.jpg", (30, 40)),
        ("990,0,30,40/full/0/default.jpg", (10, 40)),
        ("pct:10,10,50,50/full/0/default.jpg", (500, 700)),
        ("full/100,/0/default.jpg", (100, 140)),
        ("full/,140/0/default.jpg", (100, 140)),
        ("full/50,60/0/default.jpg", (50, 60)),
        ("full/!70,70/0/default.jpg", (50, 70)),
        ("full/pct:10/0/default.jpg", (100, 140)),
        ("full/100,/90/default.jpg", (140, 100)),
        ("full/100,/!180/gray.jpg", (100, 140)),
        ("full/100,/0/bitonal.png", (100, 140)),
    ],
)
def test_images_are_cropped_and_resized(world: World, request_: str, size: tuple[int, int]) -> None:
    """Region, size, rotation and quality are as the IIIF Image API has them."""
    answer = requests.get(f"{url_of(world)}/{request_}", timeout=30)

    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == size


@pytest.mark.parametrize(
    "request_",
    [
        "2000,0,10,10/full/0/default.jpg",
        "0,0,0,10/full/0/default.jpg",
        "1,2,3/full/0/default.jpg",
        "-1,2,3,4/full/0/default.jpg",
        "full/,/0/default.jpg",
        "full/99999,99999/0/default.jpg",
        "full/full/x/default.jpg",
        "full/full/999/default.jpg",
        "full/full/0/pretty.jpg",
        "full/full/0/default.exe",
    ],
)
def test_a_request_that_is_none_is_refused(world: World, request_: str) -> None:
    """Nothing outside of the image, nothing that fills the memory."""
    assert requests.get(f"{url_of(world)}/{request_}", timeout=30).status_code == 400


def test_the_description_names_the_tiles(world: World) -> None:
    """An image server that gives only small images says so, and refuses larger ones."""
    world.emulator.site.max_image_size = (512, 512)
    information = requests.get(f"{url_of(world)}/info.json", timeout=30).json()

    assert (information["width"], information["maxWidth"]) == (1000, 512)
    assert information["tiles"][0]["width"] == 512
    assert requests.get(f"{url_of(world)}/full/full/0/default.jpg", timeout=30).status_code == 400


def test_version_3_says_max() -> None:
    """Its addresses and its description are those of version 3."""
    with Emulator(iiif_version=3) as emulator, requests.Session() as session:
        emulator.add_corpus()
        page = emulator.add_element(image=(10, 10))
        headers = {"Authorization": f"Token {emulator.token}"}
        zone = session.get(f"{emulator.url}/api/v1/element/{page}/", headers=headers).json()["zone"]

        assert zone["url"].endswith("/0,0,10,10/max/0/default.jpg")
        assert session.get(f"{zone['image']['url']}/info.json").json()["type"] == "ImageService3"
        assert session.get(zone["url"]).status_code == 200


def test_a_file_is_served_upright(emulator: Emulator, tmp_path: Path) -> None:
    """A photograph that lies on its side has the size and the pixels of the upright one."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.jpg", exif=exif)
    emulator.add_corpus()
    page = emulator.add_element(image=tmp_path / "a.jpg")

    headers = {"Authorization": f"Token {emulator.token}"}
    zone = requests.get(f"{emulator.url}/api/v1/element/{page}/", headers=headers, timeout=30).json()["zone"]
    picture = Image.open(io.BytesIO(requests.get(zone["url"], timeout=30).content))

    assert (zone["image"]["width"], zone["image"]["height"]) == picture.size == (20, 40)


def test_an_image_too_long_for_a_jpeg_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    """As something that the worker asked for, not as a defect of the server; a PNG of it can be had."""
    Image.new("L", (65_501, 1)).save(tmp_path / "scroll.png")
    emulator.add_corpus()
    page = emulator.add_element(image=tmp_path / "scroll.png")

    headers = {"Authorization": f"Token {emulator.token}"}
    address = requests.get(f"{emulator.url}/api/v1/element/{page}/", headers=headers, timeout=30).json()["zone"]["url"]
    found = [requests.get(f"{address[:-3]}{kind}", timeout=30).status_code for kind in ("jpg", "png")]

    assert found == [400, 200]


def test_direct_images_have_an_address_in_the_storage(world: World) -> None:
    """Then a worker need not ask the image server."""
    world.emulator.site.direct_images = True
    image = world.client.get(f"/element/{world.pages[0]}/")["zone"]["image"]

    assert Image.open(io.BytesIO(requests.get(image["s3_url"], timeout=30).content)).size == (1000, 1400)
