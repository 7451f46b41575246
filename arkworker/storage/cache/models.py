"""The tables of the cache as typed classes, under the names that users of the published library know.

They are declared here, once: the statements of a new file follow from them, and are those of the published library.
"""

from __future__ import annotations

import functools
import json
import math
import re
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import REAL, UserDefinedType

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

Points = list[list[float]]
_decode = json.JSONDecoder().decode
_decode_start = json.JSONDecoder().raw_decode
#: A list of points as Python shows it, which is JSON where all are lists of two finite numbers.
_POLYGON = re.compile(r"\[(?:\[[-+.e\d]++, [-+.e\d]++\](?:, )?+)*+\]")


def _to_hex(value: uuid.UUID | str | None) -> str | None:
    if value is None:
        return None
    return value.hex if isinstance(value, uuid.UUID) else uuid.UUID(value).hex


@functools.lru_cache(maxsize=4096)
def _from_hex(text: str | None) -> uuid.UUID | None:
    # Most columns of ids repeat a few values. From a number it is made faster than from a text.
    if text is None:
        return None
    return uuid.UUID(int=int(text, 16)) if len(text) == 32 else uuid.UUID(text)


def write_points(points: Any) -> str | None:
    """The text of a polygon.

    Raises:
        ValueError: It is not a list of points [x, y]; the next task could not read it.
    """
    if points is None:
        return None
    if type(points) is list and _POLYGON.fullmatch(text := repr(points)):
        return text
    if _is_polygon(points):
        return json.dumps(points)
    raise ValueError("a polygon should be a list of points [x, y] with finite coordinates")


def read_points(text: str | None) -> Any:
    """The points of a polygon.

    The published library writes a polygon that it updates as the text of a list, inside a JSON string: read twice.
    """
    if text is None:
        return None
    if text.startswith("[["):
        value, end = _decode_start(text)
        return value if end == len(text) else _decode(text)
    value = _decode(text)
    return _decode(value) if isinstance(value, str) else value


def _is_polygon(points: object) -> bool:
    return isinstance(points, list | tuple) and all(_is_point(point) for point in points)


def _is_point(point: object) -> bool:
    return isinstance(point, list | tuple) and len(point) == 2 and _is_number(point[0]) and _is_number(point[1])


def _is_number(number: object) -> bool:
    return type(number) is int or (isinstance(number, float) and math.isfinite(number))


class ColumnType(UserDefinedType[Any]):
    """How a column is declared, and its values are written and read.

    Attributes:
        spec: The type in the statement that creates the table.
        write: Makes of a value what is stored; None where that is the value itself.
        read: Makes the value of what is stored.
    """

    cache_ok = True

    def __init__(self, spec: str, write: Callable[[Any], Any] | None, read: Callable[[Any], Any]) -> None:
        self.spec = spec
        self.write = write
        self.read = read

    def get_col_spec(self, **_options: object) -> str:
        return self.spec

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:  # noqa: ARG002 - a fixed signature
        return self.write

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - a fixed signature
        return self.read


class _Booleans(dict[int | None, bool | None]):
    """What is stored for each boolean, and for none."""

    def __missing__(self, stored: object) -> None:
        raise ValueError(f"a boolean is stored as 0 or 1, not {stored!r}")


#: A UUID as 32 lower-case hexadecimal characters without dashes; text is accepted wherever a UUID is.
HEX_ID = ColumnType("TEXT", _to_hex, _from_hex)


class CacheModel(DeclarativeBase):
    """Base of the tables of the cache."""

    metadata = MetaData()
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        uuid.UUID: HEX_ID,
        str: Text,
        int: Integer,
        bool: ColumnType("INTEGER", None, _Booleans({0: False, 1: True, None: None}).__getitem__),
        float: REAL,
        Points: ColumnType("text", write_points, read_points),
    }


