"""Archives of Arkindex, `.tar.zst`: extracted without trusting what they say, created the same each time."""

from __future__ import annotations

from arkworker.storage.archives.creation import create
from arkworker.storage.archives.extraction import extract, extract_parent_archives

__all__ = ["create", "extract", "extract_parent_archives"]
