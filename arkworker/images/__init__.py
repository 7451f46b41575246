"""Images are opened: downloads, IIIF servers, tiles, orientation. What an element is, nothing here knows.

Opening needs the extra `image` (Pillow), which is imported by the first image.
"""

from arkworker.images.opener import ImageOpener, default_opener
from arkworker.images.options import ImageOptions, OpensImages, Picture
from arkworker.images.orientation import Orientation

__all__ = ["ImageOpener", "ImageOptions", "OpensImages", "Orientation", "Picture", "default_opener"]
