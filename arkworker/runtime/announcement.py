"""What a person reads first in the log of a task, and when it is asked to stop."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from arkworker.runtime import logs
from arkworker.runtime.explanation import plain
from arkworker.runtime.stopping import try_to_start
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.preparation import Preparation
    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker")

#: Characters of what the log shows of one fact, such as the configuration.
LONGEST_FACT = 2000


def announce(context: WorkerContext[Any], preparation: Preparation) -> None:
    """Log what the sources of settings warn of, and what the run works with; DEBUG, too, where that is wanted."""
    resolution = preparation.resolution
    if resolution.wants_debug or _debug_of(context.config):
        logs.set_level(verbose=True)
    for warning in resolution.ledger.warnings:
        place = f" ({warning.location})" if warning.location else ""
        hint = f"; {warning.hint}" if warning.hint else ""
        logger.warning("%s%s: %s%s", warning.path or warning.source, place, warning.message, hint)
    if context.is_read_only:
        missing = "" if resolution.settings.dev else ": ARKINDEX_WORKER_RUN_ID is not set"
        logger.warning("Running in developer mode, read-only%s", missing)
    for fact in _facts(context, preparation):
        logger.info("%s", printable(fact, LONGEST_FACT))


def _debug_of(config: Any) -> bool:
    """Whether the option `debug`, which Arkindex reserves, is on."""
    return bool(config.get("debug") if isinstance(config, dict) else getattr(config, "debug", False))


def _facts(context: WorkerContext[Any], preparation: Preparation) -> Iterator[str]:
    """What a run works with, one line each; secrets are stars."""
    settings, process = preparation.resolution.settings, context.process
    if context.worker_run_id is not None and process is not None:
        details = context.worker_details
        name = details.get("name") or details.get("slug") or "without a name"
        yield f"Worker run {context.worker_run_id} of the worker {name}, process {process.id} ({process.mode})"
    if context.model_version_id is not None:
        model = context.model_details.get("name")
        yield f"Model version {context.model_version_id}" + (f" of the model {model}" if model else "")
    if settings.config_file and context.is_developer_mode:
        yield f"Configuration file {settings.config_file}"
    shown = plain(context.config)
    if shown:
        yield f"Configuration {json.dumps(shown, ensure_ascii=False)}"
    yield f"Worker will use {context.work_dir} as working directory"
    if context.use_cache:
        parents = ", ".join(map(str, preparation.parent_caches))
        place = context.cache_path or "in memory"
        yield f"Cache {place}, merged from {parents}" if parents else f"Cache {place}"


@contextmanager
def acknowledged(stopping: Stopping, grace: float) -> Iterator[None]:
    """A signal that lets an element end within the grace time is acknowledged: else it may seem not to be heard."""

    def say() -> None:
        told = f"stopping after signal {stopping.received}: what is being processed has {grace:g} s to end; "
        # In a thread: where the log cannot be written, the run still ends.
        try_to_start(
            threading.Thread(target=logger.warning, args=(told + "a second signal ends it at once",), daemon=True)
        )

    with stopping.calling(say):
        yield
