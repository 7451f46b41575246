"""What we export, beside what the official tools say of it and make of former declarations."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from declarations import CONTENTS, MODELS, exports
from hypothesis import HealthCheck, given, settings

from arkworker.declaration.content import read_declaration, to_yaml
from arkworker.declaration.export import export
from arkworker.declaration.importing import import_file
from arkworker.declaration.metadata import Declaration
from arkworker.documents.text_file import TextFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker import UserConfiguration
    from arkworker.declaration.content import WorkerContent

pytestmark = pytest.mark.compat

ORACLES = sorted((Path(__file__).parents[1] / "data" / "convert-oracle").glob("*.json"))

CONVERT = """
import sys
from worker_configuration.cli import main

sys.argv = ["worker-validator", "convert"]
main()
"""

#: Workers that the official converter loses, or part of them, and why ours are kept.
DIFFERENCES = {
    "bad-enum": "it refuses choices that are numbers; ours are text",
    "shm": "it refuses a size in capitals; ours is in the letters that Arkindex wants",
    "with-secrets": "it drops secrets; each is an option of type secret",
    "ufcn_line_historical": "it drops a list without subtype; ours is a list of strings",
}


@given(model=MODELS)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_export_of_a_model_is_valid(model: type[UserConfiguration], official: Callable[[str], str]) -> None:
    """Every declaration from code passes the official validator."""
    content = export(model, Declaration(), name="Generated", description="", command=None)
    assert official(to_yaml(content)) == "valid"


@given(content=CONTENTS)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_export_of_imported_code_is_valid(content: WorkerContent, official: Callable[[str], str]) -> None:
    """With all texts that YAML, Python or a formatter could take for something else."""
    assert official(to_yaml(content)) == "valid"


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_a_former_declaration_becomes_what_the_converter_makes_of_it(
    path: Path, tmp_path: Path, peer: Callable[[str], Path]
) -> None:
    """The converter, run now, and ours, through code; except where it loses something."""
    oracle: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, text in {".arkindex.yml": oracle["legacy"], **oracle["files"]}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    drafts = import_file(TextFile(".arkindex.yml", oracle["legacy"]), tmp_path).drafts
    ours = {content.slug: content for content in exports(list(drafts))}
    command = [str(peer("base-worker-0.6.0")), "-c", CONVERT]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    theirs = {
        file.stem: read_declaration(TextFile(file.name, file.read_text(encoding="utf-8")))
        for file in (tmp_path / "arkindex").glob("*.yml")
    }
    assert set(theirs) <= set(ours)
    assert {slug for slug in ours if ours[slug] != theirs.get(slug)} == set(DIFFERENCES) & set(ours)
