"""What the lifecycle hands to a worker, of whatever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.platform import Settings


@dataclass(frozen=True)
class Handover:
    """A run, set up and ready for user code.

    Attributes:
        context: The worker's context.
        settings: The platform's side of the settings: variables and flags.
        origins: Where a setting came from, by its name: source and location.
        sessions: Makes sessions of the cache; or stand-ins, for workers without one.
        stopping: Knows of signals.
        outbox: Where published results wait for the cache; None without a cache.
        target: How the person who started the worker named it.
    """

    context: WorkerContext[Any]
    settings: Settings
    origins: Mapping[str, tuple[str, str]]
    sessions: Callable[[], Any]
    stopping: Stopping
    outbox: Outbox | None = None
    target: str = ""
