"""`arkworker serve`: an emulator for development, until it is stopped."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import socket
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select

from arkworker.emulator.emulator import Emulator
from arkworker.emulator.importing import import_export
from arkworker.emulator.project.corpus import holds_images
from arkworker.emulator.project.items import Project
from arkworker.emulator.project.reading import read_fault, read_project
from arkworker.emulator.project.steps import Step, arrange, command_of
from arkworker.emulator.tables import Task, WorkerRun
from arkworker.emulator.workers import Workers
from arkworker.errors import UsageError
from arkworker.runtime.stopping import SIGNALS, endings
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Of the latest requests; a desk may be in use for days.
LEDGER_LIMIT = 10_000
NO_COMMAND = "--once stops when the worker has ended: give its command after --, or as `command` of the project"
ENDED = 0  # instead of a signal: all workers have ended


def serve(  # noqa: PLR0913 - one for each flag of the command line
    project: Path | None = None,
    *,
    from_export: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    storage_port: int = 0,
    database: Path | None = None,
    directory: Path | None = None,
    command: Sequence[str] = (),
    jobs: str | None = None,
    once: bool = False,
    faults: Sequence[str] = (),
    announce: Callable[[str], None],
    echo: Callable[[bytes], object] | None = None,
    browse: Callable[[str], object] | None = None,
) -> int:
    """Serve a project until SIGINT or SIGTERM; call it in the main thread.

    Args:
        project: A YAML file, or a folder of images.
        from_export: The SQLite export of a real Arkindex, which the project adds to.
        host: The address to listen on.
        port: The port of the API and the page; 0 takes a free one, as for `storage_port`.
        storage_port: The port of files and images.
        database: The SQLite file in which everything is kept; one that already has a worker run is served unchanged.
        directory: The folder of stored files, which is kept; by default it is beside the database.
        command: A worker to run, once for each chunk, as the platform would; its log is in the page.
        jobs: Given to the commands as `--jobs`.
        once: Stop when the commands have ended, instead of serving on, so that the results can be looked at.
        faults: Faults in addition to those of the project, each as `OPERATION:EFFECT[,NAME=VALUE…]`.
        announce: Called with messages for people, line by line.
        echo: Called with what the commands write, piece by piece.
        browse: Called with the address of the page once it can be opened.

    Returns:
        The exit code: the weightiest of those of the commands, or 128 + n when signal n came while one ran; else 0.

    Raises:
        ConfigurationError: The project is wrong.
        UsageError: A port is taken or not allowed; the database, the directory, the export or a fault cannot be used.
    """
    described = Project() if project is None else read_project(project)
    places = {"host": host, "port": port, "storage_port": storage_port, "directory": directory}
    with _emulator(described, database, **places) as emulator:
        steps = _steps(emulator, described, from_export, command)
        _choose_commands(steps, described, jobs, once=once)
        for fault in map(read_fault, faults):
            fault.add_to(emulator.faults)
        with _Bell() as bell:
            workers = Workers(emulator, steps, announce, echo, bell.ring)
            _start(emulator, host, port)
            _tell_emptiness(described, announce)
            _open(emulator, steps[0], workers, announce, browse)
            stopped_by = _attend(bell, workers, once=once)
        with suppress(OSError):  # as where a worker has ended
            _tell_what_lacks(emulator, announce)
        return 128 + stopped_by if stopped_by else workers.exit_code


@contextmanager
def _emulator(described: Project, database: Path | None, **places: Any) -> Iterator[Emulator]:
    """One that is not yet started, and is closed at the end."""
    beside = None
    if places["directory"] is not None:
        _check_folder(places["directory"])
    elif database is not None:
        places["directory"] = beside = database.with_name(f"{database.name}.files")
    # What a link leads to; of one that leads to itself, SQLite says it.
    made = Path(os.path.realpath(database)) if database is not None and not database.exists() else None
    try:
        emulator = Emulator(edition=described.edition, database=database, ledger_limit=LEDGER_LIMIT, **places)
    except sqlite3.DatabaseError as error:
        raise UsageError(f"cannot use {printable(str(database))} as the database: {error}") from None
    is_unfinished = False
    try:
        yield emulator
    finally:
        if made is not None:
            is_unfinished = _existing_run(emulator) is None
        emulator.close()
        if made is not None and is_unfinished:
            # A mistake was found half-way: the next attempt begins anew, not with that half.
            made.unlink(missing_ok=True)
            if beside is not None:
                shutil.rmtree(beside, ignore_errors=True)


def _check_folder(directory: Path) -> None:
    """Make it, before anything is stored in it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "not a folder" if isinstance(error, FileExistsError) else error.strerror or type(error).__name__
        raise UsageError(f"--directory: files cannot be kept in {printable(str(directory))}: {reason}") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(f"--directory: files cannot be kept in {printable(str(directory))}: it is read-only")


