"""The tables of the emulated Arkindex, in SQLite."""

from __future__ import annotations

from arkworker.emulator.tables.base import Base, Json, Polygon, Row, new_id, now
from arkworker.emulator.tables.corpora import Corpus, Element, ElementLink, ElementType, EntityType, Image, MLClass
from arkworker.emulator.tables.files import (
    Artifact,
    Dataset,
    DatasetElement,
    DatasetSet,
    Export,
    Model,
    ModelVersion,
    Secret,
    Upload,
)
from arkworker.emulator.tables.processes import (
    Activity,
    Process,
    ProcessElement,
    ProcessSet,
    Task,
    WorkerRun,
    WorkerVersion,
)
from arkworker.emulator.tables.results import (
    Classification,
    Embedding,
    MetaData,
    Signed,
    Transcription,
    TranscriptionEntity,
)

__all__ = [
    "Activity",
    "Artifact",
    "Base",
    "Classification",
    "Corpus",
    "Dataset",
    "DatasetElement",
    "DatasetSet",
    "Element",
    "ElementLink",
    "ElementType",
    "Embedding",
    "EntityType",
    "Export",
    "Image",
    "Json",
    "MLClass",
    "MetaData",
    "Model",
    "ModelVersion",
    "Polygon",
    "Process",
    "ProcessElement",
    "ProcessSet",
    "Row",
    "Secret",
    "Signed",
    "Task",
    "Transcription",
    "TranscriptionEntity",
    "Upload",
    "WorkerRun",
    "WorkerVersion",
    "new_id",
    "now",
]
