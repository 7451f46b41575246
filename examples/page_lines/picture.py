"""A picture of the page that shows the results: taken by a browser where there is one, drawn otherwise."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from arkworker import Element

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from arkworker.arkindex.client import Client

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = (1500, 950)
HEIGHT = 1200  # of a drawn picture
LOADING = 4000  # ms of the page's own time, which passes faster: enough for its images
PATIENCE = 40  # seconds
COLOURS = {"text_line": (0, 90, 181), "illustration": (0, 125, 80)}


def photograph(address: str, path: Path) -> bool:
    """Write a picture of a web page as a PNG file; False where no browser can."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        return False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage"]
        # Containers run it as root, where its sandbox does not work; the page is our own.
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        flags += [f"--user-data-dir={profile}", "--window-size={},{}".format(*SIZE)]
        flags += [f"--virtual-time-budget={LOADING}", f"--screenshot={path.absolute()}", address]
        return _run([program, *flags]) and path.is_file()


def _run(command: list[str]) -> bool:
    """Whether a browser ended well, in time; none of its processes is left behind."""
    silence = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=silence, stdout=silence, stderr=silence, start_new_session=True) as process:  # noqa: S603 - found above
        try:
            return process.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def draw_pages(client: Client, pages: Sequence[str]) -> Image.Image:
    """The images of elements side by side, with the polygons of their children, as the API tells of them."""
    images = [_draw_page(client, page) for page in pages]
    picture = Image.new("RGB", (sum(image.width for image in images), HEIGHT), "white")
    across = 0
    for image in images:
        picture.paste(image, (across, 0))
        across += image.width
    return picture


def _draw_page(client: Client, page: str) -> Image.Image:
    image = Element.from_api(client.request("RetrieveElement", id=page)).open_image()
    scale = HEIGHT / image.height
    image = image.resize((round(scale * image.width), HEIGHT))
    draw = ImageDraw.Draw(image, "RGBA")
    for answer in client.paginate("ListElementChildren", id=page, with_zone=True):
        child = Element.from_api(answer)
        points = [(scale * across, scale * down) for across, down in child.polygon]
        colour = COLOURS.get(child.type or "", (90, 90, 90))
        draw.polygon(points, fill=(*colour, 40), outline=(*colour, 255), width=2)
    return image
