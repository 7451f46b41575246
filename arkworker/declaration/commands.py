"""The console command of a worker, as its project declares it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any


def console_command(worker: type[Any]) -> str | None:
    """The name in `[project.scripts]` of the nearest `pyproject.toml` whose object is the worker's `main`.

    Looked up in the project, not in what is installed, so that the answer is the same for everybody.
    """
    source = getattr(sys.modules.get(worker.__module__), "__file__", None)
    if source is None:
        return None
    file = Path(source).resolve()
    project = next((folder for folder in file.parents if (folder / "pyproject.toml").is_file()), None)
    if project is None:
        return None
    commands = [name for name, target in _scripts(project).items() if _is_main(target, worker, file)]
    return min(commands, default=None)


def _scripts(project: Path) -> dict[str, str]:
    try:
        table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    project_table = table.get("project")
    scripts = project_table.get("scripts") if isinstance(project_table, dict) else None
    scripts = scripts if isinstance(scripts, dict) else {}
    return {name: target for name, target in scripts.items() if isinstance(target, str)}


def _is_main(target: str, worker: type[Any], file: Path) -> bool:
    """Whether `package.module:Worker.main`, or a name for it in the module, leads to this worker in this file."""
    module, _, attributes = target.partition(":")
    parts = tuple(module.strip().split("."))
    if file.with_suffix("").parts[-len(parts) :] != parts and (*file.parent.parts[-len(parts) :],) != parts:
        return False
    found: Any = sys.modules[worker.__module__]
    for name in attributes.strip().split("."):
        found = getattr(found, name, None)
    return getattr(found, "__self__", None) is worker and getattr(found, "__name__", "") == "main"
