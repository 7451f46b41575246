"""Archives of many small files and of few large ones; the limit is `tar --zstd`."""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness import MOST_MEMORY, PEER, Case, Place, Row, execute, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.harness import Measure

SIZES = {"large": (20, 50_000_000), "small": (20_000, 20_000)}  # how many files, and of how many bytes

TIMED = f"""
import sys, time
from pathlib import Path
{MOST_MEMORY}
def measure(call):
    before = most_memory()
    start = time.perf_counter()
    call()
    print(time.perf_counter() - start, most_memory() - before)
first, second = Path(sys.argv[1]), Path(sys.argv[2])
"""
OURS = TIMED + "from arkworker.storage.archives import create, extract\n"
THEIRS = TIMED + (
    "from arkindex_worker.utils import close_delete_file, create_tar_zst_archive, extract_tar_zst_archive\n"
)

COMMANDS: dict[str, dict[str, list[str]]] = {
    "extract": {
        "limit": ["tar", "--zstd", "-xf", "{first}", "-C", "{second}"],
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
        "limit": ["tar", "--zstd", "-cf", "{second}", "-C", "{first}", "."],
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


def work(task: str, subject: str, source: Path, total: int, folder: Path) -> list[float]:
    """MB a second, growth of memory in MiB, and the room on the disk or the size of the archive to that of the data.

    Ours and the published library time themselves, without the start of Python.
    """
    first, second = (source / "archive.tar.zst" if task == "extract" else source / "files"), folder / "output"
    if task == "extract":
        second.mkdir()
    command = [part.format(first=first, second=second) if "{" in part[:1] else part for part in COMMANDS[task][subject]]
    watch = DiskWatch(folder)
    watch.start()
    start = time.perf_counter()
    output = execute(command, folder)
    elapsed = time.perf_counter() - start
    room = watch.end() if task == "extract" else second.stat().st_size
    seconds, growth = numbers(output) if output else (elapsed, math.nan)
    shutil.rmtree(second) if second.is_dir() else second.unlink()
    os.sync()
    return [total / 1e6 / seconds, growth, room / total]


def prepare(place: Place, task: str, files: str) -> Mapping[str, Measure]:
    """The files and their archive, which creating and extracting share."""
    count, size = SIZES[files]

    def make(folder: Path) -> None:
        make_files(folder / "files", count, size)
        subprocess.run(["tar", "--zstd", "-cf", folder / "archive.tar.zst", "-C", folder / "files", "."], check=True)

    source = place.once(f"{files}-files", make)
    return {name: partial(work, task, name, source, count * size, place.folder) for name in COMMANDS[task]}


def case(task: str, files: str, goal: str) -> Case:
    """Speed, memory, and room or size."""
    count, size = SIZES[files]
    title = f"{task} {count:,} files of {size // 1000:,} kB"
    rows = (
        Row(title, "MB/s", "limit", goal),
        Row("  memory for it", "MiB", figure=1),
        Row("  most room on the disk" if task == "extract" else "  size of the archive", "x data", "limit", figure=2),
    )
    return Case(f"{task}-{files}", rows, partial(prepare, task=task, files=files), rounds=3)


CASES = [
    case("create", "large", "1.20"),
    case("create", "small", "1.00"),
    case("extract", "large", "1.00"),
    case("extract", "small", "0.90"),
]
