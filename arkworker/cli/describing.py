"""The verb `schema`: a worker's configuration as JSON Schema or as documentation, written, or compared with a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.cli import terminal
from arkworker.cli.documentation import as_markdown
from arkworker.cli.flags import schema_parser
from arkworker.cli.problems import as_data
from arkworker.errors import ArkworkerError, ExitCode, Problem, UsageError
from arkworker.runtime.named_files import mistakes
from arkworker.runtime.target import declared_content
from arkworker.runtime.worker import options_of
from arkworker.settings.schema import as_json_schema, to_text
from arkworker.storage import files
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.worker import Worker

#: What a file holds, by the end of its name.
_STYLES = {".yml": "arkindex", ".yaml": "arkindex", ".md": "markdown"}


class UnreadableFileError(ArkworkerError):
    """There is no file to compare with, or it cannot be read."""

    exit_code = ExitCode.CONFIGURATION


def schema(worker: Worker[Any], target: str, argv: Sequence[str]) -> int:
    flags = schema_parser(target).parse_args(argv)
    style = flags.format or _STYLES.get(Path(flags.check or flags.output or "").suffix, "json-schema")
    with terminal.aside():
        text = _described(worker, target, style)
    if flags.check is not None:
        lines = _differences(text, flags.check, style)
        if flags.json:
            terminal.write_json(as_data([_stale(flags.check)] if lines else [], target))
        else:
            terminal.write("".join(lines))
        return ExitCode.FAILED if lines else ExitCode.OK
    if flags.output is not None:
        _write(text, Path(flags.output))
    else:
        terminal.write(text)
    return ExitCode.OK


def _described(worker: Worker[Any], target: str, style: str) -> str:
    options = options_of(worker, target)
    if style == "arkindex":
        from arkworker.declaration.content import to_yaml

        return to_yaml(declared_content(worker))
    description = (worker.__doc__ or "").strip()
    return as_markdown(options, description) if style == "markdown" else to_text(as_json_schema(options, description))


def _write(text: str, path: Path) -> None:
    if not path.name:
        raise UsageError("--output needs the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _, mistake in mistakes({"output": str(path)}, ()):
            raise UsageError(f"{printable(str(path))} {mistake}")
        files.replace(path, text.encode())
    except OSError as error:
        raise UsageError(f"{printable(str(path))} cannot be written: {error.strerror}") from None


def _stale(name: str) -> Problem:
    return Problem("", "file", printable(name), "it is not up to date with the worker", "write it with --output")


def _differences(text: str, name: str, style: str) -> list[str]:
    """How a file differs from what it should be; no lines where it does not.

    Of a declaration, in substance: comments, order of keys and style are its own.
    """
    from arkworker.documents.text_file import TextFileError, read_text_file

    try:
        file = read_text_file(name)
    except TextFileError as error:
        raise UnreadableFileError(f"{error.place(name)}: {error.message}; write it with --output") from None
    current = file.text
    if style == "arkindex":
        from arkworker.declaration.content import read_declaration, to_yaml

        current, name = to_yaml(read_declaration(file)), file.name
    before, after = current.splitlines(keepends=True), text.splitlines(keepends=True)
    return list(difflib.unified_diff(before, after, name, f"{name} (from the worker)"))
