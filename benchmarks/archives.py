"""Archives: arkworker, `tar --zstd` and the published library, on the same work, in one run.

`python benchmarks/archives.py [ROUNDS]` extracts and creates 20 files of 50 MB and 20,000 files of 20 kB, and prints
the medians, the ratios to `tar --zstd`, sizes, disk peak and growth of memory. The subjects take turns, so that they
meet the same noise. It needs 6 GB in the temporary directory (TMPDIR); the published library takes part when `make
compat` has installed it.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-compat" / "base-worker-0.6.0" / "bin" / "python"
ROUNDS = 5

TIMED = """
import sys, time
from pathlib import Path
def memory():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
def measure(call):
    before = memory()
    start = time.perf_counter()
    call()
    print(time.perf_counter() - start, memory() - before)
first, second = Path(sys.argv[1]), Path(sys.argv[2])
"""
OURS = TIMED + "from arkworker.storage.archives import create, extract\n"
THEIRS = TIMED + (
    "from arkindex_worker.utils import close_delete_file, create_tar_zst_archive, extract_tar_zst_archive\n"
)
COMMANDS: dict[str, dict[str, list[str]]] = {
    "extract": {
        "tar": ["tar", "--zstd", "-xf", "{first}", "-C", "{second}"],
        "arkworker": [sys.executable, "-c", OURS + "measure(lambda: extract(first, second))", "{first}", "{second}"],
        "published": [
            str(PEER),
            "-c",
            THEIRS + "measure(lambda: close_delete_file(*extract_tar_zst_archive(first, second)))",
            "{first}",
            "{second}",
        ],
    },
    "create": {
        "tar": ["tar", "--zstd", "-cf", "{second}", "-C", "{first}", "."],
        "arkworker": [sys.executable, "-c", OURS + "measure(lambda: create(first, second))", "{first}", "{second}"],
        "published": [
            str(PEER),
            "-c",
            THEIRS + "measure(lambda: create_tar_zst_archive(first, second))",
            "{first}",
            "{second}",
        ],
    },
}


@dataclass
class Figures:
    """What was measured of one subject at one task."""

    seconds: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)
    size: int = 0


def make_files(directory: Path, count: int, size: int) -> None:
    """Files that zstd makes somewhat smaller, as scans and weights are."""
    rng = random.Random(count)
    words = [rng.randbytes(rng.randrange(4, 400)) for _ in range(3000)]
    pool = b"".join(rng.randbytes(300) + rng.choice(words) for _ in range(110_000))
    for number in range(count):
        path = directory / f"{number // 500:02}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = rng.randrange(len(pool))
        path.write_bytes((pool[start:] + pool)[:size] if start + size > len(pool) else pool[start : start + size])


def used(directory: Path) -> int:
    """The bytes in use on the file system of a directory."""
    status = os.statvfs(directory)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


class DiskWatch(threading.Thread):
    """Notes the most that the disk holds beyond what it held at first; others writing to it are counted, too."""

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._start = used(directory)
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, used(self._directory) - self._start)

    def end(self) -> int:
        self._ended.set()
        self.join()
        return self.peak


def run_once(command: list[str], first: Path, second: Path, figures: Figures) -> None:
    """Run one subject; ours and the published library time themselves, without the start of Python."""
    filled = [part.replace("{first}", str(first)).replace("{second}", str(second)) for part in command]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(first.parent)}
    watch = DiskWatch(first.parent)
    watch.start()
    start = time.perf_counter()
    output = subprocess.run(filled, check=True, capture_output=True, text=True, env=environment).stdout.split()
    elapsed = time.perf_counter() - start
    figures.disk.append(watch.end())
    figures.seconds.append(float(output[0]) if output else elapsed)
    figures.growth.append(float(output[1]) / 1024 if output else 0)


def measure(task: str, source: Path, workspace: Path, rounds: int) -> dict[str, Figures]:
    """Let the subjects take turns at one task; the first round is for warming up."""
    subjects = {name: Figures() for name in COMMANDS[task] if name != "published" or PEER.exists()}
    archive = workspace / "input.tar.zst"
    subprocess.run(["tar", "--zstd", "-cf", archive, "-C", source, "."], check=True)
    for _ in range(rounds + 1):
        for name, figures in subjects.items():
            output = workspace / "output"
            if task == "extract":
                output.mkdir()
            run_once(COMMANDS[task][name], archive if task == "extract" else source, output, figures)
            figures.size = output.stat().st_size
            shutil.rmtree(output) if output.is_dir() else output.unlink()
            os.sync()
    for figures in subjects.values():
        del figures.seconds[0], figures.growth[0], figures.disk[0]
    return subjects


def report(task: str, title: str, subjects: dict[str, Figures], total: int) -> None:
    """Print one line for each subject: median time, tar's time over it, and the rest."""
    reference = subjects["tar"]
    for name, figures in subjects.items():
        median = statistics.median(figures.seconds)
        ratio = statistics.median(reference.seconds) / median
        disk = statistics.median(figures.disk) / total
        size = f"{figures.size / reference.size:8.3f}" if task == "create" else " " * 8
        growth = " " * 8 if name == "tar" else f"{statistics.median(figures.growth):8.1f}"
        print(f"| {task:8} | {title:22} | {name:10} | {median:8.2f} | {ratio:6.2f} | {disk:6.2f} | {growth} | {size} |")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print("| task     | files                  | subject    |  seconds | speed, | disk / | MiB more |     size |")
    print("|          |                        |            |          |  tar=1 |   data |  in work |    tar=1 |")
    with tempfile.TemporaryDirectory(prefix="arkworker-benchmark-") as directory:
        workspace = Path(directory)
        for count, size in ((20, 50_000_000), (20_000, 20_000)):
            source = workspace / "source"
            make_files(source, count, size)
            for task in COMMANDS:
                title = f"{count:,} of {size // 1000:,} kB"
                report(task, title, measure(task, source, workspace, rounds), count * size)
            shutil.rmtree(source)


if __name__ == "__main__":
    main()
