"""`make demo`: the worker on an emulated Arkindex, as in production."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from PIL import Image

DEMO = Path(__file__).parents[2] / "examples" / "page_lines" / "demo.py"


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    """From the worker run to the picture, in a folder with spaces; nothing runs on after it."""
    output = tmp_path / "the demo"
    command = [sys.executable, str(DEMO), "--output", str(output), "--draw"]
    done = subprocess.run(
        command, env=dict(os.environ), cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "2 elements in" in done.stdout
    assert "Sermon, 1555: 2 illustration, 27 text_line, 27 transcription" in done.stdout
    assert "Breviary: 67 text_line, 2 illustration" in done.stdout
    assert f"serve {DEMO.parent / 'demo.yml'} --database '{output}" in done.stdout
    with Image.open(output / "page.png") as picture:
        assert picture.height == 1200
    with closing(sqlite3.connect(output / "arkindex" / "arkindex.sqlite")) as database:
        states = database.execute("SELECT DISTINCT state FROM activities").fetchall()
        files = database.execute("SELECT path FROM artifacts ORDER BY path").fetchall()
    assert (states, files) == ([("processed",)], [("Breviary.png",), ("Sermon_1555.png",)])


def test_a_failure_of_the_demo_is_one(tmp_path: Path) -> None:
    """Where it cannot write, it says so in a line, with exit code 1."""
    (tmp_path / "demo-output").touch()
    done = subprocess.run(
        [sys.executable, str(DEMO)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("The demo failed: ")
