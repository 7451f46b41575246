"""The life of a worker, from its inputs to its end."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import threading
import traceback
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, CacheError, StoppedError
from arkworker.options.creates import Creates
from arkworker.runtime import logs
from arkworker.runtime.context import CacheStandIn
from arkworker.runtime.corpus_check import check_corpus
from arkworker.runtime.explanation import plain
from arkworker.runtime.handover import Handover
from arkworker.runtime.services import LatePublisher
from arkworker.runtime.stopping import Interruption, Stopping
from arkworker.runtime.worker import ElementsWorker, options_of
from arkworker.settings.platform import Settings
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from sqlalchemy.engine import Engine

    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.loop.job_process import Order
    from arkworker.runtime.preparation import Preparation
    from arkworker.runtime.worker import Worker
    from arkworker.settings.catalogue import WorkerOptions

logger = logging.getLogger("arkworker")

#: Characters of the configuration that the log shows.
LONGEST_CONFIGURATION = 2000

_OURS = str(Path(__file__).parents[1])


class WorkerFailedError(ArkworkerError):
    """User code raised; its traceback is in the log, or `trace`, where another process is to log it."""

    trace: str | None = None


def run(worker: Worker[Any], preparation: Preparation, stopping: Stopping) -> None:
    """Prepare, hand over, finish.

    A signal while user code runs interrupts it at once; its cache is rolled back, `teardown` runs, and a second signal
    ends the process whatever it is doing. Work that was done when the signal came is committed.

    Raises:
        WorkerFailedError: User code raised something of its own.
        StoppedError: A signal ended the run.
        ArkworkerError: What else ended it; its class decides the exit code.
    """
    with _summed_up_before(preparation) as begin:
        context = prepare(preparation, stopping, is_trial=False)
        with open_cache_of(context, preparation, stopping) as sessions:
            stopping.check()
            handover = dataclasses.replace(_handover(context, preparation, sessions, stopping), begin=begin)
            with _announced(handover, preparation), _reported(handover, preparation) as handover:
                if isinstance(worker, ElementsWorker) and _is_shared_out(handover.settings):
                    _share_out(worker, handover)
                else:
                    if preparation.worker.processes_elements:
                        _check_work(handover, preparation)
                    _hand_over(worker, handover, preparation.worker, preparation.end)
        stopping.check()


@contextmanager
def _summed_up_before(preparation: Preparation) -> Iterator[Callable[[], None]]:
    """A run that ends before its loop begins, in `setup` for one, leaves no summary that says otherwise.

    Yields:
        To be called when the loop begins: it tells the rest.
    """
    begun = threading.Event()
    try:
        yield begun.set
    except ArkworkerError as error:
        if preparation.summary is not None and not begun.is_set():
            from arkworker.runtime.loop import outcome

            outcome.write(outcome.Summary.of(outcome.Tally(), 0.0, int(error.exit_code)), preparation.summary)
        raise


def _check_work(handover: Handover, preparation: Preparation) -> None:
    """Refuse what there is nothing to work on for, before `setup`, which may take minutes to load a model."""
    from arkworker.runtime.loop import outcome
    from arkworker.runtime.loop.assignment import choice_of
    from arkworker.runtime.loop.sets import check_outside

    outcome.prepare(handover.settings.summary)
    if preparation.worker.processes_sets:
        check_outside(handover)
    else:
        choice_of(handover).check_work()


def _is_shared_out(settings: Settings) -> bool:
    """Whether other processes work on the elements."""
    return settings.jobs != 1 or settings.executor is not None


@contextmanager
def _announced(handover: Handover, preparation: Preparation) -> Iterator[None]:
    """A signal that lets an element end within the grace time is acknowledged: else it may seem not to be heard."""
    if not preparation.worker.processes_elements:
        yield
        return
    stopping, grace = handover.stopping, handover.settings.grace

    def announce() -> None:
        told = f"stopping after signal {stopping.received}: what is being processed has {grace:g} s to end; "
        # In a thread: where the log cannot be written, the run still ends.
        line = threading.Thread(target=logger.warning, args=(told + "a second signal ends it at once",), daemon=True)
        line.start()

    with stopping.calling(announce):
        yield


@contextmanager
def _reported(handover: Handover, preparation: Preparation) -> Iterator[Handover]:
    """However a run ends, its report says so, where one is wanted."""
    if handover.settings.report is None:
        yield handover
        return
    from arkworker.runtime.report import reported

    with reported(handover, preparation.worker, preparation.resolution.ledger.claims) as collected:
        yield dataclasses.replace(handover, collected=collected)


def _share_out(worker: ElementsWorker[Any], handover: Handover) -> None:
    """Let several processes do what `_hand_over` does in this one; the hook `finish` is called here."""
    finish = worker._finish(handover.context)  # noqa: SLF001 - hidden from authors
    handover.begin()
    if handover.settings.executor is not None:
        from arkworker.runtime.loop.shares import process_elements_on_engine

        process_elements_on_engine(handover, finish)
        return
    from arkworker.runtime.loop.jobs import process_elements_in_jobs

    process_elements_in_jobs(handover, run_job, finish)


def run_share(descriptor: int) -> None:
    """The life of a process that works on a share of a run, wherever an engine has placed it.

    Args:
        descriptor: The way to whoever gave the share, who hears of all that happens, failures included.
    """
    import pickle
    import tempfile
    from multiprocessing.connection import Connection

    from arkworker.runtime.loop.job_process import Channel, watching_parent
    from arkworker.runtime.loop.share_process import import_main, settled, work_on
    from arkworker.runtime.target import load_target

    connection = Connection(descriptor)
    share = connection.recv()
    channel = Channel(connection)
    logs.hand_over(channel.log, share.level)
    try:
        with (
            Stopping() as stopping,
            watching_parent(stopping, connection),
            tempfile.TemporaryDirectory(prefix="arkworker-") as folder,
        ):
            import_main(share.main)
            load_target(share.target)  # it has the classes that the context is made of
            context, settings = pickle.loads(share.data)  # noqa: S301 - of the run
            context = settled(context, folder)
            with _sessions(context, partial(_shared_engine, context)) as sessions:
                known = Settings.model_construct(**settings)
                handover = _handover_of(context, known, {}, sessions, stopping, share.target)
                work_on(share, _collecting(handover) if known.report is not None else handover, channel, run_job)
    except ArkworkerError as error:
        channel.say_broken(error)


def run_job(order: Order, connection: Connection) -> None:
    """The life of one process of several, which the one that was started has asked for.

    Args:
        order: What to do.
        connection: The way to the parent, which hears of all that happens, failures included.
    """
    import pickle

    from arkworker.runtime.loop.job_process import Channel, Say, alone, watching_parent, work
    from arkworker.runtime.target import load_target

    channel = Channel(connection)
    logs.hand_over(channel.log, order.level)
    try:
        with Stopping() as stopping, watching_parent(stopping):
            worker = load_target(order.target)
            context, settings = pickle.loads(order.data)  # noqa: S301 - of the parent
            with _sessions(context, partial(_shared_engine, context)) as sessions:
                handover = _handover_of(
                    context, Settings.model_construct(**settings), {}, sessions, stopping, order.target
                )
                if handover.settings.report is not None:
                    handover = _collecting(handover)
                options = options_of(worker, order.target)

                def perform(ready: Handover) -> None:
                    channel.say(Say.READY)
                    work(worker._code(ready.context), ready, order, channel)  # type: ignore[attr-defined] # noqa: SLF001 - hidden from authors

                _hand_over(worker, handover, options, lambda: None, perform=perform, alone=alone(order.lock))
    except StoppedError as error:
        channel.say(Say.DONE, int(error.exit_code))
    except ArkworkerError as error:
        channel.say_broken(error)


def _collecting(handover: Handover) -> Handover:
    """The run of one process of several, whose parent writes the report."""
    from arkworker.runtime.collecting import Collected

    collected = Collected()
    handover.context.services.element_access.watch_images(collected.see)
    return dataclasses.replace(handover, collected=collected)


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
        context = preparation.prepare()
        if context.worker_run_id is not None:
            logs.note(run=context.worker_run_id)
        if preparation.worker.processes_elements and _is_shared_out(preparation.resolution.settings) and not is_trial:
            logs.name_processes()
        _announce(context, preparation)
        if preparation.worker.processes_elements:
            _check_names(context, preparation)
        if not preparation.offline:
            is_recording = preparation.resolution.settings.results is not None
            check_corpus(context, preparation.worker, is_trial=is_trial or is_recording)
    return context


def _check_names(context: WorkerContext[Any], preparation: Preparation) -> None:
    from arkworker.runtime.loop.worklist import Choice

    choice = Choice(preparation.resolution.settings, context.process, _origins(preparation), list)
    if preparation.worker.processes_sets:
        choice.check_sets_only()
    choice.check_names()


def _origins(preparation: Preparation) -> dict[str, tuple[str, str]]:
    """Where each setting came from: source and location."""
    claims = preparation.resolution.ledger.claims
    return {path[0]: (claim.origin.source, claim.origin.location) for path, claim in claims.items() if path}


def _handover(context: WorkerContext[Any], preparation: Preparation, sessions: Any, stopping: Stopping) -> Handover:
    target, settings = preparation.worker.target, preparation.resolution.settings
    return _handover_of(context, settings, _origins(preparation), sessions, stopping, target)


def _handover_of(  # noqa: PLR0913, PLR0917 - the parts of a Handover
    context: WorkerContext[Any],
    settings: Settings,
    origins: Mapping[str, tuple[str, str]],
    sessions: Any,
    stopping: Stopping,
    target: str,
) -> Handover:
    outbox = None
    if context.use_cache:
        from arkworker.arkindex.publishing.outbox import Outbox

        outbox = Outbox(sessions, are_published=not context.is_read_only)
    context.services.publisher = LatePublisher(lambda: context.services.make_publisher(outbox=outbox))
    return Handover(context, settings, origins, sessions, stopping, outbox, target)


def _hand_over(  # noqa: PLR0913 - keywords, each with a default
    worker: Worker[Any],
    handover: Handover,
    options: WorkerOptions,
    end: Callable[[], None],
    *,
    perform: Callable[[Handover], None] | None = None,
    alone: AbstractContextManager[None] | None = None,
) -> None:
    """Set up, work, tear down.

    Args:
        worker: The worker.
        handover: The run.
        options: What the worker's class declares.
        end: Ends requests under way when a signal comes.
        perform: What to do between `setup` and `teardown`; by default, the worker's own way of running.
        alone: Entered while types and classes are created, where other processes would do so, too.
    """
    try:
        _set_up_and_perform(worker, handover, options, end, perform=perform, alone=alone)
    finally:
        _tear_down(worker, handover.context, handover.stopping)
        failures = handover.outbox.flush() if handover.outbox else {}
        for element_id, error in failures.items():
            logger.error("element %s: %s", printable(element_id, 60), error)
    for error in failures.values():
        raise error


def _set_up_and_perform(  # noqa: PLR0913 - as `_hand_over`
    worker: Worker[Any],
    handover: Handover,
    options: WorkerOptions,
    end: Callable[[], None],
    *,
    perform: Callable[[Handover], None] | None,
    alone: AbstractContextManager[None] | None,
) -> None:
    try:
        with handover.stopping.interruptible():
            logs.note(phase="setup")
            worker.setup(handover.context)
        logs.keep_streams()
        logs.note(phase="run")
        with alone or nullcontext():
            handover = _declared_in_setup(worker, handover, options, end)
        handover.begin()
        (perform or worker._perform)(handover)  # noqa: SLF001 - hidden from authors, who override run
    except (ArkworkerError, Interruption):
        raise
    except BaseException as error:
        # SystemExit and KeyboardInterrupt, too: from user code they are failures, never a silent success.
        failure = WorkerFailedError(f"the worker failed: {summary_of(error)}")
        if perform is None:
            logger.error("The worker failed", exc_info=error)  # noqa: TRY400 - the same, for any exception
        else:
            failure.trace = "".join(traceback.format_exception(error))  # the parent tells it, once
        raise failure from error


def _declared_in_setup(
    worker: Worker[Any], handover: Handover, before: WorkerOptions, end: Callable[[], None]
) -> Handover:
    """The run, with what `setup` has assigned to `creates` and `requires`, which are looked up as those of the class.

    Raises:
        DeclarationError: They hold something else than names.
        ConfigurationError, ApiError: As `check_corpus`.
    """
    options = options_of(worker, handover.target)
    if (options.creates, options.requires) == (before.creates, before.requires):
        return handover
    services = handover.context.services
    creates = options.creates or Creates()
    services.declare(creates)
    context = dataclasses.replace(handover.context, _creates=creates, built=services)
    with handover.stopping.calling(end):
        handover.stopping.check()
        check_corpus(context, options, is_trial=handover.settings.results is not None)
    return dataclasses.replace(handover, context=context)


def summary_of(error: BaseException) -> str:
    """The kind of an exception, and the last line of code that is not ours: `ValueError at worker.py:12`."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _announce(context: WorkerContext[Any], preparation: Preparation) -> None:
    """What a person reads first in the log of a task."""
    settings = preparation.resolution.settings
    if preparation.resolution.wants_debug or debug_of(context.config):
        logs.set_level(verbose=True)
    for warning in preparation.resolution.ledger.warnings:
        place = f" ({warning.location})" if warning.location else ""
        hint = f"; {warning.hint}" if warning.hint else ""
        logger.warning("%s%s: %s%s", warning.path or warning.source, place, warning.message, hint)
    if context.is_read_only:
        missing = "" if settings.dev else ": ARKINDEX_WORKER_RUN_ID is not set"
        logger.warning("Running in developer mode, read-only%s", missing)
    for fact in _facts(context, preparation):
        logger.info("%s", fact)


