"""The cache: what the tasks of a process know about elements, in one SQLite file that the next task takes over.

Its schema is version 5 of the published library, column for column, so that either opens the files of the other.
"""

from __future__ import annotations

from arkworker.storage.cache.database import Limits
from arkworker.storage.cache.engine import open_cache, session_scope
from arkworker.storage.cache.merging import MergeReport, find_parent_caches, find_target, merge
from arkworker.storage.cache.models import (
    CachedClassification,
    CachedDataset,
    CachedDatasetElement,
    CachedElement,
    CachedImage,
    CachedTranscription,
    CachedTranscriptionEntity,
    CacheModel,
)
from arkworker.storage.cache.schema import SCHEMA_VERSION

__all__ = [
    "SCHEMA_VERSION",
    "CacheModel",
    "CachedClassification",
    "CachedDataset",
    "CachedDatasetElement",
    "CachedElement",
    "CachedImage",
    "CachedTranscription",
    "CachedTranscriptionEntity",
    "Limits",
    "MergeReport",
    "find_parent_caches",
    "find_target",
    "merge",
    "open_cache",
    "session_scope",
]
