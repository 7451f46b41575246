"""Processes, the worker runs in them, their tasks, and how far each element has come."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arkworker.emulator.tables.base import Base, Json, Row, now
from arkworker.emulator.tables.files import ModelVersion  # noqa: TC001 - SQLAlchemy reads it


class Process(Row):
    __tablename__ = "processes"

    corpus_id: Mapped[str] = mapped_column(ForeignKey("corpora.id"))
    name: Mapped[str | None]
    mode: Mapped[str] = mapped_column(default="workers")
    state: Mapped[str] = mapped_column(default="running")
    activity_state: Mapped[str] = mapped_column(default="ready")
    chunks: Mapped[int] = mapped_column(default=1)
    skip_elements_json: Mapped[bool] = mapped_column(default=True)


class ProcessElement(Base):
    __tablename__ = "process_elements"
    __table_args__ = (UniqueConstraint("process_id", "element_id"),)

    position: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))


class ProcessSet(Base):
    __tablename__ = "process_sets"
    __table_args__ = (UniqueConstraint("process_id", "set_id"),)

    position: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    set_id: Mapped[str] = mapped_column(ForeignKey("dataset_sets.id"))


class WorkerVersion(Row):
    """A worker as it was declared; `legacy` is the declaration's generation, before Arkindex 1.12."""

    __tablename__ = "worker_versions"

    worker_id: Mapped[str]
    declaration: Mapped[Json]
    legacy: Mapped[bool] = mapped_column(default=False)


class WorkerRun(Row):
    __tablename__ = "worker_runs"

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


class Activity(Row):
    """How far a worker run has come with one element."""

    __tablename__ = "activities"
    __table_args__ = (UniqueConstraint("worker_run_id", "element_id"), Index("queue", "worker_run_id", "state"))

    worker_run_id: Mapped[str] = mapped_column(ForeignKey("worker_runs.id"))
    element_id: Mapped[str] = mapped_column(ForeignKey("elements.id"))
    state: Mapped[str] = mapped_column(default="queued")
    updated: Mapped[str] = mapped_column(default=now)


class Task(Row):
    __tablename__ = "tasks"

    process_id: Mapped[str] = mapped_column(ForeignKey("processes.id"))
    worker_run_id: Mapped[str | None] = mapped_column(ForeignKey("worker_runs.id"))
    slug: Mapped[str]
    state: Mapped[str] = mapped_column(default="running")
    run: Mapped[int] = mapped_column(default=0)
    depth: Mapped[int] = mapped_column(default=0)
    chunk: Mapped[int | None]
    token: Mapped[str] = mapped_column(unique=True)
    parents: Mapped[list[str]]