def _facts(context: WorkerContext[Any], preparation: Preparation) -> Iterator[str]:
    """What a run works with, one line each; secrets are stars."""
    settings, process = preparation.resolution.settings, context.process
    if context.worker_run_id is not None and process is not None:
        details = context.worker_details
        name = printable(str(details.get("name") or details.get("slug") or "without a name"))
        yield f"Worker run {context.worker_run_id} of the worker {name}, process {process.id} ({process.mode})"
    if context.model_version_id is not None:
        model = context.model_details.get("name")
        yield f"Model version {context.model_version_id}" + (f" of the model {printable(str(model))}" if model else "")
    if settings.config_file and context.is_developer_mode:
        yield f"Configuration file {printable(settings.config_file)}"
    shown = plain(context.config)
    if shown:
        yield f"Configuration {printable(json.dumps(shown, ensure_ascii=False), LONGEST_CONFIGURATION)}"
    yield f"Worker will use {context.work_dir} as working directory"
    if context.use_cache:
        parents = ", ".join(map(str, preparation.parent_caches))
        place = context.cache_path or "in memory"
        yield f"Cache {place}, merged from {parents}" if parents else f"Cache {place}"


def debug_of(config: Any) -> bool:
    """Whether the option `debug`, which Arkindex reserves, is on."""
    return bool(config.get("debug") if isinstance(config, dict) else getattr(config, "debug", False))


