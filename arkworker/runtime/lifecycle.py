"""The life of a run, and of each of its processes where there are several.

```
 prepare      settings, worker run and secrets become the context (preparation); the corpus has, or gets, what the
    │         worker names (corpus_check); the log says what it works with (announcement)
    ▼
 open         the cache, merged from those of the parent tasks (cache_sessions)
    │
    ▼
 setup        the worker's hook; what it assigned to `creates` and `requires` is looked up, too
    │
    ▼
 work         `run`; or element after element (loop.run) or set after set (loop.sets), then `finish` and the summary
    │
    ▼
 teardown     the worker's hook, however the work ended; then what is left for the cache is written, the report as well
    │
    ▼
 exit code    0 where `run` returns; else the error that it raises has the code (errors), which the command line returns
```

With several processes, each of them sets up, works and tears down (loop.jobs, loop.shares); this one hands out elements
and calls `finish`. A first signal interrupts user code, or gives it a grace time; a second ends the process (stopping).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, StoppedError
from arkworker.lazy import uncollected
from arkworker.runtime import log_lines, logs
from arkworker.runtime.announcement import acknowledged, announce
from arkworker.runtime.cache_sessions import opened_cache
from arkworker.runtime.corpus_check import check_corpus, check_declared_in_setup
from arkworker.runtime.failures import failures_of_worker, shown_of
from arkworker.runtime.handover import Handover
from arkworker.runtime.loop.outcome import Outcome
from arkworker.runtime.named_files import empty
from arkworker.runtime.stopping import Interruption
from arkworker.runtime.worker import ElementsWorker, options_of
from arkworker.text import printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.preparation import Preparation
    from arkworker.runtime.stopping import Stopping
    from arkworker.runtime.worker import Worker
    from arkworker.settings.platform import Settings

logger = logging.getLogger("arkworker")


def run(worker: Worker[Any], preparation: Preparation, stopping: Stopping) -> None:
    """Prepare, hand over, finish.

    A signal while user code runs interrupts it at once; its cache is rolled back, `teardown` runs, and a second signal
    ends the process whatever it is doing. Work that was done when the signal came is committed.

    Raises:
        WorkerFailedError: User code raised something of its own.
        StoppedError: A signal ended the run.
        ArkworkerError: What else ended it; its class decides the exit code.
    """
    outcome = Outcome(stopping, lambda: preparation.outputs.get("summary"))
    with outcome.summarized(), _refusals_reported(preparation, outcome, stopping):
        context = prepare(preparation, stopping, is_trial=False)
        empty("summary", preparation.outputs.get("summary"))
        settings, target = preparation.resolution.settings, preparation.worker.target
        with opened_cache(context, preparation.parent_caches, stopping) as sessions:
            stopping.check()
            origins, folder = preparation.origins, preparation.folder
            made = Handover(context, settings, sessions, stopping, target, outcome, origins, folder=folder)
            handover = made.with_outbox()
            told = acknowledged(stopping, settings.grace) if isinstance(worker, ElementsWorker) else nullcontext()
            with told, _reported(handover, preparation):
                if isinstance(worker, ElementsWorker) and _is_shared_out(settings):
                    _share_out(worker, handover)
                else:
                    worker._check_work(handover)  # noqa: SLF001 - hidden from authors
                    live(worker, handover)
        stopping.check()


def prepare(preparation: Preparation, stopping: Stopping, *, is_trial: bool) -> WorkerContext[Any]:
    """The context, announced in the log, with what it needs of its corpus; a signal ends requests and waits.

    Args:
        preparation: The steps before user code.
        stopping: Knows of signals.
        is_trial: Whether nothing is created on Arkindex, and no worker runs after it.

    Raises:
        ArkworkerError: As `Preparation.prepare` and `check_corpus`.
    """
    with stopping.calling(preparation.end):
        stopping.check()
        with uncollected():  # the client among others, which developer mode does without
            context = preparation.prepare()
        settings = preparation.resolution.settings
        if context.worker_run_id is not None:
            log_lines.note(run=context.worker_run_id)
        is_divisible = preparation.worker.processes_elements and not preparation.worker.processes_sets
        if is_divisible and _is_shared_out(settings) and not is_trial:
            log_lines.name_processes()
        announce(context, preparation)
        preparation.check_elements(context.process)
        if not preparation.offline:
            check_corpus(context, preparation.worker, is_trial=is_trial or settings.results is not None)
    return context


def live(
    worker: Worker[Any],
    handover: Handover,
    *,
    perform: Callable[[Handover], None] | None = None,
    alone: AbstractContextManager[None] | None = None,
) -> None:
    """Set up, work, tear down.

    Args:
        worker: The worker.
        handover: The run.
        perform: What one process of several does between `setup` and `teardown`; by default, the worker's own work.
        alone: Entered while types and classes are created, where other processes would do so, too.
    """
    try:
        with failures_of_worker(is_logged=perform is None):
            declared = options_of(worker, handover.target)
            if isinstance(worker, ElementsWorker):
                handover.stopping.look()  # a handler of a library does not keep a signal from a run over elements
            with handover.stopping.interruptible():
                log_lines.note(phase="setup")
                worker.setup(handover.context)
            logs.keep_streams()
            log_lines.note(phase="run")
            with alone or nullcontext():
                handover = check_declared_in_setup(declared, options_of(worker, handover.target), handover)
            (perform or worker._perform)(handover)  # noqa: SLF001 - hidden from authors, who override run
    finally:
        _tear_down(worker, handover)
        failures = handover.outbox.flush() if handover.outbox else {}
        for element_id, error in failures.items():
            logger.error("element %s: %s", printable(element_id, 60), error)
    for error in failures.values():
        raise error


def _tear_down(worker: Worker[Any], handover: Handover) -> None:
    try:
        with handover.stopping.interruptible(although_stopped=True):
            log_lines.note(phase="teardown")
            worker.teardown(handover.context)
    except (StoppedError, Interruption):
        logger.warning("The worker's teardown was interrupted")
    except BaseException as error:
        # What ended the run, or its success, is not changed by what cleaning up makes of it.
        logger.error("The worker's teardown failed", exc_info=shown_of(error))  # noqa: TRY400 - for any exception


@contextmanager
def _refusals_reported(preparation: Preparation, outcome: Outcome, stopping: Stopping) -> Iterator[None]:
    """A run that ends before its report has begun writes one that says so: the file may hold that of another run."""
    try:
        yield
    except ArkworkerError as error:
        path = preparation.outputs.get("report")
        if path is not None and outcome.collected is None:
            from arkworker.runtime.report import write_refusal

            number = stopping.signal_number
            write_refusal(path, preparation.worker.target, error if number is None else StoppedError(number))
        raise


def _reported(handover: Handover, preparation: Preparation) -> AbstractContextManager[None]:
    """However a run ends, its report says so, where one is wanted."""
    if handover.settings.report is None:
        return nullcontext()
    from arkworker.runtime.report import reported

    return reported(handover, preparation.worker, preparation.resolution.ledger.claims)


def _is_shared_out(settings: Settings) -> bool:
    """Whether other processes work on the elements."""
    return settings.jobs != 1 or settings.executor is not None


def _share_out(worker: ElementsWorker[Any], handover: Handover) -> None:
    """Let several processes do what `live` does in this one; the hook `finish` is called here."""
    finish = worker._finish(handover.context)  # noqa: SLF001 - hidden from authors
    if handover.settings.executor is not None:
        from arkworker.runtime.loop.shares import process_elements_on_engine

        process_elements_on_engine(handover, finish)
        return
    from arkworker.runtime.loop.jobs import process_elements_in_jobs

    process_elements_in_jobs(handover, run_job, finish)


def run_job(connection: socket.socket) -> None:
    """The life of one process of several, on this machine.

    Args:
        connection: The way to the parent, which says what to do, and hears of all that happens, failures included.
    """
    from arkworker.runtime.loop.job_process import JoinedJob, alone, join

    def work(job: JoinedJob) -> None:
        live(job.worker, job.handover, perform=job.perform, alone=alone(job.order.lock))

    join(connection, work)


def run_share(descriptor: int) -> None:
    """The life of a process that works on a share of a run, wherever an engine has placed it.

    Args:
        descriptor: The pipe to the process that gave the share, which is told all that happens, failures included.
    """
    from arkworker.runtime.loop.share_process import work_on

    work_on(descriptor, run_job)
