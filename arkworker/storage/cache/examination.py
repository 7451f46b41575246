"""The checks of a merge, side by side in threads: SQLite does its work outside Python's lock."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from arkworker.storage.cache.assembly import Source, check_references
from arkworker.storage.cache.connection import reading
from arkworker.storage.cache.files import admit_own
from arkworker.storage.cache.inspection import THOROUGH_BYTES, check_integrity, check_schema, check_whole, read_objects
from arkworker.storage.cache.limits import MAX_BYTES, MAX_SECONDS, MAX_VALUE_BYTES, Deadline, Limits
from arkworker.storage.cache.refusal import refusal, refusing
from arkworker.storage.cache.rows import check_entities, check_rows
from arkworker.storage.cache.schema import MERGED_VERSIONS, SCHEMA_VERSION, TABLES, columns_of, is_exactly_ours

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from arkworker.storage.cache.files import ParentFile


class Examiner:
    """Checks parents and results; each check has a connection of its own."""

    def __init__(self, pool: ThreadPoolExecutor, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    def read_schema(self, file: ParentFile, versions: Collection[int] = MERGED_VERSIONS) -> Source:
        """Raises: CacheError: The file is no cache of one of the versions."""
        with self._reading(file) as connection:
            version = check_schema(connection, file.path, versions)
            objects = read_objects(connection)
            is_inert = not any(kind in ("trigger", "view") for kind, *_ in objects)
            return Source(file, version, file.is_ordinary and is_exactly_ours(objects), is_inert)

    def start(self, source: Source) -> Callable[[], None]:
        """Start to check all the tables of a parent; what is returned waits for the end.

        Raises:
            CacheError: From what is returned: the parent is damaged, or has values that no model can read.
        """
        tasks = [self._pool.submit(self._check_integrity, source)]
        tasks += [self._pool.submit(self._check_rows, source, table) for table in columns_of(source.version)]
        return lambda: _wait(tasks)

    def check_pages(self, file: ParentFile) -> None:
        """Raises: CacheError: The structure of the file is damaged, also where it is free: it will be written to."""
        with self._reading(file) as connection:
            check_whole(connection, file.path)

    def check_result(self, built: Path, output: str, sources: Sequence[Source]) -> None:
        """Raises: CacheError: A reference of the result leads nowhere, or it was not written as it should."""
        tasks = [self._pool.submit(self._check_references, built, output, table, sources) for table in TABLES]
        is_checked_copy = len(sources) == 1 and sources[0].is_exact
        if not is_checked_copy:
            tasks.append(self._pool.submit(self._check_structure, built, output))
        _wait(tasks)

    def _check_integrity(self, source: Source) -> None:
        file = source.file
        with self._reading(file, jumps=True) as connection:
            if source.is_exact:
                check_whole(connection, file.path, thorough=True)
                return
            for table in columns_of(source.version):
                check_integrity(connection, file.path, table, thorough=file.size < THOROUGH_BYTES)

    def _check_rows(self, source: Source, table: str) -> None:
        path, columns = source.file.path, columns_of(source.version)[table]
        with self._reading(source.file) as connection:
            if any(column.name == "entity_id" for column in columns):
                check_entities(connection, path)
            check_rows(connection, path, table, columns)

    @contextlib.contextmanager
    def _reading(self, file: ParentFile, *, jumps: bool = False) -> Iterator[sqlite3.Connection]:
        with (
            refusing(file.path, self._limits.deadline),
            reading(file.readable, self._limits, is_shared=file.is_shared, jumps=jumps) as connection,
        ):
            yield connection

    def _check_references(self, built: Path, output: str, table: str, sources: Sequence[Source]) -> None:
        with refusing(output, self._limits.deadline), reading(built, self._limits) as connection:
            check_references(connection, table, sources, output, self._limits)

    def _check_structure(self, built: Path, output: str) -> None:
        with refusing(output, self._limits.deadline), reading(built, self._limits) as connection:
            check_whole(connection, output)


def check_own(path: str, real: Path) -> None:
    """Check the cache of the task itself, as far as a parent is checked; user code will write to it.

    Raises:
        CacheError: It cannot be used.
    """
    file = admit_own(path, real)
    with examining(Limits(MAX_BYTES, MAX_VALUE_BYTES, Deadline(MAX_SECONDS))) as examiner:
        source = examiner.read_schema(file, (SCHEMA_VERSION,))
        if not source.is_inert:
            raise refusal(path, "has triggers or views, which would run when it is used")
        if not source.is_exact:
            examiner.check_pages(file)
        examiner.start(source)()


@contextlib.contextmanager
def examining(limits: Limits) -> Iterator[Examiner]:
    """Threads for the checks; when the block fails, those under way are given up."""
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="arkworker-cache")
    try:
        yield Examiner(pool, limits)
    except BaseException:
        limits.deadline.give_up()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _wait(tasks: list[Future[None]]) -> None:
    for task in tasks:
        task.result()
