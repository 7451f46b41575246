"""Images are opened: downloads, IIIF servers, tiles, orientation.

Opening needs the extra `image` (Pillow), which is why names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.images.opener import ImageOpener, default_opener
else:
    __getattr__, __dir__ = lazy_names(__name__, {"ImageOpener": "opener", "default_opener": "opener"})

__all__ = ["ImageOpener", "default_opener"]
