"""Typed settings and a thin lifecycle runner for Arkindex workers.

Names are resolved when they are first used, so that importing one costs no more than that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names
from arkworker.version import __version__ as __version__

if TYPE_CHECKING:
    from arkworker.arkindex.datasets import DatasetSet as DatasetSet
    from arkworker.cli import command as command
    from arkworker.declaration.metadata import (
        CorpusExport as CorpusExport,
        Declaration as Declaration,
        ElementType as ElementType,
        Model as Model,
        NotDeclared as NotDeclared,
        NotEditable as NotEditable,
        Required as Required,
        S3Bucket as S3Bucket,
        Text as Text,
        WorkerVersion as WorkerVersion,
    )
    from arkworker.elements.model import Element as Element
    from arkworker.elements.results import (
        Child as Child,
        Classification as Classification,
        Created as Created,
        Embedding as Embedding,
        Entity as Entity,
        Link as Link,
        Metadata as Metadata,
        On as On,
        Result as Result,
        Transcription as Transcription,
        Update as Update,
    )
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
    from arkworker.options.configuration import UserConfiguration as UserConfiguration
    from arkworker.options.creates import Creates as Creates, Requires as Requires
    from arkworker.options.secret import Secret as Secret
    from arkworker.runtime.context import WorkerContext as WorkerContext
    from arkworker.runtime.worker import (
        DatasetWorker as DatasetWorker,
        ElementsWorker as ElementsWorker,
        Worker as Worker,
    )
else:
    _HOMES = {
        "ApiError": "errors",
        "ApiResponseError": "errors",
        "ArchiveError": "errors",
        "ArkworkerError": "errors",
        "CacheError": "errors",
        "Child": "elements.results",
        "Classification": "elements.results",
        "ConfigurationError": "errors",
        "CorpusExport": "declaration.metadata",
        "Created": "elements.results",
        "Creates": "options.creates",
        "DatasetSet": "arkindex.datasets",
        "DatasetWorker": "runtime.worker",
        "Declaration": "declaration.metadata",
        "Element": "elements.model",
        "ElementType": "declaration.metadata",
        "ElementsWorker": "runtime.worker",
        "Embedding": "elements.results",
        "Entity": "elements.results",
        "ExitCode": "errors",
        "ExtrasDirNotFoundError": "errors",
        "Link": "elements.results",
        "Metadata": "elements.results",
        "Model": "declaration.metadata",
        "NotDeclared": "declaration.metadata",
        "NotEditable": "declaration.metadata",
        "On": "elements.results",
        "PublicationError": "errors",
        "ReadOnlyError": "errors",
        "Required": "declaration.metadata",
        "Requires": "options.creates",
        "Result": "elements.results",
        "ResultError": "errors",
        "S3Bucket": "declaration.metadata",
        "Secret": "options.secret",
        "SecretError": "errors",
        "Text": "declaration.metadata",
        "Transcription": "elements.results",
        "Update": "elements.results",
        "UserConfiguration": "options.configuration",
        "Worker": "runtime.worker",
        "WorkerContext": "runtime.context",
        "WorkerVersion": "declaration.metadata",
        "command": "cli",
    }

    __getattr__, __dir__ = lazy_names(__name__, _HOMES)


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
    "Created",
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
    "On",
    "PublicationError",
    "ReadOnlyError",
    "Required",
    "Requires",
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
    "command",
]
