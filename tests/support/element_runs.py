"""Runs over elements in processes of their own, against the emulated Arkindex, judged by its history."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WORKER = Path(__file__).with_name("element_worker.py")
ROOT = Path(__file__).parents[2]
LONG = 600  # seconds for what is not about time: a machine that does much else takes half a minute to start Python
OPERATIONS = ("StartWorkerActivity", "RetrieveElement", "UpdateWorkerActivity")

#: Each kind of fault, before or after the server acted.
FAULTS: dict[str, Callable[[bool], Fault]] = {
    "500": lambda acted: Fault.answer(500, acted=acted),
    "503": lambda acted: Fault.answer(503, acted=acted),
    "429": lambda _: Fault.answer(429, retry_after="1"),
    "reset": lambda acted: Fault.reset(acted=acted),
    "close": lambda acted: Fault.close(acted=acted),
    "cut": lambda _: Fault.cut(),
    "malformed": lambda _: Fault.malformed(),
}


@dataclass
class Ended:
    """A process that has ended."""

    code: int
    log: str
    summary: dict[str, Any]
    seconds: float  # since the signal, where there was one

    def __str__(self) -> str:
        return f"exit code {self.code}, {self.summary}\n{self.log}"

    @property
    def numbers(self) -> list[int]:
        """Of the summary: elements, processed, failed, skipped, uncertain, and the exit code."""
        return [self.summary[name] for name in ("elements", "processed", "failed", "skipped", "uncertain", "exit_code")]


@dataclass
class Trial:
    """An emulated Arkindex with a queue, and processes that work on it."""

    emulator: Emulator
    elements: list[str]
    run: str
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def befall(
        self, kinds: Sequence[str], rate: float, *, acted: Sequence[bool] = (False, True), seed: int = 0
    ) -> None:
        """Let a share of the calls go wrong, equally in each of these ways."""
        share = rate / len(kinds) / len(acted)
        for place, operation in enumerate(OPERATIONS):
            for number, kind in enumerate(kinds):
                for side in acted:
                    dice = seed + 1000 * place + 10 * number + side
                    self.emulator.faults.add(operation, FAULTS[kind](side), rate=share, seed=dice)

    def write_list(self) -> str:
        """A list of all elements, as a file."""
        path = self.folder / "elements.json"
        path.write_text(json.dumps([{"id": element} for element in self.elements]))
        return str(path)

    def start(
        self, *flags: str, name: str = "", stream: int | None = None, session: bool = False, **variables: str
    ) -> Process:
        """Start a worker; what it says goes to a file, or to `stream`."""
        data = self.folder / "data"  # shared, as by the tasks of one host
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PYTHONPATH": str(ROOT), "USER_LOG": str(self.folder / "user.log")}
        environ |= self.emulator.environment(self.run, data_dir=data) | variables
        summary = self.folder / f"summary{name}.json"
        command = [sys.executable, str(WORKER), "--summary", str(summary), *flags]
        log = (self.folder / f"log{name}.txt").open("w+")
        output: Any = log if stream is None else stream
        popen = subprocess.Popen(command, env=environ, stdout=output, stderr=output, start_new_session=session)
        self.started.append(popen)
        return Process(popen, summary, log)

    def wait_for(self, operation: str, count: int = 1) -> None:
        """Until that many calls of an operation have come."""
        wait_until(lambda: len(self.emulator.ledger.calls(operation)) >= count)

    def wait_for_file(self, name: str) -> None:
        """Until a worker has made it."""
        wait_until((self.folder / name).exists)

    @property
    def states(self) -> Counter[str]:
        return Counter(self.emulator.activity_states(self.run).values())

    @property
    def user_calls(self) -> Counter[str]:
        """How often each element went through user code."""
        log = self.folder / "user.log"
        return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()


@dataclass
class Process:
    """A worker's process."""

    popen: subprocess.Popen[bytes]
    summary: Path
    log: Any
    signalled: float = 0.0

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.signalled = self.signalled or time.monotonic()
        self.popen.send_signal(number)

    def signal_group(self, number: int) -> None:
        self.signalled = self.signalled or time.monotonic()
        os.killpg(self.popen.pid, number)

    def wait(self, timeout: float = LONG) -> Ended:
        try:
            code = self.popen.wait(timeout)
        finally:
            self.popen.kill()
            self.popen.wait()
        seconds = time.monotonic() - self.signalled if self.signalled else 0.0
        with self.log as log:
            log.seek(0)
            text = log.read()
        found = json.loads(self.summary.read_text()) if self.summary.exists() else {}
        return Ended(code, text, found, seconds)


@contextmanager
def trial(folder: Path, count: int = 10, **arrangement: Any) -> Iterator[Trial]:
    """An emulator with that many elements queued."""
    with Emulator() as emulator:
        emulator.add_corpus()
        elements = emulator.add_elements(count, image=(100, 100))
        made = Trial(emulator, list(elements), emulator.add_worker_run(**arrangement), folder)
        try:
            yield made
        finally:
            for process in made.started:  # of a test that failed
                process.kill()
                process.wait()


def wait_until(condition: Callable[[], bool], timeout: float = LONG) -> None:
    """Until it holds.

    Raises:
        TimeoutError: It does not.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)
