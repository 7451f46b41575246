"""`arkworker serve`: an emulator at a desk, until it is stopped."""

from __future__ import annotations

import shlex
import signal
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import select

from arkworker.emulator.agent import run_worker
from arkworker.emulator.emulator import Emulator
from arkworker.emulator.layout import Layout
from arkworker.emulator.project import read_fault, read_project
from arkworker.emulator.tables import WorkerRun
from arkworker.errors import UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# Of the latest requests; a desk may be in use for days.
LEDGER_LIMIT = 10_000


def serve(  # noqa: PLR0913 - one for each flag of the command line
    project: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    storage_port: int = 0,
    database: Path | None = None,
    directory: Path | None = None,
    command: Sequence[str] = (),
    once: bool = False,
    faults: Sequence[str] = (),
    announce: Callable[[str], None],
    echo: Callable[[bytes], object] | None = None,
) -> int:
    """Serve a project until SIGINT or SIGTERM; call it in the main thread.

    Args:
        project: A YAML file, or a folder of images.
        host: To listen on.
        port: Of the API and the page; 0 takes a free one.
        storage_port: Of files and images; 0 takes a free one.
        database: The SQLite file in which everything is kept; one that has a corpus already is served as it is.
        directory: Of stored files, kept.
        command: A worker to run, once for each chunk, as the platform would; its log is in the page.
        once: Stop when the command has ended, instead of leaving its results to be looked at.
        faults: Further ones, besides those of the project, each as `OPERATION:EFFECT[,NAME=VALUE…]`.
        announce: Told what a person should know, line by line.
        echo: Given what the command writes, piece by piece.

    Returns:
        The exit code: 0, or 1 when the command failed.

    Raises:
        ConfigurationError: The project is wrong.
        UsageError: A port is taken, or is not ours to take; the database file cannot be used; a fault is none.
    """
    described = read_project(project)
    further = [read_fault(text) for text in faults]
    try:
        emulator = Emulator(
            edition=described.edition,
            database=database,
            directory=directory,
            host=host,
            port=port,
            storage_port=storage_port,
            ledger_limit=LEDGER_LIMIT,
        )
    except sqlite3.DatabaseError as error:
        raise UsageError(f"cannot use {printable(str(database))} as the database: {error}") from None
    try:
        run = _existing_run(emulator) or Layout(emulator, described, project).arrange()
        for fault in further:
            fault.add_to(emulator.faults)
        _start(emulator, host, port)
        with _until_stopped() as stopped:
            announce(f"Emulated Arkindex on {emulator.url} (Ctrl-C stops it)")
            announce(f"API token: {emulator.token}")
            _announce_environment(emulator, run, announce)
            workers = _Workers(emulator, run, command, announce, echo) if command else None
            if workers is not None:
                workers.start(at_end=stopped.set if once else lambda: None)
            stopped.wait()
            return 0 if workers is None else workers.stop()
    finally:
        emulator.close()


class _Workers:
    """A worker's command, once for each task, all at the same time."""

    def __init__(
        self,
        emulator: Emulator,
        run: str,
        command: Sequence[str],
        announce: Callable[[str], None],
        echo: Callable[[bytes], object] | None,
    ) -> None:
        self._echo = echo
        self._emulator = emulator
        self._run = run
        self._command = command
        self._announce = announce
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run_one, args=(chunk,), name=f"worker {chunk}")
            for chunk in range(1, len(emulator.tasks(run)) + 1)
        ]
        self._failed = False

    def start(self, at_end: Callable[[], object]) -> None:
        """Start them; `at_end` is called when the last of them has ended."""
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._wait, args=(at_end,), name="workers", daemon=True).start()

    def stop(self) -> int:
        """Ask those that still run to end, and wait for them; 1 when one of all failed."""
        with self._lock:
            self._stopping = True
            for process in self._processes:
                process.terminate()
        for thread in self._threads:
            thread.join()
        return int(self._failed)

    def _wait(self, at_end: Callable[[], object]) -> None:
        for thread in self._threads:
            thread.join()
        at_end()

    def _run_one(self, chunk: int) -> None:
        try:
            code = run_worker(
                self._emulator, self._run, self._command, chunk=chunk, started=self._register, echo=self._echo
            )
        except OSError as error:
            self._end(f"cannot run {printable(self._command[0])}: {error.strerror}", failed=True)
            return
        self._end(f"worker {chunk} ended with exit code {code}", failed=code != 0)

    def _register(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes.append(process)
            if self._stopping:
                process.terminate()

    def _end(self, message: str, *, failed: bool) -> None:
        with self._lock:
            self._failed = self._failed or failed
            self._announce(message)


def _existing_run(emulator: Emulator) -> str | None:
    with emulator.database.transaction() as session:
        return session.scalar(select(WorkerRun.id).order_by(WorkerRun.position.desc()).limit(1))


def _start(emulator: Emulator, host: str, port: int) -> None:
    try:
        emulator.start()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"cannot listen on {printable(host)}, port {port}: {reason}; choose another one with --port"
        raise UsageError(message) from None


def _announce_environment(emulator: Emulator, run: str, announce: Callable[[str], None]) -> None:
    announce("For a worker:")
    for chunk, _task in enumerate(emulator.tasks(run), start=1):
        variables = emulator.environment(run, chunk=chunk)
        announce("  export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the handlers of before come back at the end."""
    stopped = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