def _open(
    emulator: Emulator,
    first: Step,
    workers: Workers,
    announce: Callable[[str], None],
    browse: Callable[[str], object] | None,
) -> None:
    """Tell where it is, and start the first worker."""
    announce(f"Emulated Arkindex on {emulator.url} (Ctrl-C stops it)")
    announce(f"API token: {emulator.token}")
    _announce_environment(emulator, first.start(()), announce)
    if browse is not None:
        browse(emulator.url)
    if first.command is not None:
        workers.start()


def _tell_emptiness(described: Project, announce: Callable[[str], None]) -> None:
    """Else a corpus that is empty for a misspelt folder looks like any other."""
    if described.images is not None:
        folder = described.source.folder / described.images
        if not holds_images(folder):
            announce(f"There are no pages in {printable(str(folder))}: it holds no image that can be read")


def _tell_what_lacks(emulator: Emulator, announce: Callable[[str], None]) -> None:
    for name, count in emulator.ledger.lacking.most_common():
        times = "once" if count == 1 else f"{count} times"
        announce(f"The emulator has no operation {name}, which was asked for {times}")


def _attend(bell: _Bell, workers: Workers, *, once: bool) -> int:
    """Wait for a signal, or with `once` for the workers; and then for what still runs.

    Returns:
        The signal that came while a worker ran; else 0.
    """
    asked = stopped_by = 0
    try:
        while not (workers.have_ended and (asked or once)):
            for number in bell.wait():
                if number == signal.SIGCHLD and asked:
                    workers.sweep()
                elif number not in (signal.SIGCHLD, ENDED):
                    asked += 1
                    stopped_by = stopped_by or (0 if workers.have_ended else number)
                    workers.end(asked)
    except BaseException:
        workers.end(1)
        raise
    return stopped_by


def _steps(emulator: Emulator, project: Project, from_export: Path | None, command: Sequence[str]) -> list[Step]:
    """The workers to run, or the run that is in the database."""
    existing = _existing_run(emulator)
    if existing is None:
        if from_export is not None:
            import_export(emulator, from_export)
        steps = arrange(emulator, project)
    else:
        steps = [Step(lambda _before: existing, project.command, project.source.folder, runs=[existing])]
    if command:
        # In the place of what the project says; the caller's folder is that of the command.
        steps = steps[:1]
        steps[0].command, steps[0].cwd = command, None
    return steps


def _choose_commands(steps: Sequence[Step], project: Project, jobs: str | None, *, once: bool) -> None:
    """Where the flags say that a command is run, there is one."""
    if (once or jobs is not None) and steps[0].command is None and not project.workers:
        steps[0].command = command_of(project)
    if jobs is not None and all(step.command is None for step in steps):
        raise UsageError("--jobs is given to the command of a worker: give that after --")
    if once and steps[0].command is None:
        raise UsageError(NO_COMMAND)
    for step in steps:
        if jobs is not None and step.command is not None:
            step.command = [*step.command, "--jobs", jobs]


def _existing_run(emulator: Emulator) -> str | None:
    with emulator.database.transaction() as session:
        rows = select(WorkerRun.id).join(Task, Task.worker_run_id == WorkerRun.id)
        return session.scalar(rows.order_by(WorkerRun.position.desc()).limit(1))


def _start(emulator: Emulator, host: str, port: int) -> None:
    try:
        emulator.start()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        flag = "--host" if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL else "--port"
        message = f"cannot listen on {printable(host)}, port {port}: {reason}; choose another one with {flag}"
        raise UsageError(message) from None


def _announce_environment(emulator: Emulator, run: str, announce: Callable[[str], None]) -> None:
    announce("For a worker:")
    for chunk, _task in enumerate(emulator.tasks(run), start=1):
        variables = emulator.environment(run, chunk=chunk)
        announce("  export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))


class _Bell:
    """Signals, and the end of the workers, in the order in which they came.

    A handler could run in the middle of anything, and the system may give a signal to a thread that is not the main
    one, which then would not wake up: so each is a byte in a pipe, and the main thread does nothing but read it.
    """

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # Each signal that would end a worker ends `serve`; a second one hurries the workers.
        asked = [n for n in endings() if n in SIGNALS or signal.getsignal(n) != signal.SIG_IGN]
        numbers = (*asked, signal.SIGCHLD)
        self._before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        self._descriptor = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)
        self._write = -1

    def ring(self) -> None:
        """Called by the workers' thread when it has ended."""
        with suppress(OSError):
            os.write(self._write, bytes([ENDED]))

    def wait(self) -> bytes:
        """What came, at least one."""
        return os.read(self._read, 100)
