"""An image as a file: a temporary one, or the bytes of smaller and smaller ones."""

from __future__ import annotations

import io
import logging
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from tempfile import _TemporaryFileWrapper

    import PIL.Image


logger = logging.getLogger("arkworker.images")


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
        _save(image, file.file, extension)
        file.flush()
        file.seek(0)
        yield file


def shrinking(
    image: PIL.Image.Image, extension: str, *, max_short: int | None, max_long: int | None, max_bytes: int | None
) -> Iterator[bytes]:
    """The image as files, from the largest that keeps all limits to a twentieth of its sides; see `Element`.

    Raises:
        ImageError: The format is unknown or cannot hold the image.
    """
    from PIL import Image  # an extra

    short, long = sorted(image.size)
    largest = min(1.0, (max_short or short) / short, (max_long or long) / long)
    for percent in range(100, 0, -5):
        scale = largest * percent / 100
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        resized = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        _save(resized, file, extension)
        content = file.getvalue()
        logger.debug("An image of %d by %d pixels takes %d bytes", *size, len(content))
        if max_bytes is None or len(content) <= max_bytes:
            yield content


def _save(image: PIL.Image.Image, file: IO[bytes], extension: str) -> None:
    from PIL import Image  # an extra

    name = Image.registered_extensions().get(f".{extension.lower()}", "")
    if name not in Image.SAVE:
        raise ImageError(f"images cannot be written as {extension}")
    try:
        image.save(file, format=name)
    except (OSError, ValueError) as error:
        raise ImageError(f"the image cannot be written as {extension}: {error}") from None
