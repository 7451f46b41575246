"""`schema --format arkindex` and its comparison with a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

WORKER = '''
from typing import Any
from arkworker import Declaration, UserConfiguration, Worker

class Configuration(UserConfiguration):
    size: int = 1

class W(Worker[Configuration]):
    """Measures.

    In two paragraphs.
    """

    declaration = Declaration(type="dla")

    def run(self, context, cache): ...

main = W.main

class Bad(UserConfiguration):
    size: Any = 1

class B(Worker[Bad]):
    def run(self, context, cache): ...

def function(context, cache):
    "A function."

function.declaration = Declaration(type="ner")

class Odd(W):
    declaration = {"type": "dla"}
'''

DECLARATION = """\
slug: w
display_name: W
type: dla
description: |-
  Measures.

  In two paragraphs.
configuration:
- key: size
  display_name: Size
  type: int
  default: 1
"""

SAME_IN_SUBSTANCE = """\
# Our worker.
type: dla
slug: "w"
display_name: W
gpu_usage: disabled
docker: {}
description: >
  Measures.


  In two paragraphs.
configuration:
- {type: int, key: size, display_name: Size, default: 0x1, many: false, help_text: ''}
"""


def test_the_declaration_is_written(command: Callable[..., Result], write_worker: Callable[..., str]) -> None:
    """From class, docstring and configuration."""
    result = command("schema", write_worker(WORKER), "--format", "arkindex")
    assert (result.code, result.out, result.err) == (0, DECLARATION, "")


def test_the_name_of_the_file_tells_the_format(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path
) -> None:
    """A YAML file holds a declaration."""
    file = tmp_path / "w.yml"
    assert command("schema", write_worker(WORKER), "--output", str(file)).code == 0
    assert file.read_text() == DECLARATION


@pytest.mark.parametrize("text", [DECLARATION, SAME_IN_SUBSTANCE])
def test_a_file_that_agrees(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path, text: str
) -> None:
    """Comments, order of keys, quotes and defaults that go without saying are the file's own."""
    file = tmp_path / "w.yml"
    file.write_text(text)
    result = command("schema", write_worker(WORKER), "--check", str(file))
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_file_that_disagrees(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path
) -> None:
    """Exit code 1 and the lines that differ."""
    file = tmp_path / "w.yml"
    file.write_text(DECLARATION.replace("default: 1", "default: 2"))
    result = command("schema", write_worker(WORKER), "--check", str(file))
    changed = [line for line in result.out.splitlines() if line[:1] in "+-" and line[1:2] not in "+-"]
    assert (result.code, changed) == (1, ["-  default: 2", "+  default: 1"])


def test_a_file_that_is_no_declaration(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path
) -> None:
    """Its problems, each with its place."""
    file = tmp_path / "w.yml"
    file.write_text(DECLARATION.replace("type: dla", "kind: dla"))
    result = command("schema", write_worker(WORKER), "--check", str(file))
    assert result.code == 78
    assert f"{file}:3:1" in result.err


def test_what_cannot_be_declared_is_a_problem(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path
) -> None:
    """It names the option and a way out, and no file is written."""
    file = tmp_path / "w.yml"
    result = command("schema", write_worker(WORKER, "B"), "--output", str(file))
    assert (result.code, file.exists()) == (78, False)
    assert "config.size" in result.err
    assert "NotDeclared" in result.err


def test_a_function_is_declared_by_its_attribute(
    command: Callable[..., Result], write_worker: Callable[..., str]
) -> None:
    """Its name and docstring do what those of a class do."""
    result = command("schema", write_worker(WORKER, "function"), "--format", "arkindex")
    assert result.out == "slug: function\ndisplay_name: Function\ntype: ner\ndescription: A function.\n"


@pytest.mark.parametrize("target", ["{0}:W.main", "{0}:main"])
def test_the_console_command_is_that_of_the_project(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path, target: str
) -> None:
    """The script in pyproject.toml that runs this worker."""
    path = write_worker(WORKER)
    module = path.rpartition("/")[2].partition(".")[0]
    scripts = f'[project.scripts]\nother = "{module}:B.main"\nmeasure = "{target.format(module)}"\n'
    (tmp_path / "pyproject.toml").write_text(scripts)
    result = command("schema", path, "--format", "arkindex")
    assert "docker:\n  command: measure\n" in result.out


@pytest.mark.parametrize("text", ["project = 1", "[project]\nscripts = 1", "[project.scripts]\nx = 1", "=", "\0"])
def test_a_strange_project_has_no_command(
    command: Callable[..., Result], write_worker: Callable[..., str], tmp_path: Path, text: str
) -> None:
    """The command of the image stands."""
    path = write_worker(WORKER)
    (tmp_path / "pyproject.toml").write_text(text)
    assert command("schema", path, "--format", "arkindex").out == DECLARATION


def test_a_declaration_of_another_kind_is_refused(
    command: Callable[..., Result], write_worker: Callable[..., str]
) -> None:
    """A dict is not accepted: a misspelt key would not be noticed."""
    result = command("schema", write_worker(WORKER, "Odd"), "--format", "arkindex")
    assert (result.code, result.err) == (
        2,
        "arkworker: Odd.declaration: write it like declaration = Declaration(…)\n",
    )
