"""Setting things up in the emulator from a test or a project file, without going through the API."""

from __future__ import annotations

from arkworker.emulator.arrange.corpora import CorpusArrangement
from arkworker.emulator.arrange.files import FileArrangement
from arkworker.emulator.arrange.published import PublishedResults
from arkworker.emulator.arrange.results import ResultArrangement
from arkworker.emulator.arrange.runs import RunArrangement

__all__ = ["CorpusArrangement", "FileArrangement", "PublishedResults", "ResultArrangement", "RunArrangement"]
