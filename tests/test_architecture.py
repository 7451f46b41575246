"""The arrows of the design: who may import whom, who may print, exit or read the environment."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arkworker"

# Lowest first: a module imports modules of its own rank and below. What is not named has the rank of its parent, and at
# the top of the package that of the declarations: what an author of workers declares, meets and returns.
DECLARATIONS = 1
RANKS = {
    "arkworker.errors": 0,
    "arkworker.settings": 2,
    "arkworker.runtime": 3,  # the services
    "arkworker.runtime.context": 4,
    "arkworker.runtime.worker": 5,
    "arkworker.runtime.loop": 6,
    "arkworker.runtime.lifecycle": 6,
    "arkworker.cli": 7,
    "arkworker.testing": 8,
    "arkworker.__main__": 8,
    "arkworker": 8,  # the public door
}

HEAVY = {"requests", "urllib3", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich"}

# Worker.main starts the command line, so that a worker's image can have a console command of its own. An element is data;
# one that no runner has bound finds the opener of its image when it is asked for it.
EXCEPTIONS = {("arkworker.runtime.worker", "arkworker.cli"), ("arkworker.element.model", "arkworker.runtime.images")}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def syntax_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def parametrize_modules(*below: str) -> pytest.MarkDecorator:
    paths = [path for path in modules() if name_of(path).startswith(below or ("arkworker",))]
    return pytest.mark.parametrize("path", paths, ids=name_of)


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def walk_what_runs(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that can run: all but what `if TYPE_CHECKING:` holds."""
    yield node
    for child in ast.iter_child_nodes(node):
        if is_for_types_only(child):
            yield from (part for statement in getattr(child, "orelse", []) for part in walk_what_runs(statement))
        else:
            yield from walk_what_runs(child)


def names_in(nodes: Iterable[ast.AST], path: Path) -> Iterator[str]:
    """Absolute names of what the import statements among some nodes of a module import."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join(filter(None, [*start, node.module or ""]))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_names(path: Path) -> set[str]:
    """Absolute names of what a module imports when it runs, late imports included."""
    return set(names_in(walk_what_runs(syntax_of(path)), path))


def rank(name: str) -> int:
    """The rank of the longest named prefix."""
    while name not in RANKS and name.count(".") > 1:
        name = name.rpartition(".")[0]
    return RANKS.get(name, DECLARATIONS)


def tops(names: Iterable[str]) -> set[str]:
    """The packages that some names belong to."""
    return {name.split(".")[0] for name in names}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_of(imported: str) -> str:
    """The module that an imported name lives in."""
    return imported if is_module(imported) else imported.rpartition(".")[0]


@parametrize_modules()
def test_imports_follow_the_arrows(path: Path) -> None:
    """A module imports its own layer and the layers below it, nothing above."""
    name = name_of(path)
    internal = {module_of(imported) for imported in imported_names(path) if imported.split(".")[0] == "arkworker"}
    # `import arkworker` alone gives the version.
    upward = {other for other in internal - {"arkworker"} if rank(other) > rank(name)}

    assert {other for other in upward if (name, other) not in EXCEPTIONS} == set()


def imported_at_once(path: Path) -> set[str]:
    """Absolute names of what is imported when the module is, late imports left out."""
    functions = [node for node in ast.walk(syntax_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {inner for function in functions for inner in ast.walk(function)}
    nodes = [node for node in walk_what_runs(syntax_of(path)) if node not in late]
    return set(names_in(nodes, path))


@parametrize_modules("arkworker.settings")
def test_settings_has_no_effects(path: Path) -> None:
    """What resolves settings imports nothing that reaches a network, a database or an archive."""
    forbidden = HEAVY | {"socket", "http", "sqlite3", "subprocess", "signal", "threading"}

    assert tops(imported_names(path)) & forbidden == set()


@parametrize_modules("arkworker.settings")
def test_settings_takes_the_environment_as_an_argument(path: Path) -> None:
    """What resolves settings reads neither the environment nor the command line of the process."""
    reads = [
        f"{node.value.id}.{node.attr}, line {node.lineno}"
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if (node.value.id, node.attr)
        in {("os", "environ"), ("os", "environb"), ("os", "getenv"), ("os", "putenv"), ("sys", "argv")}
    ]
    imports = {"os.environ", "os.getenv", "sys.argv"} & imported_names(path)

    assert (reads, imports) == ([], set())


@pytest.mark.parametrize("path", [path for path in modules() if path.parent == PACKAGE], ids=name_of)
def test_the_public_door_is_light(path: Path) -> None:
    """No module at the top of the package imports anything heavy before it is needed."""
    assert tops(imported_at_once(path)) & HEAVY == set()


@parametrize_modules()
def test_the_command_line_is_imported_late(path: Path) -> None:
    """Only `python -m arkworker` imports the command line at once; the worker's own command does when it is called."""
    if name_of(path).startswith(("arkworker.cli", "arkworker.__main__")):
        pytest.skip("this is the command line")

    assert {name for name in imported_at_once(path) if name.startswith("arkworker.cli")} == set()


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


@parametrize_modules()
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    """Below the command line, results are returned and failures raised."""
    name = name_of(path)
    if name.startswith(("arkworker.cli", "arkworker.__main__")):
        pytest.skip("this is the command line")
    ends = {"print", "exit", "quit", "sys.exit", "os._exit", "os.abort", "sys.stdout.write", "sys.stderr.write"}
    calls = [
        f"{called(node)}, line {node.lineno}"
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.Call) and called(node) in ends
    ]
    raised = [
        node.lineno
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in ast.unparse(node.exc)
    ]

    assert (calls, raised) == ([], [])


@parametrize_modules("arkworker.runtime")
def test_services_take_plain_values(path: Path) -> None:
    """A service does not know the worker's context, not even in its types."""
    if rank(name_of(path)) != RANKS["arkworker.runtime"]:
        pytest.skip("this is no service")

    assert "WorkerContext" not in {node.id for node in ast.walk(syntax_of(path)) if isinstance(node, ast.Name)}


def committed_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name]


# Written in pieces, for this file is searched too.
MACHINES = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:home|Users)/\w",
            r"(?<![\w./])/" + r"root/\w",
            r"(?<![\w./])/" + r"work/\w",
            r"/" + r"opt/(?:pypi|wheels)",
            r"[A-Z]:\\" + r"\\Users",
        ]
    )
)
REGISTRIES = re.compile(
    "|".join([r"pypi\." + r"org", r"pythonhosted\." + r"org", r"registry\.npmjs", r"--(?:extra-)?index-" + r"url"])
)


@pytest.mark.parametrize("pattern", [MACHINES, REGISTRIES], ids=["paths of a machine", "registry hosts"])
def test_no_file_names_a_developers_machine(pattern: re.Pattern[str]) -> None:
    """What is committed works elsewhere: no absolute path of somebody's machine, no package registry's host."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in committed_files()
        if path.is_file()
        for match in pattern.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]

    assert found == []
