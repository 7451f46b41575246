"""Typed settings and a thin lifecycle runner for Arkindex workers.

Names are resolved when they are first used, so that importing one costs no more than that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.configuration import UserConfiguration as UserConfiguration
    from arkworker.creates import Creates as Creates
    from arkworker.declaration.metadata import Declaration as Declaration
    from arkworker.element import Element as Element
    from arkworker.errors import (
        ApiError as ApiError,
        ApiResponseError as ApiResponseError,
        ArchiveError as ArchiveError,
        ArkworkerError as ArkworkerError,
        CacheError as CacheError,
        ConfigurationError as ConfigurationError,
        ExitCode as ExitCode,
        ExtrasDirNotFoundError as ExtrasDirNotFoundError,
        PublicationError as PublicationError,
        ReadOnlyError as ReadOnlyError,
        ResultError as ResultError,
        SecretError as SecretError,
    )
    from arkworker.form import (
        CorpusExport as CorpusExport,
        ElementType as ElementType,
        Model as Model,
        NotDeclared as NotDeclared,
        NotEditable as NotEditable,
        Required as Required,
        S3Bucket as S3Bucket,
        Text as Text,
        WorkerVersion as WorkerVersion,
    )
    from arkworker.results import (
        Child as Child,
        Classification as Classification,
        Embedding as Embedding,
        Entity as Entity,
        Link as Link,
        Metadata as Metadata,
        Result as Result,
        Transcription as Transcription,
        Update as Update,
    )
    from arkworker.runtime.context import WorkerContext as WorkerContext
    from arkworker.runtime.datasets import DatasetSet as DatasetSet
    from arkworker.runtime.elements_worker import DatasetWorker as DatasetWorker, ElementsWorker as ElementsWorker
    from arkworker.runtime.worker import Worker as Worker
    from arkworker.secret import Secret as Secret
else:
    _HOMES = {
        "ApiError": "errors",
        "ApiResponseError": "errors",
        "ArchiveError": "errors",
        "ArkworkerError": "errors",
        "CacheError": "errors",
        "Child": "results",
        "Classification": "results",
        "ConfigurationError": "errors",
        "CorpusExport": "form",
        "Creates": "creates",
        "DatasetSet": "runtime.datasets",
        "DatasetWorker": "runtime.elements_worker",
        "Declaration": "declaration.metadata",
        "Element": "element",
        "ElementType": "form",
        "ElementsWorker": "runtime.elements_worker",
        "Embedding": "results",
        "Entity": "results",
        "ExitCode": "errors",
        "ExtrasDirNotFoundError": "errors",
        "Link": "results",
        "Metadata": "results",
        "Model": "form",
        "NotDeclared": "form",
        "NotEditable": "form",
        "PublicationError": "errors",
        "ReadOnlyError": "errors",
        "Required": "form",
        "Result": "results",
        "ResultError": "errors",
        "S3Bucket": "form",
        "Secret": "secret",
        "SecretError": "errors",
        "Text": "form",
        "Transcription": "results",
        "Update": "results",
        "UserConfiguration": "configuration",
        "Worker": "runtime.worker",
        "WorkerContext": "runtime.context",
        "WorkerVersion": "form",
    }

    __getattr__, __dir__ = lazy_names(__name__, _HOMES)


__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "ApiResponseError",
    "ArchiveError",
    "ArkworkerError",
    "CacheError",
    "Child",
    "Classification",
    "ConfigurationError",
    "CorpusExport",
    "Creates",
    "DatasetSet",
    "DatasetWorker",
    "Declaration",
    "Element",
    "ElementType",
    "ElementsWorker",
    "Embedding",
    "Entity",
    "ExitCode",
    "ExtrasDirNotFoundError",
    "Link",
    "Metadata",
    "Model",
    "NotDeclared",
    "NotEditable",
    "PublicationError",
    "ReadOnlyError",
    "Required",
    "Result",
    "ResultError",
    "S3Bucket",
    "Secret",
    "SecretError",
    "Text",
    "Transcription",
    "Update",
    "UserConfiguration",
    "Worker",
    "WorkerContext",
    "WorkerVersion",
]
