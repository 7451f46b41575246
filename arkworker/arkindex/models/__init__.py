"""Versions of models: archived, announced to Arkindex, uploaded to its storage in parts, made available."""

from __future__ import annotations

from arkworker.arkindex.models.publication import publish_model_version, update_model_version
from arkworker.arkindex.models.versions import ModelVersion

__all__ = ["ModelVersion", "publish_model_version", "update_model_version"]
