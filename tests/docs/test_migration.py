"""The guide to migration shows what the commands print, and names that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import arkworker
from arkworker.cli import invoke
from arkworker.declaration.importing import import_file
from arkworker.declaration.metadata import Declaration
from arkworker.declaration.vocabulary import FIELD_TYPES
from arkworker.documents.text_file import TextFile

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
(DECLARATION,) = (text for kind, text in BLOCKS if kind == "yaml")
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.split()[2])
def test_a_session_prints_what_the_guide_shows(
    session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`…` is any lines."""
    name = DECLARATION.removeprefix("# ").partition("\n")[0]
    (tmp_path / name).write_text(DECLARATION, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command, shown = session.split("\n", maxsplit=1)
    invoke(command.removeprefix("$ arkworker ").split())
    captured = capsys.readouterr()
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    assert re.fullmatch(pattern, captured.out.strip(), re.DOTALL), captured


def test_the_example_is_imported_with_one_note() -> None:
    """The mistake of the declaration, corrected."""
    found = import_file(TextFile("page-reader.yml", DECLARATION), Path())
    assert [note.partition(":")[0] for note in found.notes] == ["docker.shm_size"]


@pytest.mark.parametrize(
    "name",
    ["CorpusExport", "Declaration", "ElementType", "Model", "NotDeclared", "NotEditable", "Required", "S3Bucket"],
)
def test_names_of_the_guide_are_public(name: str) -> None:
    """What the guide tells people to write can be imported."""
    assert name in arkworker.__all__
    assert f"`{name}" in GUIDE or f"{name}]" in GUIDE or f"= {name}(" in GUIDE


def test_every_type_of_field_is_in_the_guide() -> None:
    """All fourteen have their Python type in the table."""
    assert [of for of in FIELD_TYPES if f"`{of}`" not in GUIDE] == []


def test_the_declaration_in_the_guide_is_sound() -> None:
    """The arguments that it shows are accepted."""
    found = re.search(r"Declaration\((type=[^)]*)\)", GUIDE)
    assert found
    make: Callable[..., Declaration] = Declaration
    assert make(**dict(re.findall(r'(\w+)="([^"]*)"', found.group(1)))).shm_size == "8g"


#: What has no counterpart that makes requests or reads: the guide says what to write instead.
WRITTEN_OTHERWISE = {"update_activity", "resized_images", "upload_image", "create_zip_archive"}


def test_what_the_guide_says_of_each_method_is_run_beside_the_published_library() -> None:
    """`make compat` calls it there, does here what the guide says, and compares; no row leads to another result."""
    tables = re.search(r"^### Results$.*?^### Declarations$", GUIDE, re.MULTILINE | re.DOTALL)
    assert tables
    left = "\n".join(line.split(" | ")[0] for line in tables.group().splitlines() if line.startswith("| `"))
    methods = {name for name in re.findall(r"`(?:self\.)?(\w+)\(", left) if not name.startswith("CreateIIIF")}
    compared = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "compat").glob("test_*.py"))

    assert len(methods) > 30
    assert {name for name in methods if f"{name}(" not in compared} == WRITTEN_OTHERWISE