@contextmanager
def open_cache_of(
    context: WorkerContext[Any], preparation: Preparation, stopping: Stopping, *, is_trial: bool = False
) -> Iterator[Any]:
    """A factory of sessions of the worker's cache: merged from the parents, opened, made at a desk, or in memory.

    Args:
        context: The worker's context.
        preparation: The steps before user code.
        stopping: Ends a merge at a signal.
        is_trial: Whether no file is made where there is none.

    Raises:
        CacheError: It cannot be opened, or a parent's is damaged.
        StoppedError: A signal came.
    """
    with _sessions(context, lambda: _cache_engine(context, preparation, stopping, is_trial=is_trial)) as sessions:
        yield sessions


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


def _shared_engine(context: WorkerContext[Any]) -> Engine:
    """The cache as several processes use it: one of them writes, the others wait; in memory, each has its own."""
    from arkworker.storage import cache

    return cache.open_cache(context.cache_path, is_shared=True)


def _cache_engine(
    context: WorkerContext[Any], preparation: Preparation, stopping: Stopping, *, is_trial: bool
) -> Engine:
    from arkworker.storage import cache

    path, parents = context.cache_path, preparation.parent_caches
    limits = cache.Limits()
    is_new = context.is_developer_mode and path is not None and not os.path.lexists(path)
    if is_new:
        logger.warning("There is no cache %s: %s", path, "a run will create it" if is_trial else "it is created")
    try:
        with stopping.calling(limits.cancel):
            stopping.check()
            if path is not None and parents:
                path.parent.mkdir(parents=True, exist_ok=True)
                cache.merge(parents, path, limits=limits)
            if path is not None and is_new and is_trial:
                cache.find_target(path)
                return cache.open_cache(None)
            return cache.open_cache(path, create=is_new, checked=bool(parents), limits=limits)
    except CacheError:
        stopping.check()  # what a signal ended says nothing about the cache
        raise
    except OSError as error:
        raise CacheError(path or "", f"its directory cannot be made: {error.strerror}") from None


@contextmanager
def _no_session() -> Iterator[CacheStandIn]:
    yield CacheStandIn()


def _tear_down(worker: Worker[Any], context: WorkerContext[Any], stopping: Stopping) -> None:
    try:
        with stopping.interruptible(although_stopped=True):
            logs.note(phase="teardown")
            worker.teardown(context)
    except (StoppedError, Interruption):
        logger.warning("The worker's teardown was interrupted")
    except BaseException as error:
        # What ended the run, or its success, is not changed by what cleaning up makes of it.
        logger.error("The worker's teardown failed", exc_info=error)  # noqa: TRY400 - the same, for any exception
