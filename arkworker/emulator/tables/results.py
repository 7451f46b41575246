"""What workers find: transcriptions and their entities, classifications, metadata, embeddings."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arkworker.emulator.tables.base import Row
from arkworker.emulator.tables.corpora import Element, EntityType, MLClass  # noqa: TC001 - SQLAlchemy reads it


class Signed(Row):
    """A result, signed by the worker run that found it (none: made by a person)."""

    __abstract__ = True

    worker_run_id: Mapped[str | None] = mapped_column(ForeignKey("worker_runs.id"))


class Transcription(Signed):
    __tablename__ = "transcriptions"

    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    text: Mapped[str]
    confidence: Mapped[float | None]
    orientation: Mapped[str] = mapped_column(default="horizontal-lr")

    element: Mapped[Element] = relationship()


class TranscriptionEntity(Signed):
    __tablename__ = "transcription_entities"

    transcription_id: Mapped[str] = mapped_column(ForeignKey("transcriptions.id"), index=True)
    type_id: Mapped[str] = mapped_column(ForeignKey("entity_types.id"))
    offset: Mapped[int]
    length: Mapped[int]
    confidence: Mapped[float | None]

    type: Mapped[EntityType] = relationship(lazy="joined", innerjoin=True)


class Classification(Signed):
    __tablename__ = "classifications"
    __table_args__ = (UniqueConstraint("element_id", "worker_run_id", "ml_class_id"),)

    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    ml_class_id: Mapped[str] = mapped_column(ForeignKey("ml_classes.id"))
    confidence: Mapped[float]
    high_confidence: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="pending")

    ml_class: Mapped[MLClass] = relationship(lazy="joined", innerjoin=True)


class MetaData(Signed):
    __tablename__ = "metadata"

    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    type: Mapped[str]
    name: Mapped[str]
    value: Mapped[str]


class Embedding(Signed):
    __tablename__ = "embeddings"

    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    value: Mapped[list[float]]
