"""The arrows of the design: who may import whom, who may print, exit or read the environment."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arkworker"

# The rooms, the topmost first. A room imports only rooms below it, and the ground; type-only imports count.
ROOMS = [
    "testing",
    "cli",
    "emulator",
    "delivery",
    "runtime",
    "arkindex",
    "storage",
    "declaration",
    "settings",
    "elements",
    "images",
    "transport",
    "documents",
    "options",
]
# Below all rooms; these import only each other.
GROUND = ["clock", "errors", "frozen", "geometry", "lazy", "text", "version"]
# The doors may import anything: nothing imports them.
DOORS = ["arkworker", "arkworker.__main__"]

HEAVY = {"requests", "urllib3", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich"}

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
    """Absolute names of what a module imports: at once, late, or for its types only."""
    return set(names_in(ast.walk(syntax_of(path)), path))


def tops(names: Iterable[str]) -> set[str]:
    """The packages that some names belong to."""
    return {name.split(".")[0] for name in names}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_of(imported: str) -> str:
    """The module that an imported name lives in."""
    return imported if is_module(imported) else imported.rpartition(".")[0]


def room(module: str) -> str:
    """The room, the module of the ground or the door that a module is part of."""
    return module if module in DOORS else module.split(".")[1]


def height(place: str) -> int:
    """How far up a room stands; the ground is below all of them."""
    if place in DOORS:
        return len(ROOMS) + 1
    return 0 if place in GROUND else len(ROOMS) - ROOMS.index(place)


def imported_modules(path: Path) -> set[str]:
    """The modules of arkworker that a module imports, itself left out."""
    return {module_of(name) for name in imported_names(path) if tops([name]) == {"arkworker"}} - {name_of(path)}


def test_rooms_are_listed() -> None:
    """Each folder and module at the top is a room, a door or part of the ground."""
    found = {room(name_of(path)) for path in modules()}

    assert found == {*ROOMS, *GROUND, *DOORS}


def test_a_room_imports_only_rooms_below_it() -> None:
    """So the folder listing is the map of what may know what."""

    def find(path: Path) -> set[str]:
        own = room(name_of(path))
        return {other for other in imported_modules(path) if room(other) != own and height(room(other)) >= height(own)}

    found = found_in((path for path in modules() if name_of(path) not in DOORS), find)
    ground = {name: {other for other in others if room(str(other)) not in GROUND} for name, others in found.items()}

    assert {name: others for name, others in ground.items() if others} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Type-only imports counted; a package that hands on the names of its modules is not counted as importing them."""
    sorter = TopologicalSorter(
        {name_of(path): imported_modules(path) - set(DOORS) for path in modules() if path.name != "__init__.py"}
    )
    sorter.prepare()


def imported_at_once(path: Path) -> set[str]:
    """Absolute names of what is imported when the module is: late and type-only imports left out."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from (part for statement in child.orelse for part in walk(statement))
            elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child)

    return set(names_in(walk(syntax_of(path)), path))


def test_there_is_one_http_stack() -> None:
    """Certificates, proxies, limits and the end of a run hold for all that is sent: one room sends it."""
    others = [path for path in modules() if path not in below("arkworker.transport")]

    assert found_in(others, lambda path: tops(imported_names(path)) & {"requests", "urllib3", "httpx", "aiohttp"}) == {}


def test_services_take_plain_values() -> None:
    """What speaks to Arkindex or to a disk knows neither the context nor how its values were found."""
    services = below("arkworker.arkindex", "arkworker.storage", "arkworker.images", "arkworker.transport")

    def find(path: Path) -> set[str]:
        names = {name.rpartition(".")[2] for name in imported_names(path)}
        return names & {"Resolution", "Resolved", "Settings", "WorkerContext", "WorkerSettings"}

    assert found_in(services, find) == {}


def test_nothing_is_put_into_a_context_behind_its_back() -> None:
    """A context is data: no module writes into its dictionary."""

    def find(path: Path) -> Iterator[str]:
        for node in ast.walk(syntax_of(path)):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                target = ast.unparse(node.value)
                if target in {"vars(context)", "context.__dict__", "vars(self.context)"}:
                    yield target

    assert found_in(modules(), find) == {}


def test_functions_fit_on_a_screen() -> None:
    """Sixty lines, docstring included."""

    def find(path: Path) -> Iterator[str]:
        nodes = ast.walk(syntax_of(path))
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        yield from (node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 60)

    assert found_in(modules(), find) == {}


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
