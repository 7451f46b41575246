"""The tables of the emulated Arkindex, in SQLite."""

from __future__ import annotations

import os
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if TYPE_CHECKING:
    from sqlalchemy import Dialect

# One for each new type, in turn; they differ in lightness too.
COLORS = ("1f77b4", "d62728", "2ca02c", "9467bd", "ff7f0e", "8c564b", "e377c2", "17becf")
# One for each new entity type, in turn.
ENTITY_COLORS = ("ff6361", "58508d", "ffa600", "00a88f", "bc5090", "3f87d9", "7a9a01", "a05a2c")

# A list of points [x, y], in pixels of the whole image.
Polygon: TypeAlias = list[list[int | float]]
Json: TypeAlias = dict[str, Any]


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> str:
    """This moment as Arkindex writes it, `2026-01-31T12:00:00.000000Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class FilePath(TypeDecorator[Path]):
    """The path of a file, in bytes: the name of an old scan need not be UTF-8."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - as declared
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Path | None:  # noqa: ARG002 - the same
        return None if value is None else Path(os.fsdecode(value))


class Base(DeclarativeBase):
    """A table; `position` keeps the order in which its rows came."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Polygon: JSON,
        Json: JSON,
        list[str]: JSON,
        list[float]: JSON,
        Path: FilePath,
    }

    position: Mapped[int] = mapped_column(primary_key=True)

    def __init_subclass__(cls, table: str = "", unique: tuple[str, ...] = (), **options: Any) -> None:
        if table:
            cls.__tablename__ = table
        if unique:
            cls.__table_args__ = (UniqueConstraint(*unique),)
        super().__init_subclass__(**options)


class Row(Base):
    """A table whose rows are named by a UUID."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    created: Mapped[str] = mapped_column(default=now)


class Corpus(Row, table="corpora"):
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    public: Mapped[bool] = mapped_column(default=False)


class ElementType(Row, table="element_types", unique=("corpus_id", "slug")):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    slug: Mapped[str]
    display_name: Mapped[str]
    folder: Mapped[bool] = mapped_column(default=False)
    color: Mapped[str] = mapped_column(default="28b62c")


class EntityType(Row, table="entity_types", unique=("corpus_id", "name")):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]
    color: Mapped[str] = mapped_column(default="ff0000")


class MLClass(Row, table="ml_classes", unique=("corpus_id", "name")):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]


class Image(Row, table="images"):
    """An image; its pixels are in `file`, or on another server, or drawn when there are none (`file` is null)."""

    path: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    status: Mapped[str] = mapped_column(default="checked")
    file: Mapped[Path | None]
    external_url: Mapped[str | None] = mapped_column(unique=True)
    hash: Mapped[str | None]


class Element(Row, table="elements"):
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


class ElementLink(Base, table="element_links", unique=("parent_id", "child_id")):
    """A child of an element; an element may have several parents."""

    parent_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))
    child_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)


class Artifact(Row, table="artifacts", unique=("task_id", "path")):
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id"))
    path: Mapped[str]
    size: Mapped[int]
    content_type: Mapped[str]
    updated: Mapped[str] = mapped_column(default=now)


class Model(Row, table="models"):
    name: Mapped[str]


class ModelVersion(Row, table="model_versions", unique=("model_id", "tag")):
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    parent: Mapped[str | None]
    tag: Mapped[str | None]
    description: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="created")
    size: Mapped[int | None]
    archive_hash: Mapped[str | None]
    etag: Mapped[str | None]
    # The folder that the archive is made of, when it is asked for.
    files: Mapped[Path | None]
    configuration: Mapped[Json]

    model: Mapped[Model] = relationship(lazy="joined", innerjoin=True)


class Upload(Row, table="uploads"):
    """A file that comes in parts."""

    object_type: Mapped[str]
    object_id: Mapped[str]


class Dataset(Row, table="datasets"):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="open")
    unique_elements: Mapped[bool] = mapped_column(default=True)
    updated: Mapped[str] = mapped_column(default=now)

    sets: Mapped[list[DatasetSet]] = relationship(order_by="DatasetSet.position", back_populates="dataset")


class DatasetSet(Row, table="dataset_sets", unique=("dataset_id", "name")):
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    name: Mapped[str]

    dataset: Mapped[Dataset] = relationship(back_populates="sets")


