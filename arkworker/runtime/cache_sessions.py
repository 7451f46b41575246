"""The worker's cache of a run: merged from those of the parent tasks, newly created, shared, in memory, or none.

User code gets sessions of it; so does what reads elements.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker")


class CacheStandIn:
    """Stands where a worker without a cache gets its session: says what to do when it is touched."""

    def __getattr__(self, name: str) -> Any:
        raise ArkworkerError("this worker has no cache: set uses_cache = True on its class")

    def __repr__(self) -> str:
        return "<no cache: set uses_cache = True on the worker's class>"


def opened_cache(
    context: WorkerContext[Any], parents: Sequence[Path], stopping: Stopping, *, is_trial: bool = False
) -> AbstractContextManager[Any]:
    """A factory of sessions of the worker's cache, for a `with` block.

    Args:
        context: The worker's context.
        parents: The caches of parent tasks, which are merged into it first.
        stopping: Ends a merge at a signal.
        is_trial: Whether no file is made where there is none.

    Raises:
        CacheError: It cannot be opened, or a parent's is damaged.
        StoppedError: A signal came.
    """
    return _sessions(context, lambda: _merged(context, parents, stopping, is_trial=is_trial))


def shared_cache(context: WorkerContext[Any]) -> AbstractContextManager[Any]:
    """As `opened_cache`, for one process of several: one writes, the others wait; in memory, each has its own."""

    def share() -> Engine:
        from arkworker.storage import cache

        return cache.open_cache(context.cache_path, is_shared=True)

    return _sessions(context, share)


@contextmanager
def _sessions(context: WorkerContext[Any], open_engine: Callable[[], Engine]) -> Iterator[Any]:
    if not context.use_cache:
        yield _no_session
        return
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.storage import cache

    engine = open_engine()
    sessions = Sessions(partial(cache.session_scope, engine), began_empty=context.cache_path is None)
    context.services.sessions = sessions  # for what is read about elements
    try:
        yield sessions
    finally:
        sessions.close()
        engine.dispose()


@contextmanager
def _no_session() -> Iterator[CacheStandIn]:
    yield CacheStandIn()


def _merged(context: WorkerContext[Any], parents: Sequence[Path], stopping: Stopping, *, is_trial: bool) -> Engine:
    from arkworker.storage import cache
    from arkworker.storage.files import check_replaceable

    path, limits = context.cache_path, cache.Limits()
    is_new = context.is_developer_mode and path is not None and not os.path.lexists(path)
    if is_new:
        logger.warning("There is no cache %s: %s", path, "a run will create it" if is_trial else "it is created")
    try:
        with stopping.calling(limits.cancel):
            stopping.check()
            if path is not None and parents:
                path.parent.mkdir(parents=True, exist_ok=True)
                cache.merge(list(parents), path, limits=limits)
            if path is not None and is_new and is_trial:
                check_replaceable(cache.find_target(path))
                return cache.open_cache(None)
            return cache.open_cache(path, create=is_new, checked=bool(parents), limits=limits)
    except CacheError:
        stopping.check()  # what a signal ended says nothing about the cache
        raise
    except OSError as error:
        raise CacheError(path or "", f"cannot be made: {error.strerror}") from None
