"""The workers that `serve` runs: their commands, one after the other, and how they are ended."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from arkworker.emulator.agent import run_worker
from arkworker.errors import ArkworkerError, ExitCode
from arkworker.text import printable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.project.steps import Step

_SIGNALLED = 128  # exit codes above it are those of signals
_WEIGHTS: dict[int, int] = {
    ExitCode.CONFIGURATION: 1,
    ExitCode.UNAVAILABLE: 2,
    ExitCode.FAILED: 4,
    ExitCode.UNCERTAIN: 5,
    ExitCode.OK: 6,
}


@dataclass
class Workers:
    """The commands of the steps: of each, once for each task, all at the same time; one step after the other."""

    emulator: Emulator
    steps: Sequence[Step]
    announce: Callable[[str], None]
    echo: Callable[[bytes], object] | None
    when_ended: Callable[[], object]
    _codes: set[int] = field(default_factory=set)
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

    @property
    def exit_code(self) -> int:
        """The weightiest of those of all commands: of a signal, 78, 69, any that is not of arkworker, 1, 75, 0."""
        return min(self._codes, key=_weight_of, default=ExitCode.OK)

    def start(self) -> None:
        """Start the first step; `when_ended` is called when the last one has ended, or one has failed."""
        self._start(self.steps)

    def run_again(self, run: str, values: dict[str, Any], elements: list[str] | None) -> str:
        """Run the worker of a run again, with other values; the id of the new run.

        Raises:
            LookupError: It is not a run of these workers.
            ValueError: The worker has no such option.
        """
        found = [step for step in self.steps if run in step.runs]
        if not found:
            raise LookupError("this run does not belong to the command given to serve")
        copy = self.emulator.copy_worker_run(run, values, elements)
        found[0].runs.append(copy)
        self._start([replace(found[0], runs=[copy])])
        return copy

    def _start(self, steps: Sequence[Step]) -> None:
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

    def _run(self, steps: Sequence[Step]) -> None:
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
            self._end(str(error), int(error.exit_code))
        finally:
            with self._lock:
                self._running -= 1
            self.when_ended()

    def _run_step(self, step: Step, run: str) -> bool:
        """Run a step's command for each of its tasks; whether all of them succeeded."""
        chunks = range(1, len(self.emulator.tasks(run)) + 1)
        with ThreadPoolExecutor(len(chunks), thread_name_prefix="worker") as pool:
            return all([*pool.map(lambda chunk: self._run_one(step, run, chunk), chunks)])

    def _run_one(self, step: Step, run: str, chunk: int) -> bool:
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
                echo=self.echo or _keep_quiet,
            )
        except OSError as error:
            self._end(f"cannot run {printable(command[0])}: {error.strerror}", ExitCode.FAILED)
            return False
        finally:
            self._forget()
        self._end(f"{name} ended with exit code {code}", code if code >= 0 else _SIGNALLED - code)
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

    def _end(self, message: str, code: int) -> None:
        with self._lock:
            self._codes.add(code)
            with suppress(OSError):  # whoever read it is gone, as in `serve … | head`: the exit code tells it, too
                self.announce(message)


def _weight_of(code: int) -> int:
    return 0 if code > _SIGNALLED else _WEIGHTS.get(code, 3)


def _keep_quiet(_piece: bytes) -> None:
    """The log is in the page."""


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
