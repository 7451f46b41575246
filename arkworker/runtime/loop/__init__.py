"""The element loop: claims and retrieves ahead, reports behind, and counts; user code stays in the main thread."""

from __future__ import annotations

from arkworker.runtime.loop.run import process_elements

__all__ = ["process_elements"]
