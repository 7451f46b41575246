"""The documentation of the test kit: its example is a worker and its test, which are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from arkworker.emulator import Fault
from arkworker.emulator.project.items import FaultItem, Project
from arkworker.emulator.project.reading import read_project

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_example_passes_in_25_lines(tmp_path: Path) -> None:
    """What the documentation shows is a whole test of a worker, and passes with every warning an error."""
    _, worker, test, whole = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "titles.py").write_text(worker)
    (tmp_path / "test_titles.py").write_text(test)
    (tmp_path / "test_whole.py").write_text(whole)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.splitlines()[-1].partition(" in ")[0] == "9 passed, 1 skipped", done.stdout
    assert len(test.splitlines()) <= 25


def test_the_project_with_faults_is_one(tmp_path: Path) -> None:
    """The file with faults that the documentation shows is read as it stands."""
    (project,) = re.findall(r"```yaml\n(# project.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "project.yml"
    path.write_text(project)

    assert [fault.effect for fault in read_project(path).faults] == ["delay", "reset", "answer"]


def test_the_project_in_a_file_has_every_key(tmp_path: Path) -> None:
    """The file that the documentation shows is one; it leaves out faults and workers, which have their own."""
    (text,) = re.findall(r"```yaml\n(# letters.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "letters.yml"
    path.write_text(text)

    assert read_project(path).model_fields_set == Project.model_fields.keys() - {"faults", "workers"}


def test_the_project_with_two_workers_is_one(tmp_path: Path) -> None:
    """The file with several workers that the documentation shows is read as it stands."""
    (text,) = re.findall(r"```yaml\n(# chain.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "chain.yml"
    path.write_text(text)

    assert [item.queue for item in read_project(path).workers] == ["page", "text_line"]


def test_every_effect_is_documented() -> None:
    """The table of faults has each effect, under the name that a file and a flag know."""
    table = re.findall(r"^\| `Fault\.(\w+)\(.*?\| `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert {effect for _, effect in table} == set(get_args(FaultItem.model_fields["effect"].annotation))
    assert all(callable(getattr(Fault, name)) for name, _ in table)
