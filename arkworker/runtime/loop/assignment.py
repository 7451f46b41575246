"""What there is for a run over elements to do, and where it notes how far that is."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from arkworker.arkindex.activities import WITHOUT_ACTIVITIES, Activities
from arkworker.runtime.loop.choice import Choice, initial_ids
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.ends import Reports
from arkworker.runtime.loop.in_hand import InHand, Left, new_path, recover
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.runtime.loop.worklist import Resumed, not_begun
from arkworker.runtime.services import LatePublisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.client import Client
    from arkworker.runtime.handover import Handover
    from arkworker.runtime.loop.ends import Ends
    from arkworker.runtime.loop.intake import Halt
    from arkworker.runtime.loop.threads import Timing
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.storage.recording.writing import Recorder

logger = logging.getLogger("arkworker.elements")


@dataclass(frozen=True)
class Assignment:
    """What one process works on, and where it notes how far that is.

    Attributes:
        worklist: Where elements come from.
        reports_states: Whether the states of elements are reported to Arkindex.
        in_hand: Where it is noted what is in hand.
        left: What a run before had in hand when it was killed.
        recorder: The results file; None where results are published.
        progress: Told after each element.
    """

    worklist: Worklist
    reports_states: bool
    in_hand: InHand
    left: Left
    recorder: Recorder | None
    progress: ProgressDisplay


def owner_of(run: Handover) -> str:
    """The run that notes on disk make sense to."""
    return f"{run.context.worker_run_id} {run.context.task_id}"


@contextlib.contextmanager
def prepared(run: Handover) -> Iterator[tuple[Clients, Assignment]]:
    """What there is to do, and what requests are sent with.

    Raises:
        ConfigurationError: The elements cannot be chosen, or a file cannot be written.
        ApiError: The sets that elements are in cannot be listed.
    """
    run.outcome.start()
    with (
        _recording(run) as recorder,
        contextlib.closing(Clients(run.context.api)) as clients,
        _assigned(run, clients, recorder) as assignment,
    ):
        yield clients, assignment


def _recording(run: Handover) -> contextlib.AbstractContextManager[Recorder | None]:
    """The results file of a run, to be closed at its end; None where results are published."""
    path = run.settings.results
    if path is None:
        return contextlib.nullcontext()
    from arkworker.runtime.loop import records  # all that a line may hold, which most runs do without

    return records.opened(run, path)


def choice_of(run: Handover) -> Choice:
    """What decides which elements a run works on."""
    context = run.context
    return Choice(
        run.settings,
        context.process,
        run.origins,
        cache(lambda: initial_ids(run.sessions) if context.use_cache else []),
        context.connection_is_given or context.cache_path is not None,
    )


@contextlib.contextmanager
def _assigned(run: Handover, clients: Clients, recorder: Recorder | None) -> Iterator[Assignment]:
    """What there is to do; what a run before left behind is part of it."""
    context = run.context
    choice = choice_of(run)
    choice.tell_part()
    reports_states = _reports_states(run, choice, recorder)
    owner = owner_of(run)
    folder = context.work_dir if reports_states else None
    with contextlib.closing(InHand(new_path(folder) if folder is not None else None, owner)) as in_hand:
        left = recover(folder, owner, in_hand) if folder is not None else Left()
        if left.uncertain:
            logger.warning(
                "an earlier run was killed during %d claims that may have started an element", left.uncertain
            )
            run.outcome.tally.count("uncertain", left.uncertain)
        with clients.ending_with(run.stopping):
            worklist = choice.worklist(clients.intake, run.outcome.tally, in_hand)
        if recorder is not None:
            from arkworker.runtime.loop.records import remaining

            worklist = remaining(recorder, worklist)
            left.stages = {name: stage for name, stage in left.stages.items() if name not in recorder.found}
        if left.stages:
            worklist = Resumed(not_begun(left.stages), left.stages, worklist)
        progress = ProgressDisplay(run.outcome.tally, worklist.count)
        yield Assignment(worklist, reports_states, in_hand, left, recorder, progress)


def _reports_states(run: Handover, choice: Choice, recorder: Recorder | None) -> bool:
    process, settings = run.context.process, run.settings
    if choice.is_queue and settings.no_worker_activity:
        logger.warning("--no-worker-activity: elements of the queue will stay started, since no end is reported")
    if recorder is not None and not choice.is_queue:
        return False  # `publish` reports the states
    if process is None or run.context.worker_run_id is None or settings.no_worker_activity:
        return False
    return choice.is_queue or (process.activity_state == "ready" and process.mode not in WITHOUT_ACTIVITIES)


def make_ends(  # noqa: PLR0913, PLR0917 - the parts that it connects
    run: Handover, clients: Clients, assignment: Assignment, timing: Timing, halt: Halt, behind: int
) -> Ends:
    """Where elements end, and where user code publishes in the middle of its work.

    Args:
        run: What the lifecycle hands over.
        clients: What requests are sent with.
        assignment: What there is to do.
        timing: Told how long it takes.
        halt: Told when nothing can be ended any more.
        behind: How many elements may be ended side by side.
    """
    publisher = LatePublisher(partial(run.context.services.make_publisher, clients.reports, run.outbox))
    if assignment.recorder is not None:
        from arkworker.runtime.loop.records import Records

        recorded = Records(
            assignment.recorder,
            publisher,
            outcome=run.outcome,
            halt=halt,
            in_hand=assignment.in_hand,
            is_queue=assignment.worklist.is_queue,
            outbox=run.outbox if run.context.is_read_only else None,
        )
        run.context.services.publisher = recorded
        return recorded
    run.context.services.publisher = publisher
    return Reports(
        activities_of(run, assignment, clients.states),
        publisher,
        outcome=run.outcome,
        halt=halt,
        timing=timing,
        in_hand=assignment.in_hand,
        behind=behind,
        outbox=run.outbox,
    )


def activities_of(run: Handover, assignment: Assignment, client: Client) -> Activities | None:
    """Where states are reported; None where they are not."""
    context = run.context
    if not assignment.reports_states or context.process is None or context.worker_run_id is None:
        return None
    return Activities(client, context.worker_run_id, context.process.id)
