"""The tables of the cache as typed classes, under the names that users of the published library know."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import REAL, Boolean

from arkworker.storage.cache.columns import HexId, PointsText
from arkworker.storage.cache.points import Points


class CacheModel(DeclarativeBase):
    """Base of the tables of the cache."""

    metadata = MetaData()
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        uuid.UUID: HexId,
        str: Text,
        int: Integer,
        bool: Boolean(create_constraint=False),
        float: REAL,
        Points: PointsText,
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
    __table_args__ = (
        CheckConstraint("offset >= 0"),
        CheckConstraint("length > 0"),
        Index("cachedtranscriptionentity_transcription_id", "transcription_id"),
    )

    transcription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("transcriptions.id"), primary_key=True)
    type: Mapped[str] = mapped_column(String(50), primary_key=True)
    offset: Mapped[int]
    length: Mapped[int]
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
