"""What all cases share: subjects that take turns, one table, and an eye on what else the machine was doing."""

from __future__ import annotations

import math
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import ExitStack

    Measure = Callable[[], Sequence[float]]  # works once, and tells its figures

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.6.0" / "bin" / "python"
LAST_WITH_CACHE = ROOT / ".venv-compat" / "base-worker-0.5.1" / "bin" / "python"
OPENAPI = ROOT / "tests" / "data" / "openapi-reconstructed.json"
OTHERS = 0.1  # of the processors, taken by other work: from here on, figures are not to be believed
SLOWED = 1.15  # the same loop, compared with the fastest time that it took
LOOP = "import timeit; print(min(timeit.repeat('sum(range(2_000_000))', number=1, repeat=5)))"

# What a subject tells of its own memory, in MiB. Not `ru_maxrss`, which starts with that of the parent process.
MOST_MEMORY = """
def most_memory():
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) / 1024
"""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: What was measured.
        unit: Of its figures; where it ends in `/s`, more is better.
        against: What the ratio is to: `peer` or `limit`.
        goal: What the ratio should be at most, or with `/s` at least; or a figure with its unit.
        ours: The subject that is arkworker.
        peer: The subject that is the published library, if any.
        limit: The subject that does the same without a library, if any.
        figure: Which of the figures of the subjects it shows.
    """

    name: str
    unit: str
    against: str = "peer"
    goal: str = ""
    ours: str = "arkworker"
    peer: str = "published"
    limit: str = "limit"
    figure: int = 0


@dataclass(frozen=True)
class Case:
    """Rows that are measured together.

    Attributes:
        name: To select it by.
        prepare: Makes what the subjects need, and returns them by name.
        rounds: How often each subject has its turn, by default.
        warm_up: Turns before them that are not counted, where something is written or read for the first time.
        asked: It is left out unless it is selected.
    """

    name: str
    rows: tuple[Row, ...]
    prepare: Callable[[Place], Mapping[str, Measure]]
    rounds: int = 5
    warm_up: int = 1
    asked: bool = False


@dataclass
class Place:
    """Where a case works.

    Attributes:
        folder: A temporary folder that all cases share.
        stack: What is to be ended after the case.
    """

    folder: Path
    stack: ExitStack

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder that the first case that needs it makes and fills."""
        path = self.folder / name
        if not path.exists():
            path.mkdir()
            make(path)
        return path


@dataclass
class Outcome:
    """What the rounds of a case found, by subject: one tuple of figures a round."""

    case: Case
    figures: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    busy: str = ""

    def lines(self) -> list[list[str]]:
        """Its lines of the table."""
        return [self._line(row) for row in self.case.rows]

    def _line(self, row: Row) -> list[str]:
        found = {name: [figures[row.figure] for figures in rounds] for name, rounds in self.figures.items()}
        ours, peer, limit = (found.get(name, []) for name in (row.ours, row.peer, row.limit))
        against = {"peer": peer, "limit": limit}[row.against]
        ratios = [one / other for one, other in zip(ours, against, strict=False) if other and not math.isnan(other)]
        ratio = f"{statistics.median(ratios):.2f} x {row.against}{' !' if self.busy else ''}" if ratios else ""
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
        at = "≥" if row.unit.endswith("/s") else "≤"
        goal = f"{at} {row.goal}" if row.goal else ""
        return [row.name, row.unit, *map(_median, (peer, limit, ours)), ratio, spread, goal]


def measure(case: Case, place: Place, rounds: int | None = None) -> Outcome:
    """Let the subjects of a case take turns, so that they meet the same noise."""
    outcome = Outcome(case)
    watch = Watch()
    subjects = case.prepare(place)
    for number in range(case.warm_up + (rounds or case.rounds)):
        for name, subject in subjects.items():
            figures = subject()
            if number >= case.warm_up:
                outcome.figures.setdefault(name, []).append(figures)
    outcome.busy = watch.complaint()
    return outcome


class Watch:
    """Notices what other work took from the machine from now on."""

    fastest = math.inf  # of the loop, since the program began

    def __init__(self) -> None:
        self._loop = self._time_loop()
        self._start = self._times()

    def complaint(self) -> str:
        """Why what was measured meanwhile is not to be believed; empty where it is."""
        passed, busy, own = (after - before for after, before in zip(self._times(), self._start, strict=True))
        others = (busy - own) / passed
        loops = self._loop, self._time_loop()
        Watch.fastest = min(Watch.fastest, *loops)
        slower = max(loops) / Watch.fastest
        if others > OTHERS:
            return f"other work took {others:.0%} of the processors"
        return f"the processors ran {slower:.1f} times slower than before" if slower > SLOWED else ""

    def _time_loop(self) -> float:
        """Seconds of the same loop at its best, on the slowest of all cores."""
        command = [sys.executable, "-c", LOOP]
        cores = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_cores())]
        return max(float(core.communicate()[0]) for core in cores)

    def _times(self) -> tuple[float, float, float]:
        """Seconds of all processors: that passed, that were worked (or stolen by the host), and by us."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(one.ru_utime + one.ru_stime for one in used)
        user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
        busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter() * _cores(), busy, own


def table(outcomes: Iterable[Outcome]) -> str:
    """All lines, aligned, as a table of Markdown."""
    lines = [["Case", "unit", "peer", "limit", "ours", "ratio", "spread", "goal"]]
    lines += [line for outcome in outcomes for line in outcome.lines()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def execute(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """What a command prints that runs in a folder and sees nothing of our environment.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run(
        command, cwd=folder, env=clean(folder) | dict(environ or {}), check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command} failed with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def numbers(output: str) -> list[float]:
    """The numbers on the last line."""
    return [float(word) for word in output.split("\n")[-2].split()]


def clean(folder: Path) -> dict[str, str]:
    """The least environment; the home and the temporary files are in a folder."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "PONOS_DATA": str(folder)}


def worker_run(run_id: str) -> dict[str, object]:
    """What Arkindex answers about a worker run."""
    corpus = "11111111-1111-1111-1111-111111111111"
    process = {"id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeffff", "corpus": corpus, "mode": "workers", "name": None}
    return {
        "id": run_id,
        "summary": "Worker",
        "parents": [],
        "worker_version": {
            "id": "1",
            "worker": {"id": "w", "name": "n", "slug": "s", "type": "t"},
            "revision_url": None,
            "configuration": {},
        },
        "configuration": None,
        "model_version": None,
        "process": process | {"activity_state": "ready", "state": "running"},
    }


def _cores() -> int:
    return os.cpu_count() or 1


def _median(figures: list[float]) -> str:
    median = statistics.median(figures) if figures else math.nan
    return "" if math.isnan(median) else f"{median:,.0f}" if median >= 100 else f"{median:.3g}"
