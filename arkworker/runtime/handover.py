"""What the lifecycle hands to a worker, of whatever kind it is, and what that hands to the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.elements import Element
    from arkworker.runtime.collecting import Collected
    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.platform import Settings


def _nothing() -> None:
    pass


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
        collected: Told of all that a report shows; None where none is wanted.
        begin: Called when `setup` is over.
    """

    context: WorkerContext[Any]
    settings: Settings
    origins: Mapping[str, tuple[str, str]]
    sessions: Callable[[], Any]
    stopping: Stopping
    outbox: Outbox | None = None
    target: str = ""
    collected: Collected | None = None
    begin: Callable[[], None] = _nothing


@dataclass(frozen=True)
class ElementCode:
    """User code of a run over elements, with the context given; each may raise whatever it likes.

    Attributes:
        process: Called with an element and a session of the cache; answers what was found, as a tuple.
        process_batch: Called with several elements and a session; answers a tuple for each, in order. None where the
            worker takes one element at a time.
        batch_size: How many elements `process_batch` takes at most, 1 or more.
        finish: Called with a session, once, after the last element of a run that was not ended early; None where
            there is nothing to do.
    """

    process: Callable[[Element, Any], tuple[Any, ...]]
    process_batch: Callable[[Sequence[Element], Any], list[tuple[Any, ...]]] | None = None
    batch_size: int = 1
    finish: Callable[[Any], None] | None = None
