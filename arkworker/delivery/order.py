"""What `publish` was asked to do, from its settings to the last line."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from arkworker.arkindex.activities import WITHOUT_ACTIVITIES, Activities
from arkworker.arkindex.client import Client, RetryBudget
from arkworker.arkindex.payload import Named, retrieve_run
from arkworker.arkindex.publishing.sending import Certainty
from arkworker.clock import SystemClock
from arkworker.delivery.element import Destination, ResultsFile
from arkworker.delivery.file import Publication
from arkworker.delivery.journal import Journal, Owner
from arkworker.errors import ArkworkerError, ConfigurationError, Problem, StoppedError
from arkworker.options.creates import Creates
from arkworker.runtime.loop.outcome import Outcome
from arkworker.runtime.named_files import empty, mistakes
from arkworker.runtime.preparation import connection_of
from arkworker.storage.files import identity
from arkworker.storage.recording.reading import read_recording
from arkworker.text import printable
from arkworker.transport.connection import check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.arkindex.publishing.corpus import Corpora
    from arkworker.runtime.loop.outcome import Summary
    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.platform import Settings
    from arkworker.settings.resolution import Resolution
    from arkworker.storage.recording.reading import Recording

logger = logging.getLogger("arkworker")
T = TypeVar("T")

GRACE = 8.0  # seconds that requests under way have, once a signal came


@dataclass(frozen=True)
class Order:
    """Files to publish as one, and how.

    Attributes:
        paths: The results files.
        journals: The journal of the publication of each.
        worker_run_id: The worker run that signs, where one is given, and where it was given.
        resolve: Makes the settings, for a worker run.
    """

    paths: tuple[str, ...]
    journals: tuple[str, ...]
    worker_run_id: tuple[str, str] | None
    resolve: Callable[[str], Resolution]


def publish(order: Order, first: Resolution, stopping: Stopping) -> Summary:
    """Publish what is not published yet; the summary, where all went well.

    Args:
        order: What to publish.
        first: The settings as far as they are known before the files are read, with what is wrong with them.
        stopping: Knows of signals.

    Raises:
        ElementsError: It did not succeed; the exit code says how.
        ConfigurationError: Something is to be corrected first.
        ApiError: Arkindex does not give the worker run.
        StoppedError: A signal came before the first element.
    """
    settings, problems = first.settings, first.ledger.problems
    _check_paths(order, settings, problems)
    empty("summary", settings.summary)
    outcome = Outcome(stopping, lambda: settings.summary)
    outcome.start()
    with outcome.summarized(), contextlib.ExitStack() as opened:
        if problems:
            raise ConfigurationError(problems)
        recordings = _each(lambda path: opened.enter_context(read_recording(path)), order.paths)
        for path, recording in zip(order.paths, recordings, strict=True):
            if recording.is_cut:
                logger.warning("%s: its last line was cut: that element is missing", printable(path))
        resolution = order.resolve(_worker_run_of(order, recordings))
        if resolution.ledger.problems:
            raise ConfigurationError(resolution.ledger.problems)
        return _Publishing(order, recordings, resolution, stopping, outcome).perform()


def _check_paths(order: Order, settings: Settings, others: Sequence[Problem]) -> None:
    """Refuse to write one file over another, or where nothing can be written; other problems are told beside."""
    places = [identity(path) for path in order.paths]
    several = len(places) > 1
    twice = [path for path, place in zip(order.paths, places, strict=True) if place and places.count(place) > 1]
    if twice:
        message = f"{printable(twice[0])} is named more than once"
        raise ConfigurationError([*others, Problem("file", "command line", "FILE", message, "name each file once")])
    inputs = [("FILE", path) for path in order.paths]
    inputs += [("--env-file", settings.env_file or ""), ("the bundle", settings.api.ca_bundle or "")]
    problems = [
        Problem(name, "command line", printable(journal) if name == "journal" and several else f"--{name}", message)
        for journal in order.journals
        for name, message in mistakes({"journal": journal, "summary": settings.summary}, inputs)
    ]
    if problems:
        raise ConfigurationError((*others, *dict.fromkeys(problems)))  # what is wrong with the summary is reported once


def _each(make: Callable[..., T], *values: Sequence[Any]) -> list[T]:
    """What is made of each; everything that is wrong is reported at once.

    Raises:
        ConfigurationError: Something is wrong with one of them, or with several.
    """
    made: list[T] = []
    problems: list[Problem] = []
    for one in zip(*values, strict=True):
        try:
            made.append(make(*one))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return made


def _worker_run_of(order: Order, recordings: Sequence[Recording]) -> str:
    """The worker run that signs: that of the files, or the one that was named."""
    there = {recording.header.worker_run_id: path for path, recording in zip(order.paths, recordings, strict=True)}
    unsigned = there.pop(None, None)
    given, location = order.worker_run_id or (None, "--worker-run-id")
    if len(there) > 1:
        (first, one), (second, other), *_ = there.items()
        message = f"the results are those of the worker run {second}, and those of {printable(one)} of {first}"
        hint = "publish the files of each worker run separately"
        raise ConfigurationError([Problem("worker_run_id", "results file", printable(other), message, hint)])
    run_id = next(iter(there), None)
    if run_id is not None and given not in (None, run_id):
        message = f"the results are those of the worker run {run_id}, and no other run can sign them"
        raise ConfigurationError([Problem("worker_run_id", "results file", location, message, "leave it out")])
    if unsigned is not None and given is None:
        message = "the results were recorded without a worker run, but one has to sign them"
        hint = "pass --worker-run-id, or set ARKINDEX_WORKER_RUN_ID"
        raise ConfigurationError([Problem("worker_run_id", "results file", printable(unsigned), message, hint)])
    return given or run_id or ""


class _Publishing:
    """The parts of one publication."""

    def __init__(
        self,
        order: Order,
        recordings: Sequence[Recording],
        resolution: Resolution,
        stopping: Stopping,
        outcome: Outcome,
    ) -> None:
        self._order = order
        self._recordings = recordings
        self._resolution = resolution
        self._settings = resolution.settings
        self._stopping = stopping
        self._outcome = outcome
        self._clock = SystemClock()
        self._client = Client(
            connection_of(self._settings), clock=self._clock, budget=RetryBudget(in_a_row=True), careful=True
        )
        self._corpora: dict[str, Corpora] = {}
        self._is_sending = False

    def perform(self) -> Summary:
        with contextlib.closing(self._client), contextlib.ExitStack() as opened:

            def open_journal(path: str, recording: Recording) -> Journal:
                return opened.enter_context(contextlib.closing(self._journal(path, recording)))

            journals = _each(open_journal, self._order.journals, self._recordings)
            with self._stopping.calling(self._stop):
                self._stopping.check()
                publication = self._publish(journals)
        return self._conclude(publication)

    def _journal(self, path: str, recording: Recording) -> Journal:
        origin = check(connection_of(self._settings)).origin
        owner = Owner(recording.header.id, self._settings.worker_run_id or "", origin)
        return Journal(path, owner, self._settings.publication_batch_size)

    def _publish(self, journals: Sequence[Journal]) -> Publication:
        """Ask for the worker run only where something is left."""
        files = [
            ResultsFile(path, recording, journal, self._corpora_of(recording))
            for path, recording, journal in zip(self._order.paths, self._recordings, journals, strict=True)
        ]
        publication = Publication(files, self._outcome)
        to = self._find_destination() if publication.left else None
        self._is_sending = True
        publication.perform(to)
        return publication

    def _find_destination(self) -> Destination:
        """Ask Arkindex for the worker run."""
        run_id, is_slurm_job = self._settings.worker_run_id or "", self._settings.slurm_job_id is not None
        process = retrieve_run(self._client, Named(run_id, self._resolution.locations, is_slurm_job)).process
        has_activities = process.activity_state == "ready" and process.mode not in WITHOUT_ACTIVITIES
        activities = Activities(self._client, run_id, process.id) if has_activities else None
        if self._settings.no_worker_activity:
            activities = None
        certainty = Certainty(self._client, run_id, check=self._check)
        failures = self._outcome.failures
        return Destination(self._client, certainty, activities, run_id, process.corpus, failures, self._check)

    def _corpora_of(self, recording: Recording) -> Corpora:
        """The same for files of the same worker: each corpus is looked up once."""
        from arkworker.arkindex.publishing.corpus import Corpora

        creates = recording.header.creates
        return self._corpora.setdefault(creates.model_dump_json(), Corpora(Creates(**creates.model_dump())))

    def _stop(self) -> None:
        """The first signal, in another thread: nothing waits, and what is under way has a little time."""
        self._clock.wake()
        timer = threading.Timer(GRACE if self._is_sending else 0.0, self._client.end)
        timer.daemon = True
        timer.start()

    def _check(self) -> None:
        if (number := self._stopping.known) is not None:
            raise StoppedError(number)

    def _conclude(self, publication: Publication) -> Summary:
        paths = self._order.paths
        if not publication.left:
            name = printable(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
            logger.info("nothing to publish: all elements of %s (%d) are already published", name, publication.count)
        error = publication.error
        number = self._stopping.known
        ended_by = 128 + number if number else int(error.exit_code) if isinstance(error, ArkworkerError) else None
        if error is not None and not number:
            logger.error("%s; publish the %s again to continue", error, "file" if len(paths) == 1 else "same files")
        summary = self._outcome.sum_up(ended_by, strict=self._settings.strict)
        self._outcome.conclude(summary)
        return summary


def default_journal(path: str) -> str:
    """Where the journal lies by default."""
    return f"{path}.journal"
