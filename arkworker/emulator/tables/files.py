"""What is stored as files, and what names them: artifacts, models, datasets, exports, secrets, uploads."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arkworker.emulator.tables.base import Base, Json, Row, now
from arkworker.emulator.tables.corpora import Element  # noqa: TC001 - SQLAlchemy reads it


class Artifact(Row):
    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("task_id", "path"),)

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id"))
    path: Mapped[str]
    size: Mapped[int]
    content_type: Mapped[str]
    updated: Mapped[str] = mapped_column(default=now)


class Model(Row):
    __tablename__ = "models"

    name: Mapped[str]


class ModelVersion(Row):
    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("model_id", "tag"),)

    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    parent: Mapped[str | None]
    tag: Mapped[str | None]
    description: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="created")
    size: Mapped[int | None]
    archive_hash: Mapped[str | None]
    etag: Mapped[str | None]
    configuration: Mapped[Json]

    model: Mapped[Model] = relationship(lazy="joined", innerjoin=True)


class Upload(Row):
    """A file that comes in parts."""

    __tablename__ = "uploads"

    object_type: Mapped[str]
    object_id: Mapped[str]


class Dataset(Row):
    __tablename__ = "datasets"

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="open")
    unique_elements: Mapped[bool] = mapped_column(default=True)
    updated: Mapped[str] = mapped_column(default=now)

    sets: Mapped[list[DatasetSet]] = relationship(order_by="DatasetSet.position", back_populates="dataset")


class DatasetSet(Row):
    __tablename__ = "dataset_sets"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    name: Mapped[str]

    dataset: Mapped[Dataset] = relationship(back_populates="sets")


class DatasetElement(Base):
    __tablename__ = "dataset_elements"
    __table_args__ = (UniqueConstraint("set_id", "element_id"),)

    position: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[str] = mapped_column(ForeignKey("dataset_sets.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))

    set: Mapped[DatasetSet] = relationship(lazy="joined", innerjoin=True)
    element: Mapped[Element] = relationship(lazy="joined", innerjoin=True)


class Export(Row):
    __tablename__ = "exports"

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"))
    state: Mapped[str] = mapped_column(default="created")
    updated: Mapped[str] = mapped_column(default=now)


class Secret(Row):
    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]
