"""The element: its values, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, ValidationError, model_validator

from arkworker.elements.readable import Readable
from arkworker.elements.records import Corpus, Image, Zone, first_problem, named
from arkworker.elements.shapes import from_cache_row, gather
from arkworker.errors import ApiContentError, CacheError, ImageError
from arkworker.geometry import BoundingBox, PixelBox, Polygon, bounding_box, pixel_box, trim_polygon
from arkworker.images.opener import default_opener
from arkworker.images.options import ImageOptions, OpensImages, Picture, check_integer
from arkworker.images.orientation import Orientation, apply_orientation, revert_orientation
from arkworker.images.saving import saved_image, shrinking
from arkworker.text import printable

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager
    from tempfile import _TemporaryFileWrapper

    import PIL.Image

    from arkworker.elements.readable import ReadsElements


class Element(Readable):
    """An element, from any answer of the API that describes one, or from a row of the cache.

    It only holds data. `open_image` uses the opener that the runner set with `bind`, or one that needs no API;
    `children` and similar methods use the reader. Neither takes part in comparison, hashing or pickling.

    Attributes:
        type: The slug of its type; None where the answer has only `type_id`.
        rotation_angle: Degrees, clockwise, applied after mirroring.
        worker_run_id: The worker run that made it; None for one made by hand, or where the answer does not say.
    """

    name: str = ""
    type: str | None = None
    type_id: str | None = None
    corpus: Corpus | None = None
    zone: Zone | None = None
    rotation_angle: int = 0
    mirrored: bool = False
    confidence: float | None = None
    created: str | None = None
    thumbnail_url: str | None = None
    worker_run_id: str | None = None

    _opener: OpensImages | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, answer: Any) -> Any:
        return gather(answer) if isinstance(answer, Mapping) else answer

    @classmethod
    def from_api(cls, answer: Any, *, operation: str = "RetrieveElement") -> Self:
        """The element that an operation answered with.

        Raises:
            ApiContentError: The answer does not describe an element.
        """
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            raise ApiContentError(operation, first_problem("element", answer, error)) from None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """The page of an image file on this machine: what `--image` gives, for tests and notebooks.

        Opening its image says why, where the file is missing or not an image.
        """
        from arkworker.elements.image_files import describe_file

        return cls.from_api(describe_file(Path(path))[1])

    @classmethod
    def from_cache(cls, row: Mapping[str, Any], image: Mapping[str, Any] | Image | None = None) -> Self:
        """The element of a row of the cache's table `elements`, with its row of `images`, by column names.

        An image that many elements share may be given as an `Image`.

        Raises:
            CacheError: The row does not describe an element.
        """
        try:
            return cls.model_validate(from_cache_row(row, image))
        except ValidationError as error:
            raise CacheError("cache", first_problem("element", row, error)) from None
        except ValueError as error:
            raise CacheError("cache", f"{named('element', row)}: {error}") from None

    @property
    def polygon(self) -> Polygon:
        """The polygon on the image, points in pixels.

        Raises:
            ImageError: The element has no zone.
        """
        return self._zone.polygon

    @property
    def bounding_box(self) -> BoundingBox:
        """The box around the polygon, in pixels.

        Raises:
            ImageError: The element has no polygon.
        """
        if not self.polygon:
            raise ImageError(f"element {printable(self.id)} has no polygon")
        return bounding_box(self.polygon)

    @property
    def image(self) -> Image:
        """The image that the zone is on.

        Raises:
            ImageError: The element has no zone, or one without an image.
        """
        if self._zone.image is None:
            raise ImageError(f"element {printable(self.id)} has no image")
        return self._zone.image

    @property
    def orientation(self) -> Orientation:
        """How the element is turned and mirrored against its image."""
        return Orientation(self.rotation_angle, self.mirrored)

    def pixel_box(self, *, use_full_image: bool = False) -> PixelBox | None:
        """The part of the image that `open_image` shows, in pixels; None for the whole of an image of unknown size.

        Raises:
            ImageError: The element has no zone, no image, or a polygon that encloses nothing of the image.
        """
        width, height = self.image.width or None, self.image.height or None
        if self.polygon and not use_full_image:
            try:
                return pixel_box(self.polygon, width, height)
            except ValueError as error:
                raise ImageError(f"element {printable(self.id)}: {error}") from None
        return PixelBox(0, 0, width, height) if width and height else None

    def picture(self, *, use_full_image: bool = False) -> Picture:
        """Where to get the part of the image that `open_image` shows.

        Raises:
            ImageError: As `pixel_box`.
        """
        image, server = self.image, self.image.server
        return Picture(
            id=self.id,
            url=image.url,
            s3_url=image.s3_url,
            zone_url=self._zone.url,
            width=image.width,
            height=image.height,
            box=self.pixel_box(use_full_image=use_full_image),
            iiif_version=server.version if server else None,
            largest=(server.max_width, server.max_height) if server else (None, None),
            orientation=self.orientation,
        )

    def trim_polygon(self, polygon: Iterable[Any]) -> Polygon:
        """The polygon with every point moved inside the element's image.

        Raises:
            ImageError: The size of the image is unknown.
            ValueError: Fewer than three points, one that is not a pair of numbers, or all of it outside the image.
        """
        box = self._known_box(use_full_image=True)
        return trim_polygon(polygon, box.width, box.height)

    def revert_orientation(
        self,
        polygon: Iterable[Any],
        *,
        size: Sequence[float] | None = None,
        reverse: bool = False,
        use_full_image: bool = False,
    ) -> Polygon:
        """A polygon found on what `open_image` gave, in the coordinates of the whole image, as Arkindex wants it.

        Args:
            polygon: At least three points, in pixels.
            size: Width and height of the image that they were found on, if it was made smaller, by `max_width` or
                otherwise: `image.size`.
            reverse: Convert the other way: from the image to the view of `open_image`.
            use_full_image: Whether the image was opened with `use_full_image`.

        Returns:
            A closed ring of integers: the first point is also the last.

        Raises:
            ImageError: The element has no image, or one of unknown size.
            ValueError: This is not a polygon, or the size is not that of an image.
        """
        turn = apply_orientation if reverse else revert_orientation
        return turn(polygon, self._known_box(use_full_image=use_full_image), self.orientation, size)

    def open_image(  # noqa: PLR0913 -- the names that users of Arkindex know
        self,
        *,
        max_width: int | None = None,
        max_height: int | None = None,
        preserve_ratio: bool = True,
        use_full_image: bool = False,
        extension: str = "jpg",
        mode: str | None = "RGB",
        rotation_angle: float | None = None,
        mirrored: bool | None = None,
        max_image_pixels: int | None = None,
    ) -> PIL.Image.Image:
        """Open the element's image with Pillow: the box around its polygon, mirrored and rotated as the element says.

        Polygons found on it go through `revert_orientation` before they are published. The arguments are those of
        `ImageOptions`.

        Raises:
            ImageError: There is no image, or it cannot be retrieved.
            ValueError: An argument is invalid.
        """
        options = ImageOptions(
            max_width=max_width,
            max_height=max_height,
            preserve_ratio=preserve_ratio,
            use_full_image=use_full_image,
            extension=extension,
            mode=mode,
            rotation_angle=rotation_angle,
            mirrored=mirrored,
            max_image_pixels=max_image_pixels,
        )
        return (self._opener or default_opener()).open(self.picture(use_full_image=use_full_image), options)

    def open_image_tempfile(
        self, extension: str = "jpg", **options: Any
    ) -> AbstractContextManager[_TemporaryFileWrapper[bytes]]:
        """The image as a temporary file, named and open for reading, that is gone after the `with` block.

        Args:
            extension: The format of the file, and the one asked of the image server.
            options: Those of `open_image`.

        Raises:
            ImageError: There is no image, or it cannot be retrieved or written.
        """
        return saved_image(lambda: self.open_image(extension=extension, **options), extension)

    def resized_images(
        self,
        *,
        max_short: int | None = None,
        max_long: int | None = None,
        max_bytes: int | None = None,
        extension: str = "jpg",
        **options: Any,
    ) -> Iterator[bytes]:
        """The image as files for a model with a size limit: the largest within the limits first, then smaller ones.

        The image is opened once, with the first file; each is made when it is requested, down to a twentieth.

        Args:
            max_short: Largest short side, in pixels.
            max_long: Largest long side, in pixels.
            max_bytes: Largest file, in bytes; if it is sent in base64, three quarters of what may be sent.
            extension: The format of the files.
            options: Those of `open_image`.

        Raises:
            ImageError: There is no image, or it cannot be retrieved or written. Raised with the first file.
            ValueError: A limit that is not a positive integer.
        """
        for name, limit in (("max_short", max_short), ("max_long", max_long), ("max_bytes", max_bytes)):
            check_integer(name, limit, 1)

        def files() -> Iterator[bytes]:
            image = self.open_image(extension=extension, **options)
            yield from shrinking(image, extension, max_short=max_short, max_long=max_long, max_bytes=max_bytes)

        return files()

    def bind(self, opener: OpensImages | None = None, reader: ReadsElements[Any] | None = None) -> Self:
        """The same element, with its images opened by `opener` and what belongs to it read by `reader`.

        What is left out stays as it is.
        """
        bound = self.model_copy()
        bound._opener, bound._reader = opener or self._opener, reader or self._reader  # noqa: SLF001 -- its own
        return bound

    @property
    def _zone(self) -> Zone:
        if self.zone is None:
            raise ImageError(f"element {printable(self.id)} has no zone, hence no image")
        return self.zone

    def _known_box(self, *, use_full_image: bool) -> PixelBox:
        box = self.pixel_box(use_full_image=use_full_image)
        if box is None:
            raise ImageError(f"element {printable(self.id)}: the size of its image is unknown")
        return box

    def __str__(self) -> str:
        return printable(" ".join(filter(None, (self.type or "element", self.name, f"({self.id})"))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return self.__dict__ == other.__dict__ and self.__pydantic_extra__ == other.__pydantic_extra__

    def __hash__(self) -> int:
        return hash(self.id)

    def __getstate__(self) -> dict[Any, Any]:
        return super().__getstate__() | {
            "__pydantic_private__": {"_opener": None, "_reader": None, "_metadata": self._metadata}
        }
