"""A worker over the sets of datasets, beside the published library's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.compat

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "data" / "openapi-reconstructed.json"
COUNT = 'sqlite3.connect(path).execute("SELECT count(*) FROM element").fetchone()[0]'
OURS = f"""
import sqlite3
from arkworker import DatasetWorker
class W(DatasetWorker):
    def process_set(self, dataset_set, path, context, cache):
        if dataset_set.name == "failing":
            raise ValueError
        print(dataset_set.dataset.name, dataset_set.name, {COUNT})
W.main()
"""
PUBLISHED = f"""
import sqlite3
from arkindex_worker.worker import DatasetWorker
class W(DatasetWorker):
    def process_set(self, dataset_set):
        path = dataset_set.dataset.downloaded_export
        if dataset_set.name == "failing":
            raise ValueError
        print(dataset_set.dataset.name, dataset_set.name, {COUNT})
W().run()
"""
SETS = {
    "all": ["train", "test"],
    "one of them failing": ["train", "failing"],
    "all failing": ["failing"],
}


@pytest.fixture
def emulators() -> Iterator[tuple[Emulator, Emulator]]:
    with Emulator() as first, Emulator() as second:
        yield first, second


def arrange(emulator: Emulator, names: list[str], *, is_exported: bool) -> str:
    """Two datasets, of which a run works on these sets; their exports may be there already."""
    emulator.add_corpus()
    pages = list(emulator.add_elements(4, image=(100, 100)))
    held = {"train": pages[:2], "test": pages[2:3], "failing": pages[3:]}
    datasets = [emulator.add_dataset(name, held) for name in ("Pages", "Leaves")]
    run = emulator.add_worker_run(mode="dataset", sets=[(dataset, name) for dataset in datasets for name in names])
    if is_exported:
        work(sys.executable, OURS, emulator, run, Path(os.devnull))
    return str(run)


def work(python: str, script: str, emulator: Emulator, run: str, home: Path) -> tuple[int, str, list[str]]:
    """Exit code, output, and what was asked of Arkindex about exports."""
    before = emulator.ledger.count
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ARKINDEX_API_SCHEMA_URL": str(SCHEMA)}
    environ |= emulator.environment(run) | ({"PYTHONPATH": str(ROOT)} if script == OURS else {})
    done = subprocess.run(
        [python, "-c", script], env=environ, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT.parent
    )
    calls = emulator.ledger.calls(after=before)
    exports = sorted(call.operation for call in calls if call.operation in ("StartExport", "DownloadExport"))
    return done.returncode, done.stdout, exports


@pytest.mark.parametrize("is_exported", [False, True], ids=["no export", "an export"])
@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_same_sets_exports_and_exit_code(
    emulators: tuple[Emulator, Emulator],
    peer: Callable[[str], Path],
    tmp_path: Path,
    names: list[str],
    is_exported: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The same sets in the same order, with the same exports started, taken over and downloaded, and one exit code."""
    runs = [arrange(emulator, names, is_exported=is_exported) for emulator in emulators]

    ours = work(sys.executable, OURS, emulators[0], runs[0], tmp_path)
    published = work(str(peer("base-worker-0.6.0")), PUBLISHED, emulators[1], runs[1], tmp_path)

    assert ours == published