class CachedImage(CacheModel):
    """An image on a IIIF server; `version` is the version of the IIIF protocol, 2 or 3."""

    __tablename__ = "images"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    url: Mapped[str]
    version: Mapped[int] = mapped_column(default=2)

    elements: Mapped[list[CachedElement]] = relationship(back_populates="image")


class CachedElement(CacheModel):
    """An element; `polygon` is in pixels of its image, `initial` marks those that the task was started on."""

    __tablename__ = "elements"
    __table_args__ = (Index("cachedelement_image_id", "image_id"), Index("cachedelement_parent_id", "parent_id"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    parent_id: Mapped[uuid.UUID | None]
    type: Mapped[str] = mapped_column(String(50))
    image_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("images.id"))
    polygon: Mapped[Points | None]
    rotation_angle: Mapped[int] = mapped_column(default=0)
    mirrored: Mapped[bool] = mapped_column(default=False)
    initial: Mapped[bool] = mapped_column(default=False)
    worker_version_id: Mapped[uuid.UUID | None]
    worker_run_id: Mapped[uuid.UUID | None]
    confidence: Mapped[float | None]

    image: Mapped[CachedImage | None] = relationship(back_populates="elements")
    transcriptions: Mapped[list[CachedTranscription]] = relationship(back_populates="element")
    classifications: Mapped[list[CachedClassification]] = relationship(back_populates="element")


class CachedTranscription(CacheModel):
    """A text read on an element; `orientation` is one of Arkindex's, such as `horizontal-lr`."""

    __tablename__ = "transcriptions"
    __table_args__ = (Index("cachedtranscription_element_id", "element_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    element_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("elements.id"))
    text: Mapped[str]
    confidence: Mapped[float | None]
    orientation: Mapped[str] = mapped_column(String(50))
    worker_version_id: Mapped[uuid.UUID | None]
    worker_run_id: Mapped[uuid.UUID | None]

    element: Mapped[CachedElement] = relationship(back_populates="transcriptions")
    transcription_entities: Mapped[list[CachedTranscriptionEntity]] = relationship(back_populates="transcription")


class CachedClassification(CacheModel):
    """A class given to an element."""

    __tablename__ = "classifications"
    __table_args__ = (Index("cachedclassification_element_id", "element_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    element_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("elements.id"))
    class_name: Mapped[str]
    confidence: Mapped[float]
    state: Mapped[str] = mapped_column(String(10))
    worker_run_id: Mapped[uuid.UUID | None]

    element: Mapped[CachedElement] = relationship(back_populates="classifications")


class CachedTranscriptionEntity(CacheModel):
    """A named entity in a transcription: `length` characters from `offset`. The schema allows one of each type only."""

    __tablename__ = "transcription_entities"
    __table_args__ = (Index("cachedtranscriptionentity_transcription_id", "transcription_id"),)

    transcription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transcriptions.id"), primary_key=True)
    type: Mapped[str] = mapped_column(String(50), primary_key=True)
    offset: Mapped[int] = mapped_column(CheckConstraint("offset >= 0"))
    length: Mapped[int] = mapped_column(CheckConstraint("length > 0"))
    worker_run_id: Mapped[uuid.UUID | None]
    confidence: Mapped[float | None]

    transcription: Mapped[CachedTranscription] = relationship(back_populates="transcription_entities")


class CachedDataset(CacheModel):
    """A dataset; `sets` is the text of its set names."""

    __tablename__ = "datasets"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(255), default="open", server_default="open")
    sets: Mapped[str]


class CachedDatasetElement(CacheModel):
    """An element as a member of one set of a dataset."""

    __tablename__ = "dataset_elements"
    __table_args__ = (
        Index("cacheddatasetelement_element_id", "element_id"),
        Index("cacheddatasetelement_dataset_id", "dataset_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    element_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("elements.id"))
    dataset_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("datasets.id"))
    set_name: Mapped[str] = mapped_column(String(255))

    element: Mapped[CachedElement] = relationship()
    dataset: Mapped[CachedDataset] = relationship()
