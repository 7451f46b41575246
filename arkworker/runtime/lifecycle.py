"""The life of a worker, from its inputs to its exit code."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, ExitCode
from arkworker.runtime import logs
from arkworker.runtime.context import CacheStandIn
from arkworker.runtime.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.preparation import Preparation
    from arkworker.runtime.worker import Worker

logger = logging.getLogger("arkworker")


def run(worker: Worker[Any], preparation: Preparation) -> int:
    """Prepare, hand over, finish; answers the exit code.

    Raises:
        ArkworkerError: What ended the run, where it was not user code; its class decides the exit code.
    """
    with Stopping() as stopping:
        context = preparation.prepare()
        announce(context, preparation)
        stopping.check()
        with open_cache_of(context, preparation) as sessions:
            try:
                with stopping.user_code():
                    worker.setup(context)
                with sessions() as cache, stopping.user_code():
                    worker.run(context, cache)
            except ArkworkerError:
                raise
            except (Exception, SystemExit):
                logger.exception("The worker failed")
                return ExitCode.FAILED
            finally:
                tear_down(worker, context)
    return ExitCode.OK


def announce(context: WorkerContext[Any], preparation: Preparation) -> None:
    """What a person reads first in the log of a task."""
    for warning in preparation.resolution.ledger.warnings:
        place = f" ({warning.location})" if warning.location else ""
        logger.warning("%s%s: %s", warning.path or warning.source, place, warning.message)
    if debug_of(context.config):
        logs.set_level(verbose=True)
    if context.is_read_only:
        missing = "" if preparation.resolution.settings.dev else ": ARKINDEX_WORKER_RUN_ID is not set"
        logger.warning("Running in developer mode, read-only%s", missing)
    logger.info("Worker will use %s as working directory", context.work_dir)


def debug_of(config: Any) -> bool:
    """Whether the option `debug`, which Arkindex reserves, is on."""
    return bool(config.get("debug") if isinstance(config, dict) else getattr(config, "debug", False))


@contextmanager
def open_cache_of(context: WorkerContext[Any], preparation: Preparation) -> Iterator[Any]:
    """A factory of sessions of the worker's cache: merged from the parents, opened, or in memory."""
    if not context.use_cache:
        yield _no_session
        return
    from functools import partial

    from arkworker.runtime import cache

    if preparation.parent_caches and context.cache_path is not None:
        context.cache_path.parent.mkdir(parents=True, exist_ok=True)
        cache.merge(preparation.parent_caches, context.cache_path)
    engine = cache.open_cache(context.cache_path)
    try:
        yield partial(cache.session_scope, engine)
    finally:
        engine.dispose()


@contextmanager
def _no_session() -> Iterator[CacheStandIn]:
    yield CacheStandIn()


def tear_down(worker: Worker[Any], context: WorkerContext[Any]) -> None:
    try:
        worker.teardown(context)
    except (Exception, SystemExit):
        logger.exception("The worker's teardown failed")
