"""The verb `validate`: declaration files, by the rules of Arkindex."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.cli.problems import as_data, as_segments
from arkworker.declaration.checks import SOURCE
from arkworker.declaration.rules import examine
from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.errors import ExitCode, Problem, UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping

#: Where Arkindex looks for declarations in a repository.
FOLDER = "arkindex"
_SUFFIXES = (".yml", ".yaml")


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Check every file; 1 when one is invalid."""
    flags = make_parser().parse_args(argv)
    found: dict[str, tuple[list[Problem], list[Problem]]] = {}
    for name in _files(flags.files or [FOLDER]):
        stopping.check()
        found[name] = _examine(name)
    if flags.format == "json":
        terminal.write_json({"files": [_as_data(name, *items) for name, items in found.items()]})
    else:
        for name, items in found.items():
            _show(name, *items)
    return ExitCode.FAILED if any(problems for problems, _ in found.values()) else ExitCode.OK


def make_parser() -> PlainParser:
    parser = PlainParser(
        "validate", "Check declaration files against the rules of Arkindex; exit 1 when one is invalid."
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help=f"A file, or a folder with files; the folder {FOLDER} by default."
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="How to show what is found.")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="The same as --format json.")
    return parser


def _files(names: Sequence[str]) -> list[str]:
    """The files, each once; those of a folder in the order of their names."""
    files: list[str] = []
    for name in names:
        if os.path.isdir(name):  # noqa: PTH112 - false, too, of a name that no file can have
            inside = _inside(Path(name))
            if not inside:
                raise UsageError(f"{printable(name)}: no declaration file (*.yml) in this folder")
            files += inside
        elif name == FOLDER and len(names) == 1:
            raise UsageError(f"there is no folder {FOLDER} here: name the declaration files")
        else:
            files.append(name)
    return list(dict.fromkeys(files))


def _inside(folder: Path) -> list[str]:
    try:
        return sorted(str(item) for item in folder.iterdir() if item.suffix in _SUFFIXES)
    except OSError as error:
        raise UsageError(f"{printable(str(folder))} cannot be read: {error.strerror}") from None


def _examine(name: str) -> tuple[list[Problem], list[Problem]]:
    try:
        report = examine(read_text_file(name))
    except TextFileError as error:
        place = f"{printable(name)}:{error.line}:{error.column}" if error.line else printable(name)
        return [Problem("", SOURCE, place, error.reason, error.hint)], []
    return report.problems, report.warnings


def _as_data(name: str, problems: list[Problem], warnings: list[Problem]) -> dict[str, Any]:
    return {
        "file": name,
        "valid": not problems,
        "problems": as_data(problems, name)["problems"],
        "warnings": as_data(warnings, name)["problems"],
    }


def _show(name: str, problems: list[Problem], warnings: list[Problem]) -> None:
    if not problems:
        terminal.write(f"{printable(name)}: valid\n")
    for items, kind in ((problems, "problem"), (warnings, "warning")):
        if items:
            segments = as_segments(items, name, kind=kind, subject="")
            terminal.write("".join(terminal.styled(text, style, sys.stdout) for text, style in segments) + "\n")
