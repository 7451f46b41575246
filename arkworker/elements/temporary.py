"""An image as a temporary file."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from tempfile import _TemporaryFileWrapper

    import PIL.Image


@contextmanager
def saved_image(open_image: Callable[[], PIL.Image.Image], extension: str) -> Iterator[_TemporaryFileWrapper[bytes]]:
    """The image in a named file, at its start, for the time of the `with` block.

    Raises:
        ImageError: The format is unknown or cannot hold the image, or there is no room for the file.
    """
    image = open_image()
    try:
        file = tempfile.NamedTemporaryFile(suffix=f".{extension}")  # noqa: SIM115 -- closed below
    except OSError as error:
        raise ImageError(f"no temporary file for the image: {error.strerror}") from None
    with file:
        _save(image, file, extension)
        yield file


def _save(image: PIL.Image.Image, file: _TemporaryFileWrapper[bytes], extension: str) -> None:
    from PIL import Image  # an extra

    name = Image.registered_extensions().get(f".{extension.lower()}", "")
    if name not in Image.SAVE:
        raise ImageError(f"images cannot be written as {extension}")
    try:
        image.save(file, format=name)
        file.flush()
        file.seek(0)
    except (OSError, ValueError) as error:
        raise ImageError(f"the image cannot be written as {extension}: {error}") from None
