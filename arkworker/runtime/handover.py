"""What the lifecycle hands to a worker, of whatever kind it is, and what that hands to the loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from arkworker.errors import ExitCode, StoppedError
from arkworker.frozen import FrozenDict
from arkworker.runtime import log_lines
from arkworker.runtime.failures import named, shown_of
from arkworker.runtime.services import LatePublisher
from arkworker.runtime.stopping import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.arkindex.publishing.outbox import Outbox
    from arkworker.elements.model import Element
    from arkworker.runtime.collecting import Collected
    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.loop.outcome import Outcome
    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.platform import Settings

logger = logging.getLogger("arkworker.elements")


class Handover(NamedTuple):
    """A run, set up and ready for user code.

    Attributes:
        context: The worker's context.
        settings: The platform's side of the settings: variables and flags.
        sessions: Makes sessions of the cache; or stand-ins, for workers without one.
        stopping: Knows of signals.
        target: How the person who started the worker named it.
        outcome: Told what becomes of elements.
        origins: Where a setting came from, by its name: source and location.
        outbox: Where published results wait for the cache; None without a cache.
        folder: Where the target was named: relative paths in it belong there, wherever user code moves. Empty where
            that is not known.
    """

    context: WorkerContext[Any]
    settings: Settings
    sessions: Callable[[], Any]
    stopping: Stopping
    target: str
    outcome: Outcome
    origins: Mapping[str, tuple[str, str]] = FrozenDict()
    outbox: Outbox | None = None
    folder: str = ""

    def with_outbox(self) -> Handover:
        """The same, with an outbox where there is a cache: what user code publishes before it ends goes there, too."""
        outbox = None
        if self.context.use_cache:
            from arkworker.arkindex.publishing.outbox import Outbox

            outbox = Outbox(self.sessions, are_published=not self.context.is_read_only)
        services = self.context.services
        services.publisher = LatePublisher(lambda: services.make_own_publisher(outbox))
        return self._replace(outbox=outbox)

    def report_to(self, collected: Collected) -> None:
        """Tell a report of all that it shows, from now on."""
        self.outcome.report_to(collected)
        self.context.services.element_access.watch_images(collected.see)

    def call_finish(
        self, finish: Callable[[Any], None], call: Callable[[Callable[[], None]], None] | None = None
    ) -> int | None:
        """What a worker does after the last of its work; the exit code, where it failed.

        Args:
            finish: User code, which gets a session of the cache.
            call: Calls it, and raises Interruption when it takes too long after a signal; else the first signal
                interrupts it.

        Raises:
            StoppedError: The first signal came meanwhile.
        """
        log_lines.note(phase="finish")
        try:
            with self.sessions() as cache:
                if call is not None:
                    call(lambda: finish(cache))
                else:
                    with self.stopping.interruptible():
                        finish(cache)
        except StoppedError:
            raise
        except Interruption:
            logger.warning("The worker's finish was interrupted")
        except BaseException as error:
            # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
            logger.error("The worker's finish failed", exc_info=shown_of(error))  # noqa: TRY400 - for any exception
            self.outcome.ended_by = f"finish failed with {named(error)}"
            return ExitCode.FAILED
        return None


class ElementCode(NamedTuple):
    """User code of a run over elements, with the context given; each may raise whatever it likes.

    Attributes:
        process: Called with an element and a session of the cache; answers what was found, as a tuple.
        process_batch: Called with several elements and a session; answers a tuple for each, in order. None where the
            worker takes one element at a time.
        batch_size: How many elements `process_batch` takes at most, 1 or more.
    """

    process: Callable[[Element, Any], tuple[Any, ...]]
    process_batch: Callable[[Sequence[Element], Any], list[tuple[Any, ...]]] | None = None
    batch_size: int = 1
