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
        "Makefile",
        "README.md",
        "arkindex/my-pages.yml",
        "config/my-pages.schema.json",
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
    assert not any("${" in path.read_text() for path in project.rglob("*") if path.is_file())


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


@pytest.mark.parametrize(
    "spec",
    [
        "wheel",
        "git+https://git.example/arkworker.git@main",
        "git+ssh://git@git.example/arkworker.git",
        "https://files.example/arkworker-1.2.3.tar.gz",
    ],
)
def test_arkworker_may_come_from_elsewhere(spec: str, command: Callable[..., Result], tmp_path: Path) -> None:
    """A wheel is kept in the project, and found by all that installs; an address is a requirement of its own."""
    wheel = tmp_path / "arkworker-1.2.3-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    result = command("init", str(tmp_path / "new"), "--arkworker", str(wheel) if spec == "wheel" else spec)
    assert result.code == 0
    table = tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text())
    requirement = "arkworker[image]==1.2.3" if spec == "wheel" else f"arkworker[image] @ {spec}"
    assert table["project"]["dependencies"] == [requirement]
    assert table["tool"]["hatch"].get("metadata") == (None if spec == "wheel" else {"allow-direct-references": True})
    installing = [(tmp_path / "new" / name).read_text() for name in ("Dockerfile", ".gitlab-ci.yml", "Makefile")]
    assert all(("--find-links wheels" in text) is (spec == "wheel") for text in installing)
    assert all(("install --yes --no-install-recommends git" in text) is ("git+" in spec) for text in installing[:2])
    kept = [path.read_bytes() for path in (tmp_path / "new").glob("wheels/*")]
    assert kept == ([b"wheel"] if spec == "wheel" else [])


@pytest.mark.parametrize(
    "spec", ["", "0.1", "no/arkworker-1-py3-none-any.whl", "git+https://a b", "git+file:///a", "x" * 300]
)
def test_arkworker_from_nowhere(spec: str, command: Callable[..., Result], tmp_path: Path) -> None:
    """What is neither a wheel nor an address is a mistake on the command line, and nothing is created."""
    result = command("init", str(tmp_path / "new"), "--arkworker", spec)
    assert (result.code, "is neither a wheel" in result.err, list(tmp_path.iterdir())) == (2, True, [])


def test_editors_know_the_configuration(create: Callable[[str], Path]) -> None:
    """The file names its schema, which is that of the worker."""
    project = create(HARD)
    lines = (project / "config" / "Hard-One.yml").read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=Hard-One.schema.json"
    target = "worker_my_pages.worker:HardOne"
    code, output = run_in(project, "arkworker", "schema", target, "--check", "config/Hard-One.schema.json")
    assert (code, output) == (0, "")


def test_the_answer_as_json(command: Callable[..., Result], tmp_path: Path) -> None:
    """Where the project is, and what was noticed on the way."""
    declaration = tmp_path / ".arkindex.yml"
    declaration.write_text(FORMER)
    done = command("init", str(tmp_path / "new"), "--from", str(declaration), "--json")

    assert (done.code, done.data["directory"], done.err) == (0, str(tmp_path / "new"), "")
    assert all(isinstance(note, str) for note in done.data["notes"])
