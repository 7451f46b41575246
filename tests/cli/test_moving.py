"""Relative names on a command line belong to the directory that it was given in, wherever user code moves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

WORKER = """
import os
from arkworker import ElementsWorker, Transcription, UserConfiguration
{on_import}

class C(UserConfiguration):
    text: str = "none"

class W(ElementsWorker[C]):
    def setup(self, context):
        {in_setup}

    def process_element(self, element, context, cache):
        {in_element}
        with element.open_image() as image:
            return Transcription(text=context.config.text + str(image.width), confidence=1)
"""
MOVE = "os.chdir('elsewhere')"


ENGINE = str(Path(__file__).parents[1] / "support" / "engines.py") + ":threads"


@pytest.mark.parametrize("flags", [(), ("--jobs", "2"), ("--executor", ENGINE)], ids=["one", "jobs", "executor"])
@pytest.mark.parametrize("where", ["on_import", "in_setup", "in_element"])
def test_files_stay_where_they_were_named(
    where: str, flags: tuple[str, ...], process: Callable[..., Result], tmp_path: Path
) -> None:
    """Those that are read, and those that are written; other processes find the worker where it was named, too."""
    code = dict.fromkeys(("on_import", "in_setup", "in_element"), "pass") | {where: MOVE}
    (tmp_path / "w.py").write_text(WORKER.format(**code))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "c.yml").write_text("text: wide ")
    Image.new("L", (7, 2)).save(tmp_path / "p.png")
    written = ["--summary", "s.json", "--results", "r.jsonl", "--report", "r.html"]

    result = process("run", "w.py:W", "-c", "c.yml", "--image", "p.png", *written, *flags)

    assert result.code == 0, result.err
    assert "wide7" in (tmp_path / "r.jsonl").read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in {".html", ".json", ".jsonl"}) == [
        "r.html",
        "r.jsonl",
        "s.json",
    ]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_schema_of_a_worker_that_moves(process: Callable[..., Result], tmp_path: Path) -> None:
    """Other verbs go on where they were called."""
    (tmp_path / "w.py").write_text(WORKER.format(on_import=MOVE, in_setup="pass", in_element="pass"))
    (tmp_path / "elsewhere").mkdir()

    result = process("schema", "w.py:W", "--output", "schema.json")

    assert (result.code, (tmp_path / "schema.json").is_file()) == (0, True)
