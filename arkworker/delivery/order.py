"""What `publish` was asked to do, from its settings to the last line."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.arkindex.activities import WITHOUT_ACTIVITIES, Activities
from arkworker.arkindex.publishing.certainty import Certainty
from arkworker.arkindex.worker_run import retrieve_run
from arkworker.clock import SystemClock
from arkworker.delivery.element import Sender
from arkworker.delivery.file import Publication
from arkworker.delivery.journal import Journal, Owner
from arkworker.errors import ArkworkerError, ConfigurationError, Problem, StoppedError
from arkworker.options.creates import Creates
from arkworker.runtime.loop import outcome
from arkworker.runtime.loop.clients import LoopClient, OutageBudget
from arkworker.runtime.loop.failures import Failures
from arkworker.runtime.loop.outcome import Summary, Tally, exit_code_of
from arkworker.runtime.loop.progress import ProgressDisplay
from arkworker.runtime.outputs import mistakes
from arkworker.runtime.preparation import connection_of
from arkworker.storage.recording.reading import read_recording
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.platform import Settings
    from arkworker.settings.resolution import Resolution
    from arkworker.storage.recording.reading import Recording

logger = logging.getLogger("arkworker")

GRACE = 8.0  # seconds that requests under way have, once a signal came


@dataclass(frozen=True)
class Order:
    """A file to publish, and how.

    Attributes:
        path: The results file.
        journal: The journal of its publication; by default beside it.
        worker_run_id: The worker run that signs, where somebody says so, and where that was said.
        resolve: Makes the settings, for a worker run.
    """

    path: str
    journal: str
    worker_run_id: tuple[str, str] | None
    resolve: Callable[[str], Resolution]


def publish(order: Order, settings: Settings, stopping: Stopping) -> Summary:
    """Publish what is not published yet; the summary, where all went well.

    Raises:
        ElementsError: It did not end well; the exit code says how.
        ConfigurationError: Something is to be corrected first.
        ApiError: Arkindex does not give the worker run.
        StoppedError: A signal came before the first element.
    """
    _check_paths(order, settings)
    tally = Tally()
    outcome.prepare(settings.summary)
    with outcome.summed_up(settings.summary, tally, stopping), read_recording(order.path) as recording:
        if recording.is_cut:
            logger.warning("%s: its last line was cut: that element is not in it", printable(order.path))
        resolution = order.resolve(_worker_run_of(order, recording))
        if resolution.ledger.problems:
            raise ConfigurationError(resolution.ledger.problems)
        return _Publishing(order, recording, resolution, stopping, tally).perform()


def _check_paths(order: Order, settings: Settings) -> None:
    """Refuse to write one file over another, or where nothing can be written."""
    outputs = {"journal": order.journal, "summary": settings.summary}
    inputs = [("FILE", order.path), ("--env-file", settings.env_file), ("the bundle", settings.api.ca_bundle)]
    problems = [Problem(name, "command line", f"--{name}", message) for name, message in mistakes(outputs, inputs)]
    if problems:
        raise ConfigurationError(problems)


def _worker_run_of(order: Order, recording: Recording) -> str:
    """The worker run that signs: that of the file, or the one that was named."""
    there = recording.header.worker_run_id
    given, location = order.worker_run_id or (None, "--worker-run-id")
    if there is not None and given not in (None, there):
        message = f"the results are those of the worker run {there}, and no other can sign them"
        raise ConfigurationError([Problem("worker_run_id", "results file", location, message, "leave it out")])
    if there is None and given is None:
        message = "the results were recorded without a worker run, and one has to sign them"
        hint = "pass --worker-run-id, or set ARKINDEX_WORKER_RUN_ID"
        raise ConfigurationError([Problem("worker_run_id", "results file", printable(order.path), message, hint)])
    return there or given or ""


class _Publishing:
    """The parts of one publication."""

    def __init__(
        self, order: Order, recording: Recording, resolution: Resolution, stopping: Stopping, tally: Tally
    ) -> None:
        self._order = order
        self._recording = recording
        self._resolution = resolution
        self._settings = resolution.settings
        self._stopping = stopping
        self._tally = tally
        self._failures = Failures()
        self._clock = SystemClock()
        self._start = self._clock.now()
        self._client = LoopClient(connection_of(self._settings), self._clock, OutageBudget(), careful=True)
        self._is_sending = False

    def perform(self) -> Summary:
        owner = Owner(self._recording.header.id, self._settings.worker_run_id or "", _origin_of(self._settings.api.url))
        journal = Journal(self._order.journal, owner, self._settings.publication_batch_size)
        try:
            with self._stopping.calling(self._stop):
                self._stopping.check()
                publication = self._publish(journal)
        finally:
            journal.close()
            self._client.close()
        return self._conclude(publication)

    def _publish(self, journal: Journal) -> Publication:
        """Ask for the worker run only where something is left."""
        publication = self._make(journal, None, None)
        if publication.left:
            run = retrieve_run(self._client, self._resolution)
            process = run.process
            has_activities = process.activity_state == "ready" and process.mode not in WITHOUT_ACTIVITIES
            activities = None
            if has_activities and not self._settings.no_worker_activity:
                activities = Activities(self._client, self._settings.worker_run_id or "", process.id)
            publication = self._make(journal, activities, self._recording.header.corpus_id or process.corpus)
        self._is_sending = True
        publication.perform()
        return publication

    def _make(self, journal: Journal, activities: Activities | None, corpus_id: str | None) -> Publication:
        from arkworker.arkindex.publishing import Corpora

        header, run_id = self._recording.header, self._settings.worker_run_id or ""
        sender = Sender(
            self._client,
            Certainty(self._client, run_id, check=self._check),
            Corpora(Creates(**header.creates.model_dump())),
            journal,
            self._check,
            run_id,
            corpus_id,
        )
        bar = ProgressDisplay(self._tally, len(self._recording.places), self._clock)
        return Publication(self._recording, sender, activities, tally=self._tally, failures=self._failures, bar=bar)

    def _stop(self) -> None:
        """The first signal, in another thread: nothing waits, and what is under way has a little time."""
        self._clock.wake()
        timer = threading.Timer(GRACE if self._is_sending else 0.0, self._client.end)
        timer.daemon = True
        timer.start()

    def _check(self) -> None:
        number = self._stopping.received or self._stopping.signal_number
        if number is not None:
            raise StoppedError(number)

    def _conclude(self, publication: Publication) -> Summary:
        name = printable(self._order.path)
        if not publication.left:
            logger.info("nothing to publish: all %d elements of %s are published", len(self._recording.places), name)
        error = publication.error
        number = self._stopping.received or self._stopping.signal_number
        ended_by = 128 + number if number else int(error.exit_code) if isinstance(error, ArkworkerError) else None
        if error is not None and not number:
            logger.error("%s; publish the file again to go on", error)
        code = exit_code_of(self._tally, ended_by=ended_by, strict=self._settings.strict)
        summary = Summary.of(self._tally, self._clock.now() - self._start, code)
        outcome.conclude(summary, self._failures, self._settings.summary)
        return summary


def _origin_of(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def default_journal(path: str) -> str:
    """Where the journal lies when nobody says so."""
    return f"{path}.journal"
