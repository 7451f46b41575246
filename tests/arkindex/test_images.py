"""Images of IIIF servers and images of one's own, on an emulated Arkindex."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from arkworker.arkindex.images import create_iiif_image, upload_image
from arkworker.emulator import Emulator, Fault
from arkworker.errors import ApiContentError, ApiResponseError, ArkworkerError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.arkindex.client import Client

URL = "https://iiif.example.org/iiif/2/page.jpg"


def answer(status: int, **body: Any) -> Fault:
    return Fault.answer(status, json.dumps(body).encode(), headers={"content-type": "application/json"})


def test_an_image_is_made_known(emulator: Emulator, arkindex_client: Client) -> None:
    """With its size."""
    image = create_iiif_image(arkindex_client, f"{URL}-1", width=100, height=200)

    assert (image.width, image.height, image.url) == (100, 200, f"{URL}-1")
    assert emulator.ledger.calls("CreateIIIFURL")[0].body == {"url": f"{URL}-1", "width": 100, "height": 200}


def test_arkindex_asks_for_the_size_by_itself(emulator: Emulator, arkindex_client: Client) -> None:
    """Then only the address is sent."""
    emulator.faults.add("CreateIIIFURL", answer(201, id="i", width=5, height=6))

    image = create_iiif_image(arkindex_client, URL)

    assert (image.id, image.width, emulator.ledger.calls("CreateIIIFURL")[0].body) == ("i", 5, {"url": URL})


@pytest.mark.parametrize("style", ["newer", "older"])
def test_an_image_that_is_known_is_used(style: str, emulator: Emulator, arkindex_client: Client) -> None:
    """Arkindex 1.11.2 and later say 409 with its id; earlier ones 400, with the id elsewhere."""
    first = create_iiif_image(arkindex_client, f"{URL}-{style}", width=100, height=200)
    if style == "older":
        emulator.faults.add("CreateIIIFURL", answer(400, url=["Image with this URL already exists."], id=first.id))

    second = create_iiif_image(arkindex_client, f"{URL}-{style}", width=100, height=200)

    assert (second.id, second.width) == (first.id, 100)


def test_another_refusal_is_an_error(emulator: Emulator, arkindex_client: Client) -> None:
    """The server of the image cannot be reached."""
    emulator.faults.add("CreateIIIFURL", answer(400, url=["Cannot be reached."]))

    with pytest.raises(ApiResponseError, match=r"url: Cannot be reached\."):
        create_iiif_image(arkindex_client, URL)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": 3}, {"id": "i", "width": -1}])
def test_an_answer_that_is_no_image_is_an_error(
    body: dict[str, Any], emulator: Emulator, arkindex_client: Client
) -> None:
    """One line."""
    emulator.faults.add("CreateIIIFURL", answer(201, **body))

    with pytest.raises(ApiContentError, match="CreateIIIFURL: "):
        create_iiif_image(arkindex_client, URL)


@pytest.mark.parametrize(
    "values",
    [
        {"url": "page.jpg"},
        {"url": None},
        {"url": "file:///etc/passwd"},
        {"width": 100},
        {"height": 100},
        {"width": 0, "height": 1},
        {"width": True, "height": 1},
        {"width": 1.0, "height": 1},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], emulator: Emulator, arkindex_client: Client) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match="create_iiif_image: "):
        create_iiif_image(arkindex_client, **{"url": URL, **values})

    assert emulator.ledger.calls() == []


def drawn(folder: Path, colour: str) -> Path:
    path = folder / f"{colour}.jpg"
    Image.new("RGB", (30, 20), colour).save(path)
    return path


def test_a_file_becomes_an_image(arkindex_client: Client, tmp_path: Path) -> None:
    """It is checked when it is there; of the same content Arkindex has one only."""
    path = drawn(tmp_path, "red")

    first, second = upload_image(arkindex_client, path), upload_image(arkindex_client, path)

    assert (first.width, first.height, first.status) == (30, 20, "checked")
    assert second == first


def test_a_lost_answer_makes_no_second_image(emulator: Emulator, arkindex_client: Client, tmp_path: Path) -> None:
    """What was begun and cannot be finished is said, with its id."""
    emulator.faults.add("CreateImage", Fault.reset(acted=True), times=1)

    with pytest.raises(
        ApiContentError, match=r"image [0-9a-f-]{36} has this content, but its upload was never completed"
    ):
        upload_image(arkindex_client, drawn(tmp_path, "blue"))

    assert len(emulator.ledger.calls("CreateImage")) == 2


def test_a_file_that_is_not_there_is_no_image(emulator: Emulator, arkindex_client: Client, tmp_path: Path) -> None:
    """Nothing is sent."""
    with pytest.raises(ArkworkerError, match=r"nothing\.jpg cannot be uploaded: No such file"):
        upload_image(arkindex_client, tmp_path / "nothing.jpg")

    assert emulator.ledger.calls() == []


def test_a_pipe_is_not_waited_for(emulator: Emulator, arkindex_client: Client, tmp_path: Path) -> None:
    """Nor is a path with a NUL character, which no file can have."""
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "is not a regular file"), ("a\0b", "the path holds a NUL character")):
        with pytest.raises(ArkworkerError, match=f"cannot be uploaded: {reason}"):
            upload_image(arkindex_client, tmp_path / name)

    assert emulator.ledger.calls() == []
