"""Pages of the reference, made from the code each time the site is built: nothing in them can be stale."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from arkworker.cli import OF_A_WORKER, OTHERS
from arkworker.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/page_lines/worker.py:PageLines"
VERBS: dict[str, list[str]] = {verb: [EXAMPLE] if verb in OF_A_WORKER else [] for verb in [*OF_A_WORKER, *OTHERS]}
# The documented modules, and what each is about.
DOORS = {
    "arkworker": "What an author of workers writes with.",
    "arkworker.arkindex.datasets": "Datasets, their sets and exports; the first argument is `context.api`.",
    "arkworker.arkindex.images": "Images that are registered or uploaded; the first argument is `context.api`.",
    "arkworker.arkindex.tasks": "The parents of a task, and its artifacts; the first argument is `context.api`.",
    "arkworker.storage.cache": "The SQLite cache that tasks hand to each other.",
    "arkworker.storage.archives": "Archives: `.tar.zst` files, created and extracted safely.",
    "arkworker.testing": "The test kit.",
    "arkworker.emulator": "An emulated Arkindex, for development and tests.",
}


def help_of(*arguments: str) -> str:
    """The page of help of a verb, as a terminal of 100 columns shows it."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "arkworker", *arguments, "--help"],
        cwd=ROOT,
        env={"COLUMNS": "100", "NO_COLOR": "1", "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def command_line() -> Iterator[str]:
    """Every verb with its flags."""
    yield "# Command line\n"
    yield f"```text\n{help_of()}```\n"
    for verb, arguments in VERBS.items():
        yield f"## arkworker {verb}\n"
        if arguments:
            yield "For the worker of `examples/page_lines`, whose options are listed first:\n"
        yield f"```text\n{help_of(verb, *arguments)}```\n"


def variables() -> Iterator[str]:
    """Every variable of the environment, from its schema."""
    schema = json.loads((ROOT / "schemas" / "environment.schema.json").read_text(encoding="utf-8"))
    yield f"# Environment variables\n\n{schema['description']}\n"
    yield "| Variable | Meaning |\n|---|---|"
    for name, values in schema["properties"].items():
        yield f"| `{name}` | {_cell(values.get('description', ''))} |"
    yield "\nAn option of a worker is `ARKINDEX_CONFIG_` and its name in capitals.\n"


def exit_codes() -> Iterator[str]:
    """Every exit code, from its enumeration."""
    yield f"# Exit codes\n\n{ExitCode.__doc__}\n"
    yield "| Code | Name | Meaning |\n|---|---|---|"
    meanings = dict(re.findall(r"^    (\w+) = \d+  # (.*)$", inspect.getsource(ExitCode), re.MULTILINE))
    for code in ExitCode:
        yield f"| {int(code)} | `{code.name}` | {_cell(meanings[code.name])} |"


def schemas() -> Iterator[str]:
    """Every schema that the repository holds."""
    yield "# Schemas\n\nJSON Schema 2020-12, made from the models; `make schemas` writes them to `schemas/`.\n"
    for path in sorted((ROOT / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        yield f"## {path.name}\n\n{schema.get('description', schema.get('title', ''))}\n"
        yield f"```json\n{json.dumps(schema, indent=2, ensure_ascii=False)}\n```\n"


def door(module: str) -> Iterator[str]:
    """Every public name of a documented module."""
    yield f"# {module}\n\n{DOORS[module]}\n"
    for name in sorted(import_module(module).__all__):
        yield f"::: {module}.{name}\n"


def pages() -> dict[str, str]:
    """The generated pages by their paths below docs/."""
    made = {
        "command-line": command_line(),
        "variables": variables(),
        "exit-codes": exit_codes(),
        "schemas": schemas(),
        **{module.removeprefix("arkworker.").replace(".", "-"): door(module) for module in DOORS},
    }
    return {f"reference/{name}.md": "\n".join(lines) + "\n" for name, lines in made.items()}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds them to the site (a hook of MkDocs)."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_post_build(*, config: MkDocsConfig) -> None:
    """Refuses a site with a link that leads nowhere (a hook of MkDocs).

    Raises:
        PluginError: It names the pages and their links.
    """
    site = Path(config.site_dir)
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html") if path.name != "404.html"}
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, text in pages.items()
        for link in re.findall(r' (?:href|src)="([^"#]+)', text)
        if not re.match(r"[a-z]+:", link) and not (path.parent / link).exists()
    ]
    if broken:
        raise PluginError("links lead nowhere: " + ", ".join(broken))


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
