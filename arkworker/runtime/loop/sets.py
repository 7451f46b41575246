"""A run over the sets of datasets, one after the other, each with the export of its dataset."""

from __future__ import annotations

import contextlib
import logging
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.arkindex import datasets
from arkworker.errors import ApiError, ArkworkerError, ConfigurationError, ExitCode, Problem, StoppedError
from arkworker.runtime.loop.choice import Choice
from arkworker.runtime.loop.clients import Clients
from arkworker.runtime.loop.ends import leaves_doubt
from arkworker.runtime.named_files import TEMPORARY_HINT, temporary_directory_mistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.arkindex.datasets import Dataset, DatasetSet
    from arkworker.runtime.handover import Handover

logger = logging.getLogger("arkworker.elements")


def process_sets(
    call: Callable[[DatasetSet, Path, Any], None], run: Handover, finish: Callable[[Any], None] | None = None
) -> None:
    """Put every set through user code.

    Args:
        call: User code, with a set, the file of the export of its dataset, and a session of the cache.
        run: What the lifecycle hands over.
        finish: User code after the last set of a run that was not ended early, with a session of the cache.

    Raises:
        ElementsError: It did not succeed, or a signal came; the exit code says how.
        ConfigurationError: There are no sets, or the summary cannot be written.
        ApiError: The sets cannot be listed.
        StoppedError: A signal came before the first set.
    """
    run.outcome.start("set")
    for flag, is_given in (("--jobs", run.settings.jobs != 1), ("--executor", run.settings.executor is not None)):
        if is_given:
            logger.warning("%s: sets of datasets are worked on one after the other, in this process", flag)
    with (
        contextlib.closing(Clients(run.context.api)) as clients,
        clients.ending_with(run.stopping),
        tempfile.TemporaryDirectory(prefix="arkworker-exports-") as folder,
    ):
        run.stopping.check()
        try:
            ended_by = _process_all(call, run, _Exports(run, clients, Path(folder)))
            if ended_by is None and finish is not None:
                ended_by = run.call_finish(finish)
        except StoppedError as error:
            ended_by = error.exit_code
    metrics = run.context.services.metrics.as_data()
    run.outcome.conclude(run.outcome.sum_up(ended_by, strict=run.settings.strict, metrics=metrics))


def check_outside(run: Handover) -> None:
    """Refuse what keeps sets from being worked on, as far as is known without asking Arkindex.

    Raises:
        ConfigurationError: Results cannot be recorded, there is no room for exports, or developer mode names no set.
    """
    if run.settings.results is not None:
        message = "this worker works on sets of datasets, and has no results to record"
        raise ConfigurationError([Problem("results", "command line", "--results", message)])
    if temporary_directory_mistake():
        message = "exports are downloaded to a temporary directory, and none can be written to"
        raise ConfigurationError([Problem("", "environment", "TMPDIR", message, TEMPORARY_HINT)])
    if run.context.process is None and not run.settings.set:
        raise _nothing_to_do()
    _choice_of(run).check_work()


def _nothing_to_do() -> ConfigurationError:
    hint = "pass --set DATASET-ID:NAME, or add sets to the process"
    return ConfigurationError([Problem("set", "command line", "--set", "there are no sets to work on", hint)])


def _choice_of(run: Handover) -> Choice:
    return Choice(run.settings, run.context.process, run.origins, list, run.context.connection_is_given)


def _process_all(call: Callable[[DatasetSet, Path, Any], None], run: Handover, found: _Exports) -> int | None:
    """The exit code of what ended the run early, or let none of its sets be worked on; else None."""
    tally, failures = run.outcome.tally, run.outcome.failures
    sets = found.list_sets()
    unreachable = None
    for number, one in enumerate(sets, 1):
        logger.info("Processing %s (%d of %d)", one, number, len(sets))
        try:
            path = found.path_of(one.dataset)
        except ArkworkerError as error:
            run.stopping.check()
            failures.add(str(one), error, traced=False)
            tally.count("failed")
            unreachable = unreachable or (error if error.exit_code == ExitCode.UNAVAILABLE else None)
            continue
        failure = _failure_of(call, one, path, run)
        tally.count("processed" if failure is None else "uncertain" if leaves_doubt(failure) else "failed")
        if failure is not None:
            failures.add(str(one), failure, traced=True)
        if isinstance(failure, SystemExit | KeyboardInterrupt):
            return ExitCode.FAILED if isinstance(failure, SystemExit) else 128 + signal.SIGINT
    return ExitCode.UNAVAILABLE if unreachable is not None and not tally["processed"] else None


def _failure_of(
    call: Callable[[DatasetSet, Path, Any], None], one: DatasetSet, path: Path, run: Handover
) -> BaseException | None:
    """What user code, or the commit after it, made of a set.

    Raises:
        StoppedError: A signal came meanwhile.
    """
    try:
        with run.sessions() as cache, run.stopping.interruptible():
            call(one, path, cache)
    except StoppedError:
        raise
    except BaseException as error:  # noqa: BLE001 - of user code: whatever it is, it is this set's failure
        run.stopping.check()
        return error
    return None


class _Exports:
    """The sets of a run, and one file for each of their datasets."""

    def __init__(self, run: Handover, clients: Clients, folder: Path) -> None:
        self._run = run
        self._clients = clients
        self._folder = folder
        self._started: dict[str, str | ArkworkerError] = {}
        self._paths: dict[str, Path] = {}

    def list_sets(self) -> list[DatasetSet]:
        """The sets, with an export under way for each of their datasets.

        Raises:
            ConfigurationError: There are none.
            ApiError: They cannot be listed.
        """
        run = self._run
        choice = _choice_of(run)
        choice.tell_part()
        sets = choice.sets(self._clients.intake)
        if not sets:
            raise _nothing_to_do()
        sets = choice.share_of(sets)
        for one in sets:
            if one.dataset.id not in self._started:
                self._started[one.dataset.id] = self._start(one.dataset)
        return sets

    def path_of(self, dataset: Dataset) -> Path:
        """The downloaded export of a dataset.

        Raises:
            ApiError, ExportError: There is none.
        """
        if dataset.id not in self._paths:
            export_id = self._started[dataset.id]
            if isinstance(export_id, ArkworkerError):
                raise export_id
            self._paths[dataset.id] = datasets.download_export(
                self._clients.intake,
                self._clients.intake_clock,
                export_id,
                self._folder / f"{len(self._paths)}.sqlite",
                corpus_id=self._corpus_of(dataset),
                dataset_id=dataset.id,
            )
        return self._paths[dataset.id]

    def _start(self, dataset: Dataset) -> str | ArkworkerError:
        """The id of its export, or why there is none: that concerns this dataset alone."""
        find = datasets.find_export if self._run.context.is_read_only else datasets.start_export
        try:
            return find(self._clients.intake, self._corpus_of(dataset), dataset.id)
        except (ApiError, datasets.ExportError) as error:
            return error

    def _corpus_of(self, dataset: Dataset) -> str:
        return dataset.corpus_id or self._run.context.corpus_id
