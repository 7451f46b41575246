"""`arkworker serve`: an emulator at a desk, until it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select

from arkworker.emulator.agent import run_worker
from arkworker.emulator.emulator import Emulator
from arkworker.emulator.importing import import_export
from arkworker.emulator.layout import Layout, holds_images
from arkworker.emulator.project import Project, read_fault, read_project
from arkworker.emulator.tables import Task, WorkerRun
from arkworker.errors import ArkworkerError, UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Of the latest requests; a desk may be in use for days.
LEDGER_LIMIT = 10_000
# What ends `serve`; a second one hurries the workers.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
ENDED = 0  # in the place of a signal: all workers have ended


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
        host: To listen on.
        port: Of the API and the page; 0 takes a free one, as for `storage_port`.
        storage_port: Of files and images.
        database: The SQLite file in which everything is kept; one that has a worker run already is served as it is.
        directory: Of stored files, kept.
        command: A worker to run, once for each chunk, as the platform would; its log is in the page.
        jobs: Given to the commands as `--jobs`.
        once: Stop when the commands have ended, instead of leaving their results to be looked at.
        faults: Further ones, besides those of the project, each as `OPERATION:EFFECT[,NAME=VALUE…]`.
        announce: Called with messages for people, line by line.
        echo: Called with what the commands write, piece by piece.
        browse: Called with the address of the page once it can be opened.

    Returns:
        The exit code: 0, or 1 when a command failed.

    Raises:
        ConfigurationError: The project is wrong.
        UsageError: A port is taken or not allowed; the database, the export or a fault cannot be used.
    """
    described = Project() if project is None else read_project(project)
    emulator = _make(described, database, host=host, port=port, storage_port=storage_port, directory=directory)
    try:
        steps = _steps(emulator, described, from_export, command, jobs)
        if once and steps[0].command is None:
            raise UsageError("--once stops when the worker has ended: give its command after --")
        for fault in map(read_fault, faults):
            fault.add_to(emulator.faults)
        with _Bell() as bell:
            workers = _Workers(emulator, steps, announce, echo, bell)
            _start(emulator, host, port)
            _tell_emptiness(described, announce)
            _open(emulator, steps[0], workers, announce, browse)
            _attend(bell, workers, once=once)
        _tell_what_lacks(emulator, announce)
        return int(workers.failed)
    finally:
        emulator.close()


def _make(described: Project, database: Path | None, **places: Any) -> Emulator:
    try:
        return Emulator(edition=described.edition, database=database, ledger_limit=LEDGER_LIMIT, **places)
    except sqlite3.DatabaseError as error:
        raise UsageError(f"cannot use {printable(str(database))} as the database: {error}") from None


