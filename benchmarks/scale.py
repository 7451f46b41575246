"""More at once: several processes for work that takes the processor, and batches for models that take several pages.

`python benchmarks/scale.py [ROUNDS]` prints how many elements a second one worker gets through (medians, in turns):
with `--jobs 1`, 2 and 4 on image files at a desk, with matrices multiplied for each; and with one element or sixteen
at a time, where the network takes 20 ms for a request and the model 20 ms for a call. Figures of processes are to be
believed on idle cores only.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import elements  # type: ignore[import-not-found] # beside this script
from PIL import Image

FILES = 200
QUEUED = 500
MATRICES = """
import numpy as np
from arkworker import ElementsWorker

class W(ElementsWorker):
    def process_element(self, element, context, cache):
        matrix = np.random.default_rng(1).random((160, 160))
        for _ in range(120):
            matrix = matrix @ matrix
            matrix /= matrix.max()

if __name__ == "__main__":
    W.main()
"""
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


def measure_jobs(jobs: int, folder: Path) -> float:
    """Image files a second, in so many processes; their start is counted in."""
    summary = folder / "summary.json"
    flags = ["--dev", "--jobs", str(jobs), "--summary", str(summary), "--image", *map(str, folder.glob("*.png"))]
    environ = os.environ | {"HOME": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, str(folder / "w.py"), *flags], env=environ, check=True, capture_output=True)
    return FILES / float(json.loads(summary.read_text())["seconds"])


def measure_batches(size: int, folder: Path) -> float:
    """Elements of a queue a second, with a model that takes so many."""
    name = f"batches of {size}"
    elements.SUBJECTS[name] = sys.executable, MODEL.replace("{size}", str(size))
    return float(elements.measure(name, QUEUED, 0.02, 0.02, str(folder)))


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "w.py").write_text(MATRICES)
        for number in range(FILES):
            Image.new("L", (4, 4)).save(folder / f"{number}.png")
        for title, measure, sizes in (("processes", measure_jobs, (1, 2, 4)), ("at a time", measure_batches, (1, 16))):
            rates: dict[int, list[float]] = {size: [] for size in sizes}
            for _ in range(rounds):
                for size in sizes:
                    rates[size].append(measure(size, folder))
            first = statistics.median(rates[1])
            for size, found in rates.items():
                median = statistics.median(found)
                print(f"{size:3} {title:10} {median:8.1f} elements/s  {median / first:5.2f} x one")


if __name__ == "__main__":
    main()