class DatasetElement(Base, table="dataset_elements", unique=("set_id", "element_id")):
    set_id: Mapped[str] = mapped_column(ForeignKey("dataset_sets.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))

    set: Mapped[DatasetSet] = relationship(lazy="joined", innerjoin=True)
    element: Mapped[Element] = relationship(lazy="joined", innerjoin=True)


class Export(Row, table="exports"):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"))
    state: Mapped[str] = mapped_column(default="created")
    updated: Mapped[str] = mapped_column(default=now)


class Secret(Row, table="secrets"):
    name: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]


class Process(Row, table="processes"):
    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str | None]
    mode: Mapped[str] = mapped_column(default="workers")
    state: Mapped[str] = mapped_column(default="running")
    activity_state: Mapped[str] = mapped_column(default="ready")
    chunks: Mapped[int] = mapped_column(default=1)
    skip_elements_json: Mapped[bool] = mapped_column(default=True)


class ProcessElement(Base, table="process_elements", unique=("process_id", "element_id")):
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))


class ProcessSet(Base, table="process_sets", unique=("process_id", "set_id")):
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    set_id: Mapped[str] = mapped_column(ForeignKey("dataset_sets.id"))


class WorkerVersion(Row, table="worker_versions"):
    """A worker as it was declared; `legacy` is the declaration's generation, before Arkindex 1.12."""

    worker_id: Mapped[str]
    declaration: Mapped[Json]
    legacy: Mapped[bool] = mapped_column(default=False)


class WorkerRun(Row, table="worker_runs"):
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    version_id: Mapped[str] = mapped_column(ForeignKey("worker_versions.id"))
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_versions.id"))
    summary: Mapped[str]
    parents: Mapped[list[str]]
    # What users saved: a mapping, as in `worker configuration`.
    saved: Mapped[Json | None]
    # The answer of RetrieveWorkerRunConfiguration as a test wants it, instead of the one computed.
    answer: Mapped[Json | None]

    process: Mapped[Process] = relationship(lazy="joined", innerjoin=True)
    version: Mapped[WorkerVersion] = relationship(lazy="joined", innerjoin=True)
    model_version: Mapped[ModelVersion | None] = relationship()


class Activity(Row, table="activities"):
    """How far a worker run has come with one element."""

    __table_args__ = (UniqueConstraint("worker_run_id", "element_id"), Index("queue", "worker_run_id", "state"))

    worker_run_id: Mapped[str] = mapped_column(ForeignKey("worker_runs.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))
    state: Mapped[str] = mapped_column(default="queued")
    updated: Mapped[str] = mapped_column(default=now)


class Task(Row, table="tasks"):
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    worker_run_id: Mapped[str | None] = mapped_column(ForeignKey("worker_runs.id"))
    slug: Mapped[str]
    state: Mapped[str] = mapped_column(default="running")
    run: Mapped[int] = mapped_column(default=0)
    depth: Mapped[int] = mapped_column(default=0)
    chunk: Mapped[int | None]
    token: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_hex(20))
    parents: Mapped[list[str]]


class Signed(Row):
    """A result, signed by the worker run that found it (none: made by a person)."""

    __abstract__ = True

    worker_run_id: Mapped[str | None] = mapped_column(ForeignKey("worker_runs.id"))


class Transcription(Signed, table="transcriptions"):
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    text: Mapped[str]
    confidence: Mapped[float | None]
    orientation: Mapped[str] = mapped_column(default="horizontal-lr")

    element: Mapped[Element] = relationship()


class TranscriptionEntity(Signed, table="transcription_entities"):
    transcription_id: Mapped[str] = mapped_column(ForeignKey("transcriptions.id"), index=True)
    type_id: Mapped[str] = mapped_column(ForeignKey("entity_types.id"))
    offset: Mapped[int]
    length: Mapped[int]
    confidence: Mapped[float | None]

    type: Mapped[EntityType] = relationship(lazy="joined", innerjoin=True)


class Classification(Signed, table="classifications", unique=("element_id", "worker_run_id", "ml_class_id")):
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    ml_class_id: Mapped[str] = mapped_column(ForeignKey("ml_classes.id"))
    confidence: Mapped[float]
    high_confidence: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="pending")

    ml_class: Mapped[MLClass] = relationship(lazy="joined", innerjoin=True)


class MetaData(Signed, table="metadata"):
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    type: Mapped[str]
    name: Mapped[str]
    value: Mapped[str]


class Embedding(Signed, table="embeddings"):
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"), index=True)
    value: Mapped[list[float]]