def _open(
    emulator: Emulator,
    first: _Step,
    workers: _Workers,
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
        announce(f"The emulator has no operation {name}, which was asked for {count} times")


def _attend(bell: _Bell, workers: _Workers, *, once: bool) -> None:
    """Wait for a signal, or with `once` for the workers; and then for what still runs."""
    asked = 0
    try:
        while not (workers.have_ended and (asked or once)):
            for number in bell.wait():
                if number == signal.SIGCHLD and asked:
                    workers.sweep()
                elif number not in (signal.SIGCHLD, ENDED):
                    asked += 1
                    workers.end(asked)
    except BaseException:
        workers.end(1)
        raise


@dataclass
class _Step:
    """One worker: how its run is made, or the run that is there; and its command."""

    make: Callable[[Sequence[str]], str]
    command: Sequence[str] | None
    cwd: Path | None = None
    name: str = ""
    runs: list[str] = field(default_factory=list)

    def start(self, before: Sequence[str]) -> str:
        """The id of the worker run, which is made the first time."""
        if not self.runs:
            self.runs.append(self.make(before))
        return self.runs[0]


@dataclass
class _Workers:
    """The commands of the steps: of each, once for each task, all at the same time; one step after the other."""

    emulator: Emulator
    steps: Sequence[_Step]
    announce: Callable[[str], None]
    echo: Callable[[bytes], object] | None
    bell: _Bell
    failed: bool = False
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _is_ending: bool = False

    def __post_init__(self) -> None:
        if self.steps[0].command is not None:
            self.emulator.again = self.run_again

    @property
    def have_ended(self) -> bool:
        return self._running == 0

    def start(self) -> None:
        """Start the first step; the bell rings when the last one has ended."""
        self._start(self.steps)

    def run_again(self, run: str, values: dict[str, Any], elements: list[str] | None) -> str:
        """Run the worker of a run again, with other values; the id of the new run.

        Raises:
            LookupError: It is not a run of these workers.
            ValueError: The worker has no such option.
        """
        found = [step for step in self.steps if run in step.runs]
        if not found:
            raise LookupError("this run is not one of the command that serve was given")
        copy = self.emulator.copy_worker_run(run, values, elements)
        found[0].runs.append(copy)
        self._start([replace(found[0], runs=[copy])])
        return copy

    def _start(self, steps: Sequence[_Step]) -> None:
        with self._lock:
            if self._is_ending:
                raise ValueError("serve is about to end")
            self._running += 1
        threading.Thread(target=self._run, args=(steps,), name="workers", daemon=True).start()

    def end(self, asked: int) -> None:
        """Ask those that run to end; asked again, by a second signal to all that they started; and then by SIGKILL."""
        with self._lock:
            self._is_ending = True
            for process in self._processes:
                if asked == 1:
                    process.terminate()
                else:
                    _signal_group(process, signal.SIGTERM if asked == 2 else signal.SIGKILL)

    def sweep(self) -> None:
        """End what ended workers have started, and left behind."""
        with self._lock:
            for process in self._processes:
                if process.poll() is not None:
                    _signal_group(process, signal.SIGTERM)

    def _run(self, steps: Sequence[_Step]) -> None:
        before: list[str] = []
        failed = False
        try:
            for step in steps:
                if failed or self._is_ending:
                    break
                run = step.start(before)
                before += [task.id for task in self.emulator.tasks(run)]
                failed = not self._run_step(step, run)
        except ArkworkerError as error:
            self._end(str(error), failed=True)
        finally:
            with self._lock:
                self._running -= 1
            self.bell.ring()

    def _run_step(self, step: _Step, run: str) -> bool:
        """Run a step's command for each of its tasks; whether all of them succeeded."""
        chunks = range(1, len(self.emulator.tasks(run)) + 1)
        with ThreadPoolExecutor(len(chunks), thread_name_prefix="worker") as pool:
            return all([*pool.map(lambda chunk: self._run_one(step, run, chunk), chunks)])

    def _run_one(self, step: _Step, run: str, chunk: int) -> bool:
        command = list(step.command or ())
        name = f"worker {chunk}" if len(self.steps) == 1 else f"{step.name}, worker {chunk}"
        try:
            code = run_worker(
                self.emulator,
                run,
                command,
                chunk=chunk,
                cwd=step.cwd,
                started=self._register,
                echo=self.echo,
            )
        except OSError as error:
            self._end(f"cannot run {printable(command[0])}: {error.strerror}", failed=True)
            return False
        finally:
            self._forget()
        self._end(f"{name} ended with exit code {code}", failed=code != 0)
        return code == 0

    def _register(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes.append(process)
            if self._is_ending:
                process.terminate()

    def _forget(self) -> None:
        """Leave out those that ended: their numbers may soon be those of other processes."""
        with self._lock:
            self._processes = [process for process in self._processes if process.poll() is None]

    def _end(self, message: str, *, failed: bool) -> None:
        with self._lock:
            self.failed = self.failed or failed
            self.announce(message)


def _steps(
    emulator: Emulator, project: Project, from_export: Path | None, command: Sequence[str], jobs: str | None
) -> list[_Step]:
    """The workers to run, or the run that is in the database."""
    existing = _existing_run(emulator)
    folder = project.source.folder
    if existing is None:
        if from_export is not None:
            import_export(emulator, from_export)
        laid = Layout(emulator, project).arrange()
        steps = [_Step(step.start, step.command, folder, step.name) for step in laid]
    else:
        steps = [_Step(lambda _before: existing, project.command, folder, runs=[existing])]
    if command:
        # In the place of what the project says; the caller's folder is that of the command.
        steps = steps[:1]
        steps[0].command, steps[0].cwd = command, None
    for step in steps:
        if jobs is not None and step.command is not None:
            step.command = [*step.command, "--jobs", jobs]
    return steps


def _existing_run(emulator: Emulator) -> str | None:
    with emulator.database.transaction() as session:
        rows = select(WorkerRun.id).join(Task, Task.worker_run_id == WorkerRun.id)
        return session.scalar(rows.order_by(WorkerRun.position.desc()).limit(1))


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


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


class _Bell:
    """Signals, and the end of the workers, in the order in which they came.

    A handler could run in the middle of anything, and the system may give a signal to a thread that is not the main
    one, which then would not wake up: so each is a byte in a pipe, and the main thread does nothing but read it.
    """

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        numbers = (*SIGNALS, signal.SIGCHLD)
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
