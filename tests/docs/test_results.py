"""The guide to results files shows lines that are read, and flags that exist."""

from __future__ import annotations

import re
from pathlib import Path

from arkworker.cli.flags import Command, run_parser
from arkworker.settings.catalogue import WorkerOptions
from arkworker.storage.recording.lines import Entry, load_entry, load_header

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_the_lines_of_the_guide_are_read() -> None:
    """The header and both entries."""
    header, *entries = [
        line for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()
    ]

    assert load_header(header.encode()).worker == "worker.py:PageLines"
    assert [load_entry(line.encode()).state for line in entries] == ["processed", "error"]


def test_the_table_names_every_field() -> None:
    """And no other."""
    named = set(re.findall(r"^\| `(\w+)` \| ", GUIDE, re.MULTILINE))

    assert named == set(Entry.model_fields) - {"reason"}


def test_the_flags_of_the_guide_exist() -> None:
    """Those of `run` are in its parser, the others in the help of `publish`."""
    command = Command("run", "worker.py:PageLines", ())
    run = run_parser(command, WorkerOptions("worker.py:PageLines", processes_elements=True)).format_help()
    from arkworker.cli.publishing import make_parser

    known = run + make_parser().format_help()
    flags = set(re.findall(r"(?<![\w=-])--[a-z][a-z-]+", re.sub(r"#SBATCH.*", "", GUIDE)))

    assert {flag for flag in flags if flag not in known} == set()
