"""What opens the images of elements, made when the first is opened: many workers open none."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from arkworker.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import PIL.Image

    from arkworker.elements import Element, ImageOptions, OpensImages


class LateOpener:
    """Opens images for the elements of one run.

    Args:
        refresh: Gives what `RetrieveElement` answers for an id, when an address has expired.
        local_files: Whether an image's address may be a path.
    """

    def __init__(self, refresh: Callable[[str], Mapping[str, Any]], *, local_files: bool) -> None:
        self._refresh = refresh
        self._local_files = local_files
        self._lock = threading.Lock()
        self._opener: OpensImages | None = None

    def open(self, element: Element, options: ImageOptions) -> PIL.Image.Image:
        """The element's image.

        Raises:
            ImageError: It cannot be had, or Pillow is missing.
        """
        with self._lock:
            if self._opener is None:
                self._opener = self._make()
        return self._opener.open(element, options)

    def _make(self) -> OpensImages:
        try:
            from arkworker.images.opener import ImageOpener
        except ImportError as error:
            if error.name and error.name.partition(".")[0] == "PIL":
                raise ImageError("opening images needs Pillow: pip install 'arkworker[image]'") from None
            raise
        return ImageOpener.from_environment(os.environ, refresh=self._refresh, local_files=self._local_files)
