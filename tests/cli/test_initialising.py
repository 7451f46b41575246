"""The verb `init`: what it creates passes its own tests and checks at once."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

ROOT = Path(__file__).parents[2]
HARD = """\
slug: Hard-One
display_name: Hard
type: t
description: d
configuration:
- {key: class, display_name: C, type: model, required: true}
- {key: token, display_name: T, type: secret, required: true}
- {key: kinds, display_name: K, type: element_type, many: true, required: true}
- {key: mode, display_name: M, type: enum, choices: [a, 'no'], required: true}
- {key: g, display_name: G, type: group, children: [{key: n, display_name: N, type: int, required: true}]}
"""
FORMER = (
    "version: 2\nworkers:\n- {name: A, slug: a, type: t}\n- {name: B, slug: b, type: t, docker: {command: run b}}\n"
)


def run_in(project: Path, *command: str) -> tuple[int, str]:
    """Run a module in a project, with this interpreter and nothing but this package."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(project.parent), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def create(command: Callable[..., Result], tmp_path: Path) -> Callable[[str], Path]:
    """Creates a project; from a declaration, when one is given."""

    def make(declaration: str) -> Path:
        argv = ["init", str(tmp_path / "deep" / "My pages")]
        if declaration:
            (tmp_path / "given.yml").write_text(declaration)
            argv += ["--from", str(tmp_path / "given.yml")]
        result = command(*argv)
        assert (result.code, result.out.startswith("Created ")) == (0, True)
        return tmp_path / "deep" / "My pages"

    return make


@pytest.mark.parametrize("declaration", ["", HARD, FORMER], ids=["new", "from a declaration", "from two former ones"])
def test_a_new_project_passes_its_own_tests(create: Callable[[str], Path], declaration: str) -> None:
    """Its tests run `check`, `validate` and the comparison with the declaration."""
    code, output = run_in(create(declaration), "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert code == 0, output
    assert " passed in " in output


@pytest.mark.parametrize("declaration", ["", HARD, FORMER], ids=["new", "from a declaration", "from two former ones"])
def test_a_new_project_is_formatted_and_linted(create: Callable[[str], Path], declaration: str) -> None:
    """By the rules that its own pipeline runs."""
    project = create(declaration)
    assert run_in(project, "ruff", "format", "--isolated", "--no-cache", "--check", ".")[0] == 0
    rules = ["--extend-select", "I"]
    assert run_in(project, "ruff", "check", "--isolated", "--no-cache", *rules, ".") == (0, "All checks passed!\n")


def test_a_new_project_works_as_in_production(create: Callable[[str], Path]) -> None:
    """What its README says, on the emulated Arkindex that comes with it."""
    project = create("")
    target = "worker_my_pages.worker:MyPages"
    desk = ["arkworker", "serve", "desk/my-pages.yml", "--port", "0", "--once"]
    code, output = run_in(project, *desk, "--", sys.executable, "-m", "arkworker", "run", target)
    assert (code, "2 elements" in output, "Map" in output) == (0, True, True), output


def test_the_commands_of_the_readme(create: Callable[[str], Path]) -> None:
    """Those that need neither an instance nor a person end well."""
    project = create("")
    readme = (project / "README.md").read_text()
    commands = [line.split()[1:] for line in readme.splitlines() if line.startswith("arkworker ")]
    assert {words[0] for words in commands} == {"serve", "explain", "schema"}
    for words in commands:
        if words[0] != "serve":
            assert run_in(project, "arkworker", *words)[0] == 0


def test_the_files_of_a_new_project(create: Callable[[str], Path]) -> None:
    """A worker, its test, declaration, image and checks; the command of the image is that of the worker."""
    project = create("")
    files = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert files == {
        ".dockerignore",
        ".gitignore",
        ".gitlab-ci.yml",
        ".pre-commit-config.yaml",
        "Dockerfile",
        "README.md",
        "arkindex/my-pages.yml",
        "config/my-pages.yml",
        "desk/my-pages.yml",
        "pyproject.toml",
        "tests/test_standards.py",
        "tests/test_worker.py",
        "worker_my_pages/__init__.py",
        "worker_my_pages/worker.py",
    }
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert table["name"] == "worker-my-pages"
    assert table["scripts"] == {"worker-my-pages": "worker_my_pages.worker:MyPages.main"}
    assert 'CMD ["worker-my-pages"]' in (project / "Dockerfile").read_text()
    assert not any("@" in path.read_text() for path in project.rglob("*") if path.suffix in (".toml", ".md"))


def test_a_name_with_accents(command: Callable[..., Result], tmp_path: Path) -> None:
    """Letters lose their accents, and are not lost; a place with spaces is shown as a shell takes it."""
    result = command("init", str(tmp_path / "Pages d'été"))
    table = tomllib.loads((tmp_path / "Pages d'été" / "pyproject.toml").read_text())["project"]
    assert (result.code, table["name"]) == (0, "worker-pages-d-ete")
    assert shlex.split(result.out.splitlines()[1])[1] == str(tmp_path / "Pages d'été")


def test_each_worker_has_its_command(create: Callable[[str], Path]) -> None:
    """That of its declaration where it can be one."""
    project = create(FORMER)
    scripts = tomllib.loads((project / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {
        "worker-a": "worker_my_pages.worker:A.main",
        "worker-b": "worker_my_pages.worker:B.main",
    }
    assert "command: run b" in (project / "arkindex" / "b.yml").read_text()


def test_the_hook_of_a_new_project_finds_a_difference(create: Callable[[str], Path]) -> None:
    """`schema --check` exits 1 once the declaration is changed."""
    project = create("")
    declaration = project / "arkindex" / "my-pages.yml"
    declaration.write_text(declaration.read_text().replace("default: 0.05", "default: 0.1"))
    target = "worker_my_pages.worker:MyPages"
    code, output = run_in(project, "arkworker", "schema", target, "--check", "arkindex/my-pages.yml")
    assert (code, "+  default: 0.05" in output) == (1, True)


def test_nothing_is_overwritten(command: Callable[..., Result], tmp_path: Path) -> None:
    """A directory that exists stays as it is."""
    result = command("init", str(tmp_path))
    assert (result.code, list(tmp_path.iterdir())) == (2, [])
    assert "exists" in result.err


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "file/below"])
def test_a_place_where_nothing_can_be(command: Callable[..., Result], tmp_path: Path, name: str) -> None:
    """One line, and nothing is left behind."""
    (tmp_path / "file").write_text("")
    result = command("init", str(tmp_path / name))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unfit_declaration_creates_nothing(command: Callable[..., Result], tmp_path: Path) -> None:
    """All its problems, and no directory."""
    (tmp_path / "given.yml").write_text("slug: s\n")
    result = command("init", str(tmp_path / "new"), "--from", str(tmp_path / "given.yml"))
    assert (result.code, (tmp_path / "new").exists()) == (78, False)
