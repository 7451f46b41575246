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
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arkworker"

# Lowest first: a module imports modules of its own rank and below. What is not named has the rank of its parent, and at
# the top of the package that of the declarations: what an author of workers declares, meets and returns.
DECLARATIONS = 1
SERVICES = 3
RANKS = {
    "arkworker.errors": 0,
    "arkworker.settings": 2,
    "arkworker.declaration": SERVICES,  # the rules of Arkindex on files that declare workers
    "arkworker.runtime": SERVICES,
    "arkworker.runtime.context": 4,
    "arkworker.runtime.publication": 4,
    "arkworker.runtime.worker": 5,
    "arkworker.runtime.function_worker": 5,
    "arkworker.runtime.target": 6,
    "arkworker.runtime.explanation": 6,
    "arkworker.runtime.corpus_check": 6,
    "arkworker.runtime.preparation": 6,
    "arkworker.runtime.handover": 5,
    "arkworker.runtime.elements_worker": 6,
    "arkworker.runtime.loop": 6,
    "arkworker.runtime.delivery": 6,
    "arkworker.runtime.delivery.lookup": SERVICES,
    "arkworker.runtime.delivery.matching": SERVICES,
    "arkworker.runtime.lifecycle": 6,
    "arkworker.cli": 7,
    "arkworker.testing": 8,
    "arkworker.__main__": 8,
    "arkworker": 8,  # the public door
}

HEAVY = {"requests", "urllib3", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich"}

# Late imports that go up, and why.
UPWARD = {
    ("arkworker.runtime.worker", "arkworker.cli"),  # Worker.main is the console command of a worker's image
    ("arkworker.cli.serving", "arkworker.testing"),  # the verb of the emulator, which needs an extra
    ("arkworker.element.model", "arkworker.runtime"),  # an element opens its image, which may have to be downloaded
}
# A second signal ends the process at once, whatever it is doing; so does user code that does not come back in time.
ENDING = {("arkworker.runtime.stopping", "os._exit"), ("arkworker.runtime.loop.guard", "os._exit")}


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def syntax_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def below(*packages: str) -> list[Path]:
    """The modules of some packages, the packages themselves included."""
    prefixes = tuple(f"{package}." for package in packages)
    return [path for path in modules() if f"{name_of(path)}.".startswith(prefixes)]


def found_in(paths: Iterable[Path], find: Callable[[Path], Iterable[object]]) -> dict[str, set[object]]:
    """What a search finds, by module; modules with nothing are left out."""
    return {name_of(path): found for path in paths if (found := set(find(path)))}


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


@cache
def imported_names(path: Path) -> set[str]:
    """Absolute names of what a module imports when it runs, late imports included."""
    return set(names_in(walk_what_runs(syntax_of(path)), path))


def rank(name: str) -> int:
    """The rank of the longest named prefix."""
    while name not in RANKS and name.count(".") > 1:
        name = name.rpartition(".")[0]
    return RANKS.get(name, DECLARATIONS)


def layer(name: str) -> str:
    return ".".join(name.split(".")[:2])


def tops(names: Iterable[str]) -> set[str]:
    """The packages that some names belong to."""
    return {name.split(".")[0] for name in names}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_of(imported: str) -> str:
    """The module that an imported name lives in."""
    return imported if is_module(imported) else imported.rpartition(".")[0]


def above(names: Iterable[str], path: Path) -> set[str]:
    """The modules of higher rank among some imported names; `from arkworker import __version__` is none."""
    internal = {module_of(name) for name in names if tops([name]) == {"arkworker"}} - {"arkworker"}
    return {other for other in internal if rank(other) > rank(name_of(path))}


def test_imports_follow_the_arrows() -> None:
    """A module imports its own layer and the layers below it, nothing above."""

    def find(path: Path) -> set[str]:
        return {other for other in above(imported_names(path), path) if (name_of(path), layer(other)) not in UPWARD}

    assert found_in(modules(), find) == {}


def test_services_take_plain_values() -> None:
    """A service does not know the worker's context, not even in its types."""
    services = [path for path in below("arkworker.runtime") if rank(name_of(path)) == SERVICES]

    assert found_in(services, lambda path: {"WorkerContext"} & names_used(path)) == {}


def names_used(path: Path) -> set[str]:
    return {node.id for node in ast.walk(syntax_of(path)) if isinstance(node, ast.Name)}


def imported_at_once(path: Path) -> set[str]:
    """Absolute names of what is imported when the module is, late imports left out."""
    functions = [node for node in ast.walk(syntax_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {inner for function in functions for inner in ast.walk(function)}
    nodes = [node for node in walk_what_runs(syntax_of(path)) if node not in late]
    return set(names_in(nodes, path))


def test_settings_has_no_effects() -> None:
    """What resolves settings imports nothing that reaches a network, a database or an archive."""
    effects = HEAVY | {"socket", "http", "sqlite3", "subprocess", "signal", "threading"}

    assert found_in(below("arkworker.settings"), lambda path: tops(imported_names(path)) & effects) == {}


def test_settings_takes_the_environment_as_an_argument() -> None:
    """What resolves settings reads neither the environment nor the command line of the process."""
    forbidden = {"os.environ", "os.environb", "os.getenv", "os.putenv", "sys.argv"}

    def find(path: Path) -> set[str]:
        attributes = {ast.unparse(node) for node in ast.walk(syntax_of(path)) if isinstance(node, ast.Attribute)}
        return forbidden & (attributes | imported_names(path))

    assert found_in(below("arkworker.settings"), find) == {}


def test_the_public_door_is_light() -> None:
    """No module at the top of the package imports anything heavy before it is needed."""
    door = [path for path in modules() if path.parent == PACKAGE]

    assert found_in(door, lambda path: tops(imported_at_once(path)) & HEAVY) == {}


def below_the_command_line() -> list[Path]:
    command_line = {*below("arkworker.cli"), PACKAGE / "__main__.py"}
    return [path for path in modules() if path not in command_line]


def test_imports_that_go_up_are_late() -> None:
    """Only `python -m arkworker` imports the command line at once; the exceptions import when they are called."""
    assert found_in(modules(), lambda path: above(imported_at_once(path), path)) == {}


def test_only_the_command_line_prints_or_exits() -> None:
    """Below the command line, results are returned and failures raised."""
    ends = {"print", "exit", "quit", "sys.exit", "os._exit", "os.abort", "sys.stdout.write", "sys.stderr.write"}

    def find(path: Path) -> Iterator[str]:
        for node in ast.walk(syntax_of(path)):
            if isinstance(node, ast.Call) and (call := ast.unparse(node.func)) in ends:
                if (name_of(path), call) not in ENDING:
                    yield f"{call}, line {node.lineno}"
            elif isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in ast.unparse(node.exc):
                yield f"SystemExit, line {node.lineno}"

    assert found_in(below_the_command_line(), find) == {}


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
