"""Merge the caches of the parent tasks into the cache of a task: all of them, in order, or nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from arkworker.storage.cache import assembly
from arkworker.storage.cache.connection import building
from arkworker.storage.cache.examination import examining
from arkworker.storage.cache.files import ParentFile, admit
from arkworker.storage.cache.limits import MAX_BYTES, MAX_SECONDS, MAX_VALUE_BYTES, Deadline, Limits
from arkworker.storage.cache.publication import find_target, publish, scratch_directory
from arkworker.storage.cache.refusal import refusal, refusing
from arkworker.storage.cache.schema import TABLES
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

_logger = logging.getLogger("arkworker.cache")


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did.

    Attributes:
        rows: How many rows each table of the result has.
        conflicts: How many rows replaced one with the same id and other content.
    """

    rows: Mapping[str, int]
    conflicts: int


def merge(  # noqa: PLR0913 - the limits are named by the caller, one by one
    parents: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    on_conflict: Literal["replace", "refuse"] = "replace",
    max_bytes: int = MAX_BYTES,
    max_value_bytes: int = MAX_VALUE_BYTES,
    max_seconds: float = MAX_SECONDS,
) -> MergeReport:
    """Merge parents of versions 3 to 5 into a new cache of version 5 that takes the place of `output`.

    Parents are only read. Until the result is complete, checked and on the disk, `output` stays as it is; what it
    held is not part of the result. Of the entities of version 3, only the types have a place in version 5, and one of
    each type in a transcription; others of the same type count as conflicts.

    Args:
        parents: Their paths; a row of a later one replaces a row with the same id of an earlier one.
        output: The path of the task's own cache.
        on_conflict: Whether a row with the same id and other content is replaced, or the merge refused.
        max_bytes: The size of one parent, its write-ahead log included.
        max_value_bytes: The size of one value of a parent.
        max_seconds: The time of the whole merge.

    Raises:
        ValueError: `on_conflict` is neither.
        CacheError: A parent cannot be used, or the result cannot be written. Nothing is left behind.
    """
    if on_conflict not in ("replace", "refuse"):
        raise ValueError(f"on_conflict is replace or refuse, not {on_conflict!r}")
    target = find_target(output)
    limits = Limits(max_bytes, max_value_bytes, Deadline(max_seconds))
    with refusing(target, limits.deadline), scratch_directory(target) as scratch:
        files = [admit(parent, scratch / f"parent-{number}", limits) for number, parent in enumerate(parents)]
        _refuse_itself(files, target)
        work = _Work(scratch / "cache.sqlite", target, limits)
        with examining(limits) as examiner:
            sources = [examiner.read_schema(file) for file in files]
            if sources and sources[0].is_exact:
                sources[0] = assembly.copy(sources[0], work.built)
            checks = [examiner.start(source) for source in sources]
            report = _assemble(work, list(zip(sources, checks, strict=True)), strict=on_conflict == "refuse")
            examiner.check_result(work.built, str(target), sources)
        for file in files:
            file.check_unchanged()
        publish(work.built, target)
    if report.conflicts:
        message = "%s: %d rows of the parents replaced a row with the same id and other content"
        _logger.warning(message, printable(str(target)), report.conflicts)
    return report


@dataclass(frozen=True, slots=True)
class _Work:
    built: Path
    target: Path
    limits: Limits


def _assemble(work: _Work, parents: list[tuple[assembly.Source, Callable[[], None]]], *, strict: bool) -> MergeReport:
    """Add each parent once its own checks have passed; those of later ones go on meanwhile."""
    copied = bool(parents) and parents[0][0].is_exact
    if copied:
        _, wait = parents.pop(0)
        wait()
    with building(work.built, work.limits) as connection:
        if not copied:
            assembly.create(connection)
        elif parents:
            assembly.drop_indexes(connection)
        conflicts = 0
        for source, wait in parents:
            wait()
            with refusing(source.file.path, work.limits.deadline, output=work.target):
                conflicts += assembly.add(connection, source, refuse_conflicts=strict)
        assembly.complete_indexes(connection)
        rows = {table: assembly.count_rows(connection, table) for table in TABLES}
    return MergeReport(MappingProxyType(rows), conflicts)


def _refuse_itself(files: list[ParentFile], target: Path) -> None:
    for file in files:
        if target.exists() and target.samefile(file.path):
            raise refusal(file.path, "is both a parent and the output")
