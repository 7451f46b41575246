"""The documentation of the test kit: its example is a worker and its test, which are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_example_passes_in_25_lines(tmp_path: Path) -> None:
    """What the documentation shows is a whole test of a worker, and passes with every warning an error."""
    worker, test = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "titles.py").write_text(worker)
    (tmp_path / "test_titles.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.splitlines()[-1].partition(" in ")[0] == "8 passed, 1 skipped", done.stdout
    assert len(test.splitlines()) <= 25
