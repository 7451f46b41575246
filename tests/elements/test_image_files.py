"""Which files of a folder are images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from arkworker import Element
from arkworker.elements.image_files import IMAGES, image_files
from arkworker.images.pixels import FORMATS

if TYPE_CHECKING:
    from pathlib import Path


def test_images_of_a_folder_by_their_names(tmp_path: Path) -> None:
    """At any depth, each folder after the files beside it; what is hidden, linked or of another kind is left out."""
    for folder in ("b", "b/inner", "a", ".hidden"):
        (tmp_path / folder).mkdir()
    for name in ("b.jpg", "a.PNG", "notes.txt", ".c.png", "b/2.tiff", "b/inner/3.webp", "a/1.gif", ".hidden/4.png"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)

    found = [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)]

    assert found == ["a.PNG", "b.jpg", "a/1.gif", "b/2.tiff", "b/inner/3.webp"]


def test_all_formats_that_can_be_opened_are_found() -> None:
    """A folder of scans in JPEG 2000 holds images, too."""
    formats = Image.registered_extensions()

    assert {formats.get(suffix, "AVIF") for suffix in IMAGES} == FORMATS  # Pillow has not known AVIF for long


def test_a_file_is_itself(tmp_path: Path) -> None:
    """Whatever its name, for somebody named it."""
    assert image_files(tmp_path / "scan") == [tmp_path / "scan"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    """It is told, rather than left out."""
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(PermissionError):
        image_files(tmp_path)


def test_the_element_of_a_file(tmp_path: Path) -> None:
    """The whole image, which can be opened without Arkindex."""
    Image.new("L", (60, 80), 7).save(tmp_path / "sheet.png")
    element = Element.from_file(str(tmp_path / "sheet.png"))
    assert element == Element.from_file(tmp_path / "sheet.png")

    box = element.bounding_box
    assert (element.name, element.type, box.width, box.height) == ("sheet", "page", 60, 80)
    assert element.open_image(mode="L").getextrema() == (7, 7)


@pytest.mark.parametrize(("kind", "is_told"), [(0, True), (1, False)], ids=["page", "smaller copy"])
def test_a_file_of_several_pages(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: int, *, is_told: bool) -> None:
    """Only the first is opened, and this is told; a pyramid has one page."""
    pages = [Image.new("L", (60, 80), 7), Image.new("L", (30, 40), 9)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:], tiffinfo={254: kind})

    Element.from_file(tmp_path / "scan.tif")

    assert ("scan.tif holds several pages, and only the first is opened" in caplog.text) == is_told


def test_damaged_later_page_leaves_the_first_its_size(tmp_path: Path) -> None:
    """Only the first is opened."""
    first = Image.new("L", (60, 80), 7)
    first.save(tmp_path / "one.tif")
    first.save(tmp_path / "two.tif", save_all=True, append_images=[first])
    os.truncate(tmp_path / "two.tif", (tmp_path / "one.tif").stat().st_size)

    box = Element.from_file(tmp_path / "two.tif").bounding_box

    assert (box.width, box.height) == (60, 80)
