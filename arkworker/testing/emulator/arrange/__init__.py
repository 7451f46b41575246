"""Setting things up in the emulator from a test or a project file, without going through the API."""

from __future__ import annotations

from arkworker.testing.emulator.arrange.corpora import CorpusArrangement
from arkworker.testing.emulator.arrange.files import FileArrangement
from arkworker.testing.emulator.arrange.runs import RunArrangement

__all__ = ["CorpusArrangement", "FileArrangement", "RunArrangement"]
