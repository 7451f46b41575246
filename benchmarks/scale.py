"""More at once: several processes for work that takes the processor, and batches for models that take several pages.

`python -m benchmarks.scale [ROUNDS] [ELEMENTS]` prints how many elements a second each gets through, the median, and
its ratio to one process: two of `--jobs`, two workers of Dask's `LocalCluster`, two tasks of `submitit:local`, with
matrices multiplied for each element, as many as this machine does in 150 ms on one core: a small page for a model. Time
runs from the beginning of the first element to the end of the last, so that starting up is left out, but not that one
process begins later than another; all take turns. The emulated Arkindex needs some 5 ms of the same cores for each
element; what two bare processes with the same work come to is the limit. Then one element or sixteen at a time, where
the network takes 20 ms for a request and the model 20 ms for a call. Then, once, 10,000 elements without work go
through four processes: each once, and the memory of the parent at the end beside that at the first element.

It takes some six minutes. Figures of processes are to be believed on idle cores only. Dask and submitit are extras:
what is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.emulator import Emulator
from benchmarks.elements import work_off

ROOT = Path(__file__).parents[1]
WORKER = """
import time
import numpy
from arkworker import ElementsWorker
from pathlib import Path
# A file beside this one, not a variable: workers of a cluster have the environment that they were started in.
LOG, WORK = (Path(__file__).parent / "subject.txt").read_text().split()
WORK = int(WORK)
class W(ElementsWorker):
    def process_element(self, element, context, cache):
        begin = time.monotonic()
        if WORK:
            matrix = numpy.random.default_rng(1).random((160, 160))
            for _ in range(WORK):
                matrix = numpy.tanh(matrix @ matrix.T / 160)
        with open(LOG, "a") as log:
            log.write(f"{element.id} {begin} {time.monotonic()}\\n")
"""
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = """
import time
from arkworker import ElementsWorker

class W(ElementsWorker):
    batch_size = {size}

    def process_elements(self, elements, context, cache):
        time.sleep(WORK)
        return [None] * len(elements)

W.main([])
"""
QUEUED = 500
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
SECONDS = 0.15  # of one core, for each element
PRODUCTS = """
import numpy, time
def multiply(number):
    matrix = numpy.random.default_rng(1).random((160, 160))
    for _ in range(number):
        matrix = numpy.tanh(matrix @ matrix.T / 160)
numpy.ones(1 << 20)  # freed: from now on malloc keeps smaller blocks, as in a process that has done other work before
multiply(100)
begin = time.monotonic()
multiply(10000)
print((time.monotonic() - begin) / 10000)
"""


def seconds_of_a_product(processes: int) -> float:
    """Of matrices, in so many bare processes at the same time."""
    command = [sys.executable, "-c", PRODUCTS]
    start = partial(subprocess.Popen[str], command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True)
    started = [start() for _ in range(processes)]
    return statistics.mean(float(process.communicate()[0]) for process in started)


def run(folder: Path, elements: int, flags: list[str], work: int) -> dict[str, Any]:
    """One run over elements of an emulated Arkindex: their times, and the parent's memory at two moments."""
    log = folder / f"{uuid.uuid4()}.log"
    log.touch()
    with Emulator() as emulator:
        emulator.add_corpus()
        ids = emulator.add_elements(elements, image=(1000, 1400))
        worker_run = emulator.add_worker_run(elements=ids)
        listed = folder / "elements.json"
        listed.write_text(json.dumps([{"id": one} for one in ids]))
        environ = os.environ | ONE_THREAD | emulator.environment(worker_run, data_dir=folder / "data")
        (folder / "subject.txt").write_text(f"{log} {work}")
        command = [sys.executable, "-m", "arkworker", "run", f"{folder}/worker.py:W", "--elements-list", str(listed)]
        with (folder / "errors.txt").open("w") as errors:
            process = subprocess.Popen([*command, *flags], env=environ, cwd=folder, stderr=errors)
            memory = [0, 0]
            while process.poll() is None:
                if log.stat().st_size:
                    memory = [memory[0] or _memory(process.pid), _memory(process.pid) or memory[1]]
                time.sleep(0.05)
        lines = [line.split() for line in log.read_text().splitlines()]
        states = list(emulator.activity_states(worker_run).values())
    if process.returncode or states.count("processed") != elements or len({line[0] for line in lines}) != len(lines):
        sys.exit(f"{flags}: exit code {process.returncode}\n{(folder / 'errors.txt').read_text()[-2000:]}")
    seconds = max(float(line[2]) for line in lines) - min(float(line[1]) for line in lines)
    return {"rate": elements / seconds, "memory": memory}


