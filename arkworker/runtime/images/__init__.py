"""Opening the images of elements: downloads, IIIF servers, tiles, orientation. Needs the extra `image` (Pillow)."""

from arkworker.runtime.images.opener import ImageOpener, default_opener

__all__ = ["ImageOpener", "default_opener"]
