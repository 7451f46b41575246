"""The verb `import`: from a declaration file to a typed worker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.declaration.checks import SOURCE
from arkworker.declaration.generation import generate
from arkworker.declaration.importing import Imported, import_file
from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.errors import ConfigurationError, ExitCode, UsageError
from arkworker.storage import files
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping

DESCRIPTION = (
    "Write a Python module with a typed worker from a declaration: arkindex/FILE.yml, or a former .arkindex.yml."
)
#: Modules that one of the same name would stand in front of: those of Python, and what the written one imports.
_HIDDEN = sys.stdlib_module_names | {"arkworker", "pydantic", "sqlalchemy"}


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    flags = make_parser().parse_args(list(argv))
    imported = read_import(flags.file)
    module = generate(imported.drafts, imported.notes)
    stopping.check()
    if flags.output is None:
        terminal.write(module.text)
    else:
        _create(Path(flags.output), module.text)
    for note in imported.notes:
        terminal.write_error(f"arkworker: {note}\n")
    return ExitCode.OK


def read_import(name: str) -> Imported:
    """What a declaration file declares.

    Raises:
        ConfigurationError: It cannot be read, or is not a declaration that code can be written from.
    """
    try:
        file = read_text_file(name)
    except TextFileError as error:
        raise ConfigurationError([error.problem(SOURCE, name)]) from None
    return import_file(file, Path(name).parent)


def make_parser() -> PlainParser:
    parser = PlainParser("import", DESCRIPTION)
    parser.add_argument("file", metavar="FILE", help="A declaration file.")
    parser.add_argument(
        "--output", metavar="FILE", help="Write to FILE, which must not exist, instead of standard output."
    )
    parser.add_json()
    return parser


def _create(path: Path, text: str) -> None:
    shown = printable(str(path))
    if path.suffix == ".py" and path.stem in _HIDDEN:
        raise UsageError(
            f"{shown} would hide the module {path.stem}, which other modules need: choose another --output"
        )
    try:
        if path.exists() and not files.is_stream(path):
            raise UsageError(f"{shown} exists: choose another --output, or remove it")
        files.replace(path, text.encode())
    except OSError as error:
        raise UsageError(f"{shown} cannot be written: {error.strerror}") from None