def _memory(pid: int) -> int:
    """The memory of a process, in kB; 0 when it is no more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Dask's scheduler and two workers, by address; an idle one would take processor time from the others."""
    place = folder / f"{uuid.uuid4()}.txt"
    script = (
        "import sys; from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
        f"    open({str(place)!r}, 'w').write(cluster.scheduler_address)\n"
        "    sys.stdin.read(); cluster.close()\n"
    )
    (folder / "cluster.py").write_text(script)
    environ = os.environ | ONE_THREAD
    with subprocess.Popen([sys.executable, str(folder / "cluster.py")], env=environ, stdin=subprocess.PIPE) as process:
        while not place.exists() or not place.read_text():
            time.sleep(0.1)
        yield place.read_text()
        process.communicate()  # its input ends, and so does it


def rate(folder: Path, elements: int, flags: list[str], work: int) -> float:
    """Elements a second."""
    return float(run(folder, elements, flags, work)["rate"])


def rate_of_dask(folder: Path, elements: int, work: int) -> float:
    """Elements a second, on a cluster of its own."""
    with cluster(folder) as address:
        return rate(folder, elements, ["--executor", f"dask:{address}", "--jobs", "2"], work)


def subjects(folder: Path, elements: int, work: int) -> dict[str, Callable[[], float]]:
    """What measures the elements a second of each, by what it is called."""
    measure = partial(rate, folder, elements, work=work)
    found: dict[str, Callable[[], float]] = {
        "one process": partial(measure, []),
        "--jobs 2": partial(measure, ["--jobs", "2"]),
    }
    if importlib.util.find_spec("distributed"):
        found["Dask, two workers"] = partial(rate_of_dask, folder, elements, work)
    if importlib.util.find_spec("submitit"):
        found["submitit:local, two tasks"] = partial(measure, ["--executor", "submitit:local", "--jobs", "2"])
    return found


def measure_batches(size: int, folder: Path) -> float:
    """Elements of a queue a second, with a model that takes so many."""
    return work_off(sys.executable, MODEL.replace("{size}", str(size)), folder, QUEUED, 0.02)[0]


def compare(subjects: dict[str, Callable[[], float]], rounds: int) -> None:
    """Let all take turns, and print the median of each and its ratio to the first."""
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            rates[name].append(measure())
    base = statistics.median(next(iter(rates.values())))
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"{name:26} {median:8.1f} elements/s  {median / base:5.2f} x {next(iter(rates))}", flush=True)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "worker.py").write_text(WORKER)
        alone, together = (statistics.median(seconds_of_a_product(n) for _ in range(rounds)) for n in (1, 2))
        print(f"two bare processes, without arkworker: {2 * alone / together:.2f} x one", flush=True)
        work = round(SECONDS / alone)
        compare(subjects(folder, number, work), rounds)
        compare({f"{size} at a time": partial(measure_batches, size, folder) for size in (1, 16)}, rounds)
        before, after = (kilobytes / 1024 for kilobytes in run(folder, 10_000, ["--jobs", "4"], work=0)["memory"])
        print(f"10,000 elements, four processes: each once; the parent {before:.0f} MB, then {after:.0f} MB")


if __name__ == "__main__":
    main()
