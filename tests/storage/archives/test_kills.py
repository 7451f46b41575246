"""SIGKILL at any moment: nothing broken in place, and the next run cleans up and succeeds."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.storage.archives import extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tree = Callable[[Path], dict[str, bytes | None]]

SCRIPT = """
import sys, time
from arkworker.storage.archives import extract
print(flush=True)
sys.stdin.read(1)
started = time.monotonic()
extract(sys.argv[1], sys.argv[2])
print(time.monotonic() - started, flush=True)
"""


@pytest.fixture
def archive(make: Any) -> Path:
    """Long enough to be hit in its midst: many files and one large one."""
    rng = random.Random(5)
    files = [
        make.Entry(b"d%d/f%d" % (number % 9, number), rng.randbytes(rng.randrange(3000))) for number in range(1500)
    ]
    path: Path = make(*files, make.Entry(b"large", rng.randbytes(20_000_000)))
    return path


def run(archive: Path, destination: Path, kill_after: float | None) -> float:
    """Extract in a process of its own; kills it after some seconds. Returns how long it took, or 0."""
    command = [sys.executable, "-c", SCRIPT, str(archive), str(destination)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        if kill_after is None:
            return float(process.stdout.readline())
        time.sleep(kill_after)
        process.kill()
        return 0


def kill_at_random(count: int, archive: Path, place: Path, tree: Tree, before: Callable[[], None]) -> None:
    """Judge what is in place after each kill, and what the next run makes of it."""
    destination = place / "x"
    before()
    start = tree(destination)
    duration = run(archive, destination, None)
    complete = tree(destination)
    rng = random.Random()
    for _ in range(count):
        subprocess.run(["rm", "-rf", destination], check=True)
        before()
        run(archive, destination, rng.uniform(0, 1.1 * duration))
        assert tree(destination) in (start, complete)
    extract(archive, destination)
    assert [path.name for path in place.iterdir()] == ["x"]
    assert tree(destination) == complete


@pytest.mark.parametrize("destination_is", ["absent", "empty"])
def test_a_killed_extraction_leaves_nothing_broken(destination_is: str, archive: Path, place: Path, tree: Tree) -> None:
    """The destination is as before or complete, a few times over."""
    kill_at_random(4, archive, place, tree, (place / "x").mkdir if destination_is == "empty" else lambda: None)


@pytest.mark.campaign
@pytest.mark.parametrize("destination_is", ["absent", "empty"])
def test_a_hundred_killed_extractions_leave_nothing_broken(
    destination_is: str, archive: Path, place: Path, tree: Tree
) -> None:
    """The same, at 100 random moments."""
    kill_at_random(100, archive, place, tree, (place / "x").mkdir if destination_is == "empty" else lambda: None)


@pytest.mark.campaign
def test_a_killed_merge_is_undone_by_the_next_run(archive: Path, make: Any, place: Path, tree: Tree) -> None:
    """Killed in the midst of a merge, too: after the next run the destination is as before it, or complete."""
    destination = place / "x"
    old = make(*[make.Entry(b"d%d/f%d" % (number % 9, number), b"old") for number in range(0, 1500, 2)])
    extract(old, destination)
    start = tree(destination)
    duration = run(archive, destination, None)
    complete = tree(destination)
    rng = random.Random()
    for _ in range(100):
        subprocess.run(["rm", "-rf", destination], check=True)
        extract(old, destination)
        run(archive, destination, rng.uniform(0.3, 1.1) * duration)
        found = tree(destination)
        assert set(found) <= set(complete)
        assert all(content in (start.get(name, content), complete[name]) for name, content in found.items())
        extract(make(), destination)
        assert tree(destination) in (start, complete)
        assert [path.name for path in place.iterdir()] == ["x"]
