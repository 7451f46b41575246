"""Versions of models: archived, announced to Arkindex, uploaded to its storage in parts, made available."""

from __future__ import annotations

from .publication import publish_model_version, update_model_version
from .versions import ModelVersion

__all__ = ["ModelVersion", "publish_model_version", "update_model_version"]
