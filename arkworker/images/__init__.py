"""Images are opened: downloads, IIIF servers, tiles, orientation. What an element is, nothing here knows.

Opening needs the extra `image` (Pillow), which is imported by the first image.
"""
