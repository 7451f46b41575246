"""Corpora, their types and classes, and the elements in them."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arkworker.emulator.tables.base import Base, Polygon, Row


class Corpus(Row):
    __tablename__ = "corpora"

    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    public: Mapped[bool] = mapped_column(default=False)


class ElementType(Row):
    __tablename__ = "element_types"
    __table_args__ = (UniqueConstraint("corpus_id", "slug"),)

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    slug: Mapped[str]
    display_name: Mapped[str]
    folder: Mapped[bool] = mapped_column(default=False)
    color: Mapped[str] = mapped_column(default="28b62c")


class EntityType(Row):
    __tablename__ = "entity_types"
    __table_args__ = (UniqueConstraint("corpus_id", "name"),)

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]
    color: Mapped[str] = mapped_column(default="ff0000")


class MLClass(Row):
    __tablename__ = "ml_classes"
    __table_args__ = (UniqueConstraint("corpus_id", "name"),)

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]


class Image(Row):
    """An image; its pixels are in `file`, or on another server, or drawn when there are none (`file` is empty)."""

    __tablename__ = "images"

    path: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    status: Mapped[str] = mapped_column(default="checked")
    file: Mapped[str] = mapped_column(default="")
    external_url: Mapped[str | None] = mapped_column(unique=True)
    hash: Mapped[str | None]


class Element(Row):
    __tablename__ = "elements"

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"), index=True)
    type_id: Mapped[str] = mapped_column(ForeignKey("element_types.id"))
    image_id: Mapped[str | None] = mapped_column(ForeignKey("images.id"))
    worker_run_id: Mapped[str | None] = mapped_column(ForeignKey("worker_runs.id"))
    name: Mapped[str]
    polygon: Mapped[Polygon | None]
    rotation_angle: Mapped[int] = mapped_column(default=0)
    mirrored: Mapped[bool] = mapped_column(default=False)
    confidence: Mapped[float | None]

    corpus: Mapped[Corpus] = relationship(lazy="joined", innerjoin=True)
    type: Mapped[ElementType] = relationship(lazy="joined", innerjoin=True)
    image: Mapped[Image | None] = relationship(lazy="joined")


class ElementLink(Base):
    """A child of an element; an element may have several parents."""

    __tablename__ = "element_links"
    __table_args__ = (UniqueConstraint("parent_id", "child_id"),)

    position: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))
    child_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
