"""A server of images for each test that asks for one."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from served_arkindex import arkindex_client, emulator, manual_clock, served  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image

_MODULE = runpy.run_path(str(Path(__file__).parents[1] / "image_server.py"))


@pytest.fixture
def drawing() -> Callable[[int, int], PIL.Image.Image]:
    """Makes an image in which nearly every pixel differs from all others."""
    draw: Callable[[int, int], PIL.Image.Image] = _MODULE["drawing"]
    return draw


@pytest.fixture
def server() -> Iterator[Any]:
    """Serves images on 127.0.0.1 until the test ends."""
    running = _MODULE["ImageServer"]()
    yield running
    running.close()
