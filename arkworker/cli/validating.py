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
from arkworker.errors import ConfigurationError, ExitCode, Problem
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping

#: Where Arkindex looks for declarations in a repository.
FOLDER = "arkindex"
_SUFFIXES = (".yml", ".yaml")


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Check every file; 78 when one cannot be read, else 1 when one is invalid."""
    flags = make_parser().parse_args(argv)
    found: dict[str, tuple[list[Problem], list[Problem]]] = {}
    are_read = True
    for name in _files(flags.files or [FOLDER]):
        stopping.check()
        try:
            report = examine(read_text_file(name))
            found[name] = report.problems, report.warnings
        except TextFileError as error:
            are_read = are_read and error.line > 0  # what is wrong at a place in a file is invalid content
            found[name] = [error.problem(SOURCE, name)], []
    if flags.format == "json":
        terminal.write_json({"files": [_as_data(name, *items) for name, items in found.items()]})
    else:
        for name, items in found.items():
            _show(name, *items)
    if not are_read:
        return ExitCode.CONFIGURATION
    return ExitCode.FAILED if any(problems for problems, _ in found.values()) else ExitCode.OK


def make_parser() -> PlainParser:
    parser = PlainParser(
        "validate",
        "Check declaration files against the rules of Arkindex; exit 1 when one is invalid, 78 when one is missing.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help=f"A file, or a folder with files; the folder {FOLDER} by default."
    )
    parser.add_argument(
        "--format", metavar="FORMAT", choices=("text", "json"), default="text", help="How to show what is found."
    )
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="The same as --format json.")
    return parser


def _files(names: Sequence[str]) -> list[str]:
    """The files, each once; those of a folder in the order of their names."""
    files: list[str] = []
    for name in names:
        if os.path.isdir(name):  # noqa: PTH112 - false, too, of a name that no file can have
            inside = _inside(Path(name))
            if not inside:
                raise _nothing_in(name, "no declaration file (*.yml) in this folder")
            files += inside
        elif name == FOLDER and len(names) == 1:
            raise _nothing_in(name, "there is no such folder here", "name the declaration files")
        else:
            files.append(name)
    return list(dict.fromkeys(files))


def _nothing_in(folder: str, message: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError([Problem("", "declaration files", printable(folder), message, hint)])


def _inside(folder: Path) -> list[str]:
    try:
        return sorted(str(item) for item in folder.iterdir() if item.suffix in _SUFFIXES)
    except OSError as error:
        raise _nothing_in(str(folder), f"cannot be read: {error.strerror}") from None


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
