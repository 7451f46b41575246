"""What documents point at is there: files that they link to or name, headings, commands, exit codes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from arkworker import ExitCode

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md") for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def listed_in_the_test_of_architecture(name: str) -> list[str]:
    """`ROOMS` or `GROUND`, which hold for the code."""
    syntax = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (value,) = [
        node.value for node in syntax.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return list(ast.literal_eval(value))


def prose(path: Path) -> str:
    """A document without its blocks of code."""
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What the headings of a document are called in addresses."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link names a file that is there, and a heading of it."""

    def is_there(link: str) -> bool:
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        return target.exists() and (not anchor or anchor in anchors(target))

    links = [link for link in LINK.findall(prose(path)) if not re.match(r"[a-z]+:", link)]

    assert [link for link in links if not is_there(link)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(path: Path) -> None:
    """Those of this repository, by their whole path."""
    named = re.findall(r"`((?:arkworker|tests|examples|benchmarks|docs|schemas)/[\w./-]*\w)`", prose(path))

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_files_of_the_walks_exist() -> None:
    """Also those that are named beside another one: `guard.py` beside `run.py`."""
    missing = []
    for step in re.findall(r"^\d+\. (.*(?:\n   .*)*)", ARCHITECTURE, re.MULTILINE):
        folder = Path()
        for name in re.findall(r"`([\w/]+\.py)`", step):
            folder = (ROOT / name).parent if "/" in name else folder
            missing += [name] if not (folder / Path(name).name).is_file() else []

    assert missing == []


def test_each_walk_has_five_to_ten_steps() -> None:
    """A run, a value, an element, a result and a secret."""
    walks = re.findall(r"^## The walk of an? (\w+)\n(.*?)(?=^## )", ARCHITECTURE, re.MULTILINE | re.DOTALL)

    steps = {name: len(re.findall(r"^\d+\. ", text, re.MULTILINE)) for name, text in walks}

    assert set(steps) == {"run", "value", "element", "result", "secret"}
    assert all(5 <= number <= 10 for number in steps.values())


def test_the_rooms_are_those_of_the_code() -> None:
    """In their order, from the top; and the ground."""
    rooms = re.findall(r"^\| `(\w+)` \| ", ARCHITECTURE, re.MULTILINE)
    ground = re.search(r"^The ground is (.*)$", ARCHITECTURE, re.MULTILINE)

    assert rooms == listed_in_the_test_of_architecture("ROOMS")
    assert ground is not None
    assert re.findall(r"`(\w+)`", ground[1]) == listed_in_the_test_of_architecture("GROUND")


def test_contributing_names_the_rooms() -> None:
    """In the same order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"names the rooms, from the top: (.*?), and the ground", text, re.DOTALL)

    assert listed is not None
    assert re.findall(r"`(\w+)`", listed[1]) == listed_in_the_test_of_architecture("ROOMS")


def test_commands_of_make_exist() -> None:
    """Those that CONTRIBUTING and the README name."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    named = {target for words in re.findall(r"`make ([a-z -]+)", text) for target in words.split()}

    assert named - targets == set()


def test_exit_codes_are_those_of_the_code() -> None:
    """The table of exit codes has each of them, and no other."""
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", commands, re.MULTILINE)}

    assert documented == {int(code) for code in ExitCode}


def test_every_page_is_in_the_navigation() -> None:
    """Nobody finds one that is not."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}

    assert {page for page in pages if f"- {page}" not in navigation} == set()
