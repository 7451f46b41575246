"""The picture of the demo, taken by a browser where there is one that can."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from picture import BROWSERS, SIZE, photograph
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

RED_PAGE = "data:text/html,<body style='background:red'>"


def test_a_browser_takes_a_picture(tmp_path: Path) -> None:
    """Of the whole window, as a PNG file, in a folder with spaces."""
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("no Chromium is installed (Debian: chromium)")
    path = tmp_path / "the page.png"

    assert photograph(RED_PAGE, path)
    with Image.open(path) as picture:
        assert (picture.size, picture.convert("RGB").getpixel((750, 475))) == (SIZE, (255, 0, 0))


@pytest.mark.parametrize("script", [None, "exit 1", "exit 0"])
def test_without_a_browser_that_can_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    """None is installed, it fails, or it leaves no picture: the demo draws one then."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "chromium").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "chromium").chmod(0o755)

    assert not photograph(RED_PAGE, tmp_path / "page.png")
